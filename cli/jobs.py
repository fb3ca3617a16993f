"""``chorus submit`` and ``chorus status``: jobs from the command line."""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from cli.connection import api_address
from core.errors import ChorusError, NotFound, Unavailable

_ENDED = {"succeeded", "failed", "canceled", "expired"}

_url = click.option("--url", help="Address of the API (CHORUS_URL; default: the stack of 'chorus up').")
_key = click.option("--api-key", help="API key (CHORUS_API_KEY; default: the stack of 'chorus up').")


class Api:
    """The API as the commands use it. Raises `ChorusError` with the API's own message."""

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        address, key = api_address(url, api_key)
        self._http = httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=60)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise Unavailable(f"No Chorus answers at {self._http.base_url}: is 'chorus up' running?") from error
        if answer.is_error:
            raise _error_of(answer)
        return answer

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        job: dict[str, Any] = self.request("POST", "/v1/jobs", json=body).json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.request("GET", f"/v1/jobs/{job_id}").json()
        return job

    def save_audio(self, job_id: str, path: Path) -> None:
        path.write_bytes(self.request("GET", f"/v1/jobs/{job_id}/audio").content)

    def follow(self, job_id: str, console: Console) -> dict[str, Any]:
        """Polls a job to its end, with a progress bar; the job as it ended."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        pause = 0.1
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("queued", total=None)
            while True:
                job = self.job(job_id)
                where = job["step"] or job["state"]
                done, total = job["progress"]["done"], job["progress"]["total"]
                progress.update(bar, description=f"{job['state']}: {where}", completed=done, total=total or None)
                if job["state"] in _ENDED:
                    return job
                time.sleep(pause)
                pause = min(2.0, pause * 1.2)


def _error_of(answer: httpx.Response) -> ChorusError:
    try:
        problem = answer.json()
        message, code = str(problem["detail"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"the API answered {answer.status_code}", "error"
    error = NotFound(message, code=code) if answer.status_code == 404 else ChorusError(message, code=code)
    error.status = answer.status_code
    return error


@click.command()
@click.option("--text", help="What to speak.")
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A text file.")
@click.option("--reference", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A recorded voice.")
@click.option("--recording", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A recording to hear.")
@click.option("--pipeline", default="piper", show_default=True)
@click.option("--voice", help="One of GET /v1/voices.")
@click.option("--language", help="BCP 47, such as en or en-US.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the pipeline.")
@click.option(
    "--format",
    "format_",
    default=None,
    help="wav, flac, mp3, opus or m4a (default: as OUTPUT ends, else wav).",
)
@click.option("--loudness", type=float, help="LUFS over the whole.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Save the audio here.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@_url
@_key
def submit(
    text: str | None,
    file: Path | None,
    reference: Path | None,
    recording: Path | None,
    pipeline: str,
    voice: str | None,
    language: str | None,
    options: tuple[str, ...],
    format_: str | None,
    loudness: float | None,
    output: Path | None,
    no_wait: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Submit a job, follow it, save its audio.

    \b
    chorus submit --text "Hello, world." -o hello.wav
    chorus submit --file chapter.txt --option speed=1.1 -o chapter.mp3
    chorus submit --pipeline voice_match --reference me.wav --text "Who am I?" -o match.wav
    chorus submit --pipeline transcribe --recording talk.mp3
    """
    if (text is not None and file is not None) or (text is None and file is None and recording is None):
        raise click.UsageError("Give --text or --file, or a --recording.")
    console = Console(stderr=True)
    suffix = output.suffix.lstrip(".").lower() if output else ""
    body: dict[str, Any] = {
        "pipeline": pipeline,
        "options": dict(map(_option, options)),
        "output": {"format": format_ or suffix or "wav"},
    }
    spoken = file.read_text(encoding="utf-8") if file else text
    heard = {"reference": _encoded(reference), "recording": _encoded(recording)}
    optional = {"text": spoken, "voice": voice, "language": language, **heard}
    body.update({k: v for k, v in optional.items() if v is not None})
    if loudness is not None:
        body["output"]["loudness"] = loudness
    api = Api(url, api_key)
    job_id = api.submit(body)["id"]
    click.echo(job_id)
    if no_wait:
        return
    job = api.follow(job_id, console)
    if job["state"] != "succeeded":
        console.print(f"[red]{job['state']}[/]: {(job['error'] or {}).get('message', '')}")
        sys.exit(1)
    audio = job["result"]["audio"]
    if audio is None:
        found = {key: value for key, value in job["result"].items() if value is not None}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    target = output or Path(f"{job_id}.{audio['format']}")
    api.save_audio(job_id, target)
    console.print(f"{target}: {audio['duration']:.2f} s, {audio['sample_rate']} Hz, {audio['bytes']} bytes")


def _encoded(path: Path | None) -> dict[str, str] | None:
    return {"base64": base64.b64encode(path.read_bytes()).decode()} if path else None


def _option(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--option takes NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@click.command()
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="Print the job as the API has it.")
@_url
@_key
def status(job_id: str, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show the job JOB_ID: its state, its steps, its result or error."""
    job = Api(url, api_key).job(job_id)
    if as_json:
        click.echo(json.dumps(job, indent=2))
        return
    console = Console()
    progress = job["progress"]
    console.print(f"{job['id']}  {job['pipeline']}  [bold]{job['state']}[/]  {progress['done']}/{progress['total']}")
    table = Table("step", "model", "state", "started", "ended")
    for step in job["steps"]:
        table.add_row(*(str(step[key] or "") for key in ("name", "model", "state", "started", "ended")))
    console.print(table)
    for error in [job["error"], *job["errors"]]:
        if error:
            console.print(f"[red]{error['code']}[/] at {error['step']}: {error['message']}")
