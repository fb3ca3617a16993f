"""``chorus submit``: a job from what the user has at hand to the file that is asked for."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click
from chorus_client import Client, Job
from rich.console import Console
from rich.markup import escape

from cli.commands.jobs import client, follow, key_option, told, url_option
from cli.files import OutputFile, encoding_option, read_text, text_of
from core.names import AudioFormat

#: What a file may end in, by what the pipeline gives where that is no audio.
_SAVED = {"transcript": (".txt", ".json")}


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("It must be a number.")
    return value


@click.command()
@click.option("--text", help="What to speak; - reads standard input.")
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A text file.")
@encoding_option
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
@click.option("--loudness", type=float, callback=_finite, help="LUFS over the whole.")
@click.option("-o", "--output", type=OutputFile(), help="Save the audio here; a transcript as .txt or .json.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@url_option
@key_option
def submit(
    text: str | None,
    file: Path | None,
    encoding: str | None,
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
    """Submit a job, follow it, save what it gives.

    \b
    chorus submit --text "Hello, world." -o hello.wav
    chorus submit --file chapter.txt --option speed=1.1 -o chapter.mp3
    chorus submit --pipeline voice_match --reference me.wav --text "Who am I?" -o match.wav
    chorus submit --pipeline transcribe --recording talk.mp3 -o talk.txt
    """
    if no_wait and output:
        raise click.UsageError("With --no-wait there is nothing to save yet: give --format instead of --output.")
    body: dict[str, Any] = {
        "pipeline": pipeline,
        "text": _text(text, file, encoding, recording),
        "voice": voice,
        "language": language,
        "reference": reference,
        "recording": recording,
        "options": dict(map(_option, options)),
    }
    shape = {"format": format_, "loudness": loudness}
    with told(), client(url, api_key) as chorus:
        if output:
            shape["format"] = format_ or _format(output, chorus, pipeline)
        body["output"] = {name: value for name, value in shape.items() if value is not None} or None
        job = chorus.create(**body)
        click.echo(job.id)
        if not no_wait:
            console = Console(stderr=True)
            _finish(chorus, follow(chorus, job.id, console), output, console)


def _text(text: str | None, file: Path | None, encoding: str | None, recording: Path | None) -> str | None:
    """What is to be spoken, from where the user says it is."""
    if (text is not None and file is not None) or (text is None and file is None and recording is None):
        raise click.UsageError("Give --text or --file, or a --recording.")
    if file is not None:
        return read_text(file, encoding)
    if text == "-":
        return text_of(sys.stdin.buffer.read(), "standard input", encoding)
    if encoding is not None:
        raise click.UsageError("--encoding is that of --file, or of standard input.")
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise click.UsageError("--text is not UTF-8.") from error
    return text


def _format(output: Path, chorus: Client, pipeline: str) -> str | None:
    """The audio format that a file's name asks for; None where the pipeline gives no audio.

    Raises `click.UsageError` where what the pipeline gives cannot be saved under that name."""
    gives = next((str(p["gives"]) for p in chorus.pipelines() if p["id"] == pipeline), "speech")
    ending = output.suffix.lower()
    if gives != "speech":
        fitting = _SAVED.get(gives, (".json",))
        if ending not in fitting:
            names = " or ".join(fitting)
            raise click.UsageError(f"{output}: pipeline {pipeline!r} gives {gives} and no audio; end it in {names}.")
        return None
    if ending and ending[1:] not in list(AudioFormat):
        names = ", ".join(f".{one.value}" for one in AudioFormat)
        raise click.UsageError(f"{output}: audio is saved as {names}; or say which it is with --format.")
    return ending[1:] or None


def _finish(chorus: Client, job: Job, output: Path | None, console: Console) -> None:
    """Saves a job's audio, or saves or prints what else it gave."""
    if job.state != "succeeded" or job.result is None:
        console.print(f"[red]{job.state}[/]: {escape(job.error.message) if job.error else ''}")
        sys.exit(1)
    if audio := job.result.audio:
        target = chorus.save(job, output or Path(f"{job.id}.{audio.format}"))
        about = f"{audio.duration:.2f} s, {audio.sample_rate} Hz, {audio.bytes} bytes"
        console.print(f"{escape(str(target))}: {about}", soft_wrap=True)
        return
    found = {key: value for key, value in job.result.raw.items() if value is not None}
    written = json.dumps(found, indent=2, ensure_ascii=False)
    if output is None:
        click.echo(written)
        return
    output.write_text(f"{found['transcript']['text'] if output.suffix.lower() == '.txt' else written}\n", "utf-8")
    console.print(escape(str(output)), soft_wrap=True)


def _option(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--option takes NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value, parse_constant=str)  # NaN is no number in JSON
    except ValueError:
        return name, value
