"""``chorus submit``: submit a job, wait for it, and save its result."""

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

from cli.commands.jobs import client, follow, key_option, reported, url_option
from cli.files import OutputFile, encoding_option, read_text, text_of
from core.names import AudioFormat, Clean, Emoji, Markup

#: Allowed file extensions by the pipeline's result, for results that are not audio.
_SAVED = {"transcript": (".txt", ".json")}


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("It must be a finite number.")
    return value


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
@click.option("--pipeline", default="piper", show_default=True, help="Pipeline to run.")
@click.option("--voice", help="Voice; 'chorus voices list' lists them.")
@click.option("--language", help="Language (BCP 47), such as en or en-US.")
@click.option(
    "--clean",
    type=click.Choice([one.value for one in Clean]),
    help="none: speak marks of Markdown, HTML and footnotes.",
)
@click.option("--emoji", type=click.Choice([one.value for one in Emoji]), help="named: speak emoji by their names.")
@click.option(
    "--markup",
    type=click.Choice([one.value for one in Markup]),
    help="Markup that the text contains (default: none; docs/text.md describes light and ssml).",
)
@click.option(
    "--lexicon", "lexicons", multiple=True, metavar="ID[:VERSION]", help="Lexicon to use; later ones override earlier."
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="Option of the pipeline; can be repeated."
)
@click.option(
    "--format",
    "format_",
    default=None,
    help="wav, flac, mp3, opus or m4a (default: the extension of OUTPUT, else wav).",
)
@click.option("--loudness", type=float, callback=_finite, help="Target loudness in LUFS.")
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
    pipeline: str,
    voice: str | None,
    language: str | None,
    markup: str | None,
    clean: str | None,
    emoji: str | None,
    lexicons: tuple[str, ...],
    options: tuple[str, ...],
    format_: str | None,
    loudness: float | None,
    output: Path | None,
    no_wait: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Submit a job, wait for it, and save its result.

    \b
    chorus submit --text "Hello, world." -o hello.wav
    chorus submit --file chapter.txt --option speed=1.1 -o chapter.mp3
    chorus submit --markup light --text "Wait for it. [pause 2s] Now." -o wait.wav
    chorus submit --pipeline voice_match --reference me.wav --text "Who am I?" -o match.wav
    chorus submit --pipeline transcribe --recording talk.mp3 -o talk.txt
    """
    if no_wait and output:
        raise click.UsageError("--output cannot be used with --no-wait. Use --format instead.")
    body: dict[str, Any] = {
        "pipeline": pipeline,
        "text": _text(text, file, encoding, recording),
        "voice": voice,
        "language": language,
        "markup": markup,
        "clean": clean,
        "emoji": emoji,
        "lexicons": list(map(_lexicon, lexicons)) or None,
        "reference": reference,
        "recording": recording,
        "options": dict(map(_option, options)),
    }
    shape = {"format": format_, "loudness": loudness}
    with reported(), client(url, api_key) as chorus:
        if output:
            shape["format"] = format_ or _format(output, chorus, pipeline)
        body["output"] = {name: value for name, value in shape.items() if value is not None} or None
        job = chorus.create(**body)
        click.echo(job.id)
        if not no_wait:
            console = Console(stderr=True)
            _finish(chorus, follow(chorus, job.id, console), output, console)


def _text(text: str | None, file: Path | None, encoding: str | None, recording: Path | None) -> str | None:
    """The text to speak, from --text, --file or standard input."""
    if (text is not None and file is not None) or (text is None and file is None and recording is None):
        raise click.UsageError("Use exactly one of --text and --file, or use --recording.")
    if file is not None:
        return read_text(file, encoding)
    if text == "-":
        return text_of(sys.stdin.buffer.read(), "standard input", encoding)
    if encoding is not None:
        raise click.UsageError("--encoding applies only to --file and to standard input.")
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise click.UsageError("--text is not valid UTF-8.") from error
    return text


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
    if ending and ending[1:] not in list(AudioFormat):
        names = ", ".join(f".{one.value}" for one in AudioFormat)
        raise click.UsageError(f"{output}: use one of the extensions {names}, or set --format.")
    return ending[1:] or None


def _finish(chorus: Client, job: Job, output: Path | None, console: Console) -> None:
    """Save a job's audio, or save or print its other result."""
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


def _lexicon(given: str) -> str | dict[str, Any]:
    name, colon, version = given.partition(":")
    if not colon:
        return name
    if not version.isascii() or not version.isdigit():
        raise click.UsageError(f"--lexicon must be ID or ID:VERSION, not {given!r}.")
    return {"id": name, "version": int(version)}


def _option(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--option must be NAME=VALUE, not {pair!r}.")
    try:
        return name, json.loads(value, parse_constant=str)  # NaN is not a number in JSON
    except ValueError:
        return name, value
