"""``chorus voices``: list voices, and create them from recordings."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from cli.commands.jobs import client, follow, key_option, reported, url_option
from cli.files import OutputFile
from cli.tables import listing


@click.group()
def voices() -> None:
    """List voices, and create them from recordings.

    \b
    chorus voices create "Ann" ann-1.wav ann-2.wav --consent "I agree. Ann, 3 May"
    chorus submit --pipeline voice_match --voice vo_... --text "Hello."
    """


@voices.command("list")
@url_option
@key_option
def list_(url: str | None, api_key: str | None) -> None:
    """List the model voices and the stored voices."""
    with reported(), client(url, api_key) as chorus:
        rows = [(v.id, v.name or "", v.state, v.language or "", ", ".join(v.pipelines)) for v in chorus.voices()]
    Console().print(listing(("id", "name", "state", "language", "pipelines"), rows))


@voices.command()
@click.argument("name")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    help="Pipeline to create it for; can be repeated (default: all that use a voice).",
)
@click.option("--consent", help="The speaker's consent, as text; stored with the voice.")
@url_option
@key_option
def create(
    name: str,
    recordings: tuple[Path, ...],
    pipelines: tuple[str, ...],
    consent: str | None,
    url: str | None,
    api_key: str | None,
) -> None:
    """Create the voice NAME from RECORDINGS, and wait for it."""
    with reported(), client(url, api_key) as chorus:
        made = chorus.create_voice(name, recordings, pipelines=pipelines or None, consent=consent)
        click.echo(made.id)
        chorus.wait_voice(made)


@voices.command()
@click.argument("voice_id")
@click.argument("name")
@url_option
@key_option
def rename(voice_id: str, name: str, url: str | None, api_key: str | None) -> None:
    """Rename the voice VOICE_ID."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.rename_voice(voice_id, name).name)


@voices.command()
@click.argument("voice_id")
@url_option
@key_option
def delete(voice_id: str, url: str | None, api_key: str | None) -> None:
    """Delete the voice VOICE_ID and its recordings."""
    with reported(), client(url, api_key) as chorus:
        chorus.delete_voice(voice_id)


@voices.command()
@click.argument("voice_id")
@click.option("--text", help="Text to speak (default: a standard sentence).")
@click.option("-o", "--output", type=OutputFile(), default=Path("preview.wav"),
              show_default=True, help="File for the audio.")  # fmt: skip
@url_option
@key_option
def preview(voice_id: str, text: str | None, output: Path, url: str | None, api_key: str | None) -> None:
    """Synthesize a sentence with VOICE_ID, and save it."""
    console = Console(stderr=True)
    with reported(), client(url, api_key) as chorus:
        made = chorus.preview_voice(voice_id, text, output={"format": output.suffix.lstrip(".").lower() or "wav"})
        chorus.save(follow(chorus, made.id, console), output)
    click.echo(str(output), err=True)
