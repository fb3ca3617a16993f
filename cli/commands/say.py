"""``chorus say``: speak a text to a file, or show what would be spoken of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from chorus_client import TextPreview
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.commands.jobs import client, follow, key_option, reported, url_option
from cli.commands.submit import audio_format, finish, times_beside
from cli.files import OutputFile, encoding_option
from cli.output_options import times_options
from cli.tables import listing
from cli.text_options import given_text, text_options
from core.names import Priority

_DEFAULT = "speech.wav"


@click.command()
@click.argument("text")
@encoding_option
@text_options
@click.option(
    "-o",
    "--output",
    type=OutputFile(),
    help=f"File for the audio: .wav, .flac, .mp3, .opus, .m4a, .m4b or .pcm (default: {_DEFAULT}).",
)
@times_options
@click.option("--force", is_flag=True, help="Overwrite files.")
@click.option("--dry-run", is_flag=True, help="Show what would be spoken, and speak nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run, print the preview as the API returns it.")
@url_option
@key_option
def say(
    text: str,
    encoding: str | None,
    fields: dict[str, Any],
    shape: dict[str, Any],
    output: Path | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Speak TEXT, and save the audio. If TEXT is -, standard input is read. Nothing is played.

    \b
    chorus say "Hello, world."
    chorus say "Dr. Smith paid $5.50 on 3/4/2025." --dry-run
    chorus say "Hello, world." --subtitles srt -o hello.mp3
    chorus say "Wait for it. [pause 2s] Now." --markup light -o wait.mp3
    chorus say - --voice joe --option speed=1.1 -o chapter.flac --force < chapter.txt
    """
    if dry_run and (output or force or shape):
        raise click.UsageError("--dry-run writes no file.")
    if as_json and not dry_run:
        raise click.UsageError("--json applies only to --dry-run.")
    body = {**fields, "text": given_text(text, "TEXT", encoding)}
    if dry_run:
        with reported(), client(url, api_key) as chorus:
            found = chorus.preview_text(**body)
        click.echo(json.dumps(found.raw, indent=2, ensure_ascii=False)) if as_json else _show(found, Console())
        return
    target = output or OutputFile().convert(_DEFAULT, None, None)
    shape = {"format": audio_format(target), **shape}
    existing = next((path for path in (target, *times_beside(target, shape)) if path.exists()), None)
    if existing and not force:
        raise click.UsageError(f"{existing} exists. Use --force to overwrite it, or -o to name another file.")
    console = Console(stderr=True)
    with reported(), client(url, api_key) as chorus:
        job = chorus.create(**body, priority=Priority.INTERACTIVE.value, output=shape)
        finish(chorus, follow(chorus, job.id, console), target, console)


def _show(found: TextPreview, console: Console) -> None:
    console.print(listing(("seconds", "spoken", "phonemes"), preview_rows(found)))
    for warning in found.warnings:
        place = f"chapter {warning.chapter}, characters {warning.start} to {warning.end}"
        console.print(f"[yellow]{warning.code}[/] at {place}: {escape(warning.message)}")
    count = len(found.utterances)
    console.print(
        f"{escape(found.model)}, {escape(found.voice or 'voice of a reference')}: {found.characters} characters,"
        f" about {found.seconds:.1f} s in {count} utterance{'s' if count != 1 else ''}"
    )


def preview_rows(found: TextPreview) -> list[Sequence[str | Text]]:
    """The rows of the table of a preview's utterances."""
    return [
        ("", one.text, Text(f"{one.error.code}: {one.error.message}", "red"))
        if one.error
        else (f"{one.seconds:.2f}", one.spoken, one.phonemes or "")
        for one in found.utterances
    ]
