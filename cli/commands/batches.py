"""``chorus batch``: submit many jobs as one batch, from a JSON Lines file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from chorus_client import Batch, Client
from rich.console import Console
from rich.markup import escape

from cli.commands.jobs import client, key_option, reported, url_option
from cli.files import OutputFile, encoding_option, read_text
from cli.progress import progress


@click.group()
def batch() -> None:
    """Submit and follow many jobs as one batch.

    \b
    The JSON Lines file has one item per line:
      {"custom_id": "l1", "job": {"text": "The first line."}}
      {"custom_id": "l2", "job": {"text": "The second line.", "voice": "joe"}}
    chorus batch submit lines.jsonl --pipeline piper --format flac -o lines.zip
    """


@batch.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@encoding_option
@click.option("--pipeline", help="Pipeline of items that name none.")
@click.option("--voice", help="Voice of items that name none.")
@click.option("--format", "format_", help="Audio format of items that name none.")
@click.option("--strict", is_flag=True, help="Fail the batch if any item is invalid.")
@click.option("-o", "--output", type=OutputFile(), help="File for the ZIP of all audio.")
@click.option("--no-wait", is_flag=True, help="Print the batch's id and exit without waiting.")
@url_option
@key_option
def submit(
    file: Path,
    encoding: str | None,
    pipeline: str | None,
    voice: str | None,
    format_: str | None,
    strict: bool,
    output: Path | None,
    no_wait: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Submit the items in FILE, wait for them, and save their audio."""
    defaults: dict[str, Any] = {}
    if pipeline:
        defaults["pipeline"] = pipeline
    if voice:
        defaults["voice"] = voice
    if format_:
        defaults["output"] = {"format": format_}
    with reported(), client(url, api_key) as chorus:
        made = chorus.create_batch(read_text(file, encoding).encode(), defaults=defaults, strict=strict)
        click.echo(made.id)
        if no_wait:
            return
        ended = _follow(chorus, made)
        _show(ended)
        if output:
            chorus.save_zip(ended, output)
            click.echo(f"{output}: {output.stat().st_size} bytes", err=True)
        if ended.counts.failed or ended.state != "completed":
            sys.exit(1)


def _follow(chorus: Client, made: Batch) -> Batch:
    with progress(Console(stderr=True)) as show:

        def tell(batch: Batch) -> None:
            counts = batch.counts
            ended = counts.succeeded + counts.failed + counts.canceled
            show(batch.state, ended, ended + counts.queued + counts.running)

        return chorus.wait_batch(made, on_progress=tell)


def _show(batch: Batch) -> None:
    console, counts = Console(stderr=True), batch.counts
    console.print(
        f"{escape(batch.id)}  [bold]{batch.state}[/]  {counts.succeeded} succeeded, {counts.failed} failed, "
        f"{counts.canceled} canceled, {counts.running} running, {counts.queued} queued",
        soft_wrap=True,
    )
    for error in batch.errors:
        named = f" ({escape(error.custom_id)})" if error.custom_id else ""
        console.print(f"  line {error.line}{named}: [red]{error.code}[/] {escape(error.message)}", soft_wrap=True)


@batch.command()
@click.argument("batch_id")
@click.option("--json", "as_json", is_flag=True, help="Print the batch as the API returns it.")
@url_option
@key_option
def status(batch_id: str, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show the state of the batch BATCH_ID."""
    with reported(), client(url, api_key) as chorus:
        found = chorus.batch(batch_id)
    if as_json:
        click.echo(json.dumps(found.raw, indent=2))
    else:
        _show(found)


@batch.command()
@click.argument("batch_id")
@url_option
@key_option
def manifest(batch_id: str, url: str | None, api_key: str | None) -> None:
    """Print the result of each item, one JSON object per line."""
    with reported(), client(url, api_key) as chorus:
        for line in chorus.manifest(batch_id):
            click.echo(json.dumps(line, ensure_ascii=False))


@batch.command("zip")
@click.argument("batch_id")
@click.option("-o", "--output", type=OutputFile(), required=True, help="File for the ZIP.")
@url_option
@key_option
def zip_(batch_id: str, output: Path, url: str | None, api_key: str | None) -> None:
    """Save all finished files and the manifest as a ZIP."""
    with reported(), client(url, api_key) as chorus:
        chorus.save_zip(batch_id, output)


@batch.command()
@click.argument("batch_id")
@url_option
@key_option
def cancel(batch_id: str, url: str | None, api_key: str | None) -> None:
    """Cancel the batch BATCH_ID and all its jobs at once."""
    with reported(), client(url, api_key) as chorus:
        _show(chorus.cancel_batch(batch_id))


@batch.command()
@click.argument("batch_id")
@url_option
@key_option
def retry(batch_id: str, url: str | None, api_key: str | None) -> None:
    """Retry the failed and canceled jobs of BATCH_ID."""
    with reported(), client(url, api_key) as chorus:
        _show(chorus.retry_batch(batch_id))
