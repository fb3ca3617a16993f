"""``chorus submit``: submit a job, wait for it, and save its result."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from chorus_client import Client, Job
from rich.console import Console
from rich.markup import escape

from cli.commands.jobs import client, follow, key_option, reported, url_option
from cli.files import OutputFile, encoding_option, read_text
from cli.output_options import output_options
from cli.text_options import given_text, text_options
from core.names import AudioFormat

#: Allowed file extensions by the pipeline's result, for results that are not audio.
_SAVED = {"transcript": (".txt", ".json")}

#: Ending of the file with times, which lies beside the audio.
_TIMES = ".timestamps.json"


@click.command()
@click.option("--text", help="Text to speak; - reads standard input.")
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Text file to speak."
)
@encoding_option
@click.option(
    "--reference", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Recording of a voice to match."
)
@click.option("--recording", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Recording to process.")
@text_options
@output_options
@click.option("-o", "--output", type=OutputFile(), help="File for the audio, or for a transcript (.txt or .json).")
@click.option("--no-wait", is_flag=True, help="Print the job's id and exit without waiting.")
@url_option
@key_option
def submit(
    text: str | None,
    file: Path | None,
    encoding: str | None,
    reference: Path | None,
    recording: Path | None,
    fields: dict[str, Any],
    shape: dict[str, Any],
    output: Path | None,
    no_wait: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Submit a job, wait for it, and save its result.

    \b
    chorus submit --text "Hello, world." -o hello.wav
    chorus submit --file chapter.txt --option speed=1.1 -o chapter.mp3
    chorus submit --file chapter.txt --timestamps word --subtitles srt -o chapter.mp3
    chorus submit --file one.txt --trim --tag title="One" --tag track=1/9 -o one.m4a
    chorus submit --markup light --text "Wait for it. [pause 2s] Now." -o wait.wav
    chorus submit --pipeline voice_match --reference me.wav --text "Who am I?" -o match.wav
    chorus submit --pipeline transcribe --recording talk.mp3 -o talk.txt
    """
    if no_wait and output:
        raise click.UsageError("--output cannot be used with --no-wait. Use --format instead.")
    body: dict[str, Any] = {
        **fields,
        "text": _text(text, file, encoding, recording),
        "reference": reference,
        "recording": recording,
    }
    with reported(), client(url, api_key) as chorus:
        if output and "format" not in shape and (found := _format(output, chorus, fields["pipeline"])):
            shape["format"] = found
        body["output"] = shape or None
        job = chorus.create(**body)
        click.echo(job.id)
        if not no_wait:
            console = Console(stderr=True)
            finish(chorus, follow(chorus, job.id, console), output, console)


def times_beside(audio: Path, shape: Mapping[str, Any]) -> list[Path]:
    """The files that are saved beside ``audio`` for the ``shape`` of a job's output."""
    times = [audio.with_suffix(_TIMES)] if shape.get("timestamps") else []
    return [*times, audio.with_suffix(f".{shape['subtitles']}")] if shape.get("subtitles") else times


def _save_times(chorus: Client, job: Job, audio: Path) -> list[Path]:
    """Save the times and subtitles of a job beside its audio; return their files."""
    saved = []
    if job.result and job.result.timestamps:
        saved.append(audio.with_suffix(_TIMES))
        saved[-1].write_text(json.dumps(chorus.timestamps(job), indent=1, ensure_ascii=False) + "\n", "utf-8")
    if job.result and job.result.subtitles:
        saved.append(audio.with_suffix(f".{job.result.subtitles.format}"))
        saved[-1].write_text(chorus.subtitles(job), "utf-8", newline="")
    return saved


def _text(text: str | None, file: Path | None, encoding: str | None, recording: Path | None) -> str | None:
    """The text to speak, from --text, --file or standard input."""
    if (text is not None and file is not None) or (text is None and file is None and recording is None):
        raise click.UsageError("Use exactly one of --text and --file, or use --recording.")
    if file is not None:
        return read_text(file, encoding)
    return None if text is None and encoding is None else given_text(text or "", "--text", encoding)


def _format(output: Path, chorus: Client, pipeline: str) -> str | None:
    """The audio format of a file's extension; None if the pipeline's result is not audio.

    Raises `click.UsageError` if the result cannot be saved under that extension."""
    gives = next((str(p["gives"]) for p in chorus.pipelines() if p["id"] == pipeline), "speech")
    ending = output.suffix.lower()
    if gives != "speech":
        fitting = _SAVED.get(gives, (".json",))
        if ending not in fitting:
            names = " or ".join(fitting)
            raise click.UsageError(f"{output}: pipeline {pipeline!r} returns {gives}, not audio. Use {names}.")
        return None
    return audio_format(output, ", or set --format") if ending else None


def audio_format(output: Path, alternative: str = "") -> str:
    """The audio format of a file's extension. Raises `click.UsageError` if there is none of that name."""
    ending = output.suffix.lower()
    if ending[1:] not in list(AudioFormat):
        names = ", ".join(f".{one.value}" for one in AudioFormat)
        raise click.UsageError(f"{output}: use one of the extensions {names}{alternative}.")
    return ending[1:]


def finish(chorus: Client, job: Job, output: Path | None, console: Console) -> None:
    """Save a job's audio, or save or print its other result."""
    if job.state != "succeeded" or job.result is None:
        console.print(f"[red]{job.state}[/]: {escape(job.error.message) if job.error else ''}")
        sys.exit(1)
    if audio := job.result.audio:
        target = chorus.save(job, output or Path(f"{job.id}.{audio.format}"))
        about = f"{audio.duration:.2f} s, {audio.sample_rate} Hz, {audio.bytes} bytes"
        console.print(f"{escape(str(target))}: {about}", soft_wrap=True)
        for beside in _save_times(chorus, job, target):
            console.print(escape(str(beside)), soft_wrap=True)
        return
    found = {key: value for key, value in job.result.raw.items() if value is not None}
    written = json.dumps(found, indent=2, ensure_ascii=False)
    if output is None:
        click.echo(written)
        return
    output.write_text(f"{found['transcript']['text'] if output.suffix.lower() == '.txt' else written}\n", "utf-8")
    console.print(escape(str(output)), soft_wrap=True)
