"""``chorus submit``, ``chorus status``, ``chorus jobs``: jobs from the command line, over the client."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click
from chorus_client import ApiError, Client, ConnectionFailed, Job, JobFailed
from chorus_client import ChorusError as BrokenClient
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
from cli.tables import listing
from core.errors import Unavailable

url_option = click.option("--url", help="Address of the API (CHORUS_URL; default: the stack of 'chorus up').")
key_option = click.option("--api-key", help="API key (CHORUS_API_KEY; default: the stack of 'chorus up').")


def client(url: str | None = None, api_key: str | None = None) -> Client:
    """The API as the commands use it: as given, else the environment's, else that of the stack at home."""
    address, key = api_address(url, api_key)
    return Client(address, key)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turns what the client raises into the command's one line on standard error."""
    try:
        yield
    except ConnectionFailed as error:
        raise Unavailable(f"No Chorus answers: is 'chorus up' running? ({error})") from error
    except JobFailed as error:
        raise click.ClickException(str(error)) from error
    except ApiError as error:
        raise click.ClickException(f"{error.message} ({error.code})") from error
    except BrokenClient as error:
        raise click.ClickException(str(error)) from error


def follow(chorus: Client, job_id: str, console: Console) -> Job:
    """Waits for a job's end, with a progress bar; the job as it ended."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("queued", total=None)

        def show(job: Job) -> None:
            done, total = job.progress.done, job.progress.total
            description = f"{job.state}: {job.step or job.state}"
            progress.update(bar, description=description, completed=done, total=total or None)

        return chorus.wait(job_id, on_progress=show)


@click.command()
@click.option("--text", help="What to speak; - reads standard input.")
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
@url_option
@key_option
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
    if text == "-":
        text = sys.stdin.read()
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
    if loudness is not None:
        body["output"]["loudness"] = loudness
    body |= {"text": spoken, "voice": voice, "language": language, "reference": reference, "recording": recording}
    with told(), client(url, api_key) as chorus:
        job = chorus.create(**body)
        click.echo(job.id)
        if not no_wait:
            _finish(chorus, follow(chorus, job.id, console), output, console)


def _finish(chorus: Client, job: Job, output: Path | None, console: Console) -> None:
    """Saves a job's audio, or prints what else it gave."""
    if job.state != "succeeded" or job.result is None:
        console.print(f"[red]{job.state}[/]: {job.error.message if job.error else ''}")
        sys.exit(1)
    audio = job.result.audio
    if audio is None:
        found = {key: value for key, value in job.result.raw.items() if value is not None}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    target = chorus.save(job, output or Path(f"{job.id}.{audio.format}"))
    console.print(f"{target}: {audio.duration:.2f} s, {audio.sample_rate} Hz, {audio.bytes} bytes")


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
@url_option
@key_option
def status(job_id: str, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show the job JOB_ID: its state, its steps, its result or error."""
    with told(), client(url, api_key) as chorus:
        job = chorus.get(job_id)
    if as_json:
        click.echo(json.dumps(job.raw, indent=2))
        return
    console = Console()
    progress = job.progress
    console.print(f"{job.id}  {job.pipeline}  [bold]{job.state}[/]  {progress.done}/{progress.total}")
    table = Table("step", "model", "state", "started", "ended")
    for step in job.steps:
        table.add_row(step.name, step.model or "", step.state, step.started or "", step.ended or "")
    console.print(table)
    for error in [job.error, *job.errors]:
        if error:
            console.print(f"[red]{error.code}[/] at {error.step}: {error.message}")


@click.group()
def jobs() -> None:
    """List, follow, cancel, retry and delete jobs.

    \b
    chorus jobs list --state failed
    chorus jobs stream JOB -o - | ffplay -
    """


@jobs.command("list")
@click.option("--state", help="queued, running, succeeded, failed or canceled.")
@click.option("--pipeline")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@url_option
@key_option
def list_(
    state: str | None, pipeline: str | None, limit: int, as_json: bool, url: str | None, api_key: str | None
) -> None:
    """List jobs, newest first."""
    table = listing("id", "pipeline", "state", "done", "created")
    with told(), client(url, api_key) as chorus:
        for job in itertools.islice(chorus.jobs(state=state, pipeline=pipeline, limit=min(limit, 100)), limit):
            if as_json:
                click.echo(json.dumps(job.raw))
            done = f"{job.progress.done}/{job.progress.total}"
            table.add_row(job.id, job.pipeline, job.state, done, job.created)
    if not as_json:
        Console().print(table)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def cancel(job_id: str, url: str | None, api_key: str | None) -> None:
    """End the job JOB_ID at once."""
    with told(), client(url, api_key) as chorus:
        click.echo(chorus.cancel(job_id).state)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def retry(job_id: str, url: str | None, api_key: str | None) -> None:
    """Begin the job JOB_ID anew; what is rendered already is not rendered again."""
    with told(), client(url, api_key) as chorus:
        click.echo(chorus.retry(job_id).state)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def delete(job_id: str, url: str | None, api_key: str | None) -> None:
    """Take the job JOB_ID and its results away."""
    with told(), client(url, api_key) as chorus:
        chorus.delete(job_id)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def events(job_id: str, url: str | None, api_key: str | None) -> None:
    """Print what happens to the job JOB_ID until it ends, one JSON object a line."""
    with told(), client(url, api_key) as chorus:
        for event in chorus.events(job_id):
            click.echo(json.dumps({"id": event.id, "type": event.type, "data": event.data}))


@jobs.command()
@click.argument("job_id")
@click.option("--format", "format_", type=click.Choice(["wav", "mp3", "opus", "pcm"]), help="As the job's, if it can.")
@click.option("-o", "--output", type=click.File("wb"), required=True, help="A file, or - for standard output.")
@url_option
@key_option
def stream(job_id: str, format_: str | None, output: BinaryIO, url: str | None, api_key: str | None) -> None:
    """Write the audio of the job JOB_ID as it is made."""
    with told(), client(url, api_key) as chorus:
        for chunk in chorus.stream(job_id, format_):
            output.write(chunk)
            output.flush()
