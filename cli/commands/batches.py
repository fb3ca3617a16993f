"""``chorus batch``: many jobs as one, from a file of JSON Lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from chorus_client import Batch, Client
from rich.console import Console
from rich.markup import escape

from cli.commands.jobs import client, key_option, told, url_option
from cli.files import OutputFile, encoding_option, read_text
from cli.progress import progress


@click.group()
def batch() -> None:
    """Submit and follow many jobs as one.

    \b
    A file of JSON Lines has one item a line:
      {"custom_id": "l1", "job": {"text": "The first line."}}
      {"custom_id": "l2", "job": {"text": "The second line.", "voice": "joe"}}
    chorus batch submit lines.jsonl --pipeline piper --format flac -o lines.zip
    """


@batch.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@encoding_option
@click.option("--pipeline", help="For every item that names none.")
@click.option("--voice", help="For every item that names none.")
@click.option("--format", "format_", help="For every item that names none.")
@click.option("--strict", is_flag=True, help="One bad item fails the batch.")
@click.option("-o", "--output", type=OutputFile(), help="Save the ZIP here.")
@click.option("--no-wait", is_flag=True, help="Print the batch's id and leave.")
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
    """Submit the items in FILE, follow them, save their audio."""
    defaults: dict[str, Any] = {}
    if pipeline:
        defaults["pipeline"] = pipeline
    if voice:
        defaults["voice"] = voice
    if format_:
        defaults["output"] = {"format": format_}
    with told(), client(url, api_key) as chorus:
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
@click.option("--json", "as_json", is_flag=True, help="Print the batch as the API has it.")
@url_option
@key_option
def status(batch_id: str, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show the batch BATCH_ID."""
    with told(), client(url, api_key) as chorus:
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
    """Print what became of each item, one JSON object a line."""
    with told(), client(url, api_key) as chorus:
        for line in chorus.manifest(batch_id):
            click.echo(json.dumps(line, ensure_ascii=False))


@batch.command("zip")
@click.argument("batch_id")
@click.option("-o", "--output", type=OutputFile(), required=True)
@url_option
@key_option
def zip_(batch_id: str, output: Path, url: str | None, api_key: str | None) -> None:
    """Save every finished file, and the manifest, as one ZIP."""
    with told(), client(url, api_key) as chorus:
        chorus.save_zip(batch_id, output)


@batch.command()
@click.argument("batch_id")
@url_option
@key_option
def cancel(batch_id: str, url: str | None, api_key: str | None) -> None:
    """End the batch BATCH_ID and all its jobs at once."""
    with told(), client(url, api_key) as chorus:
        _show(chorus.cancel_batch(batch_id))


@batch.command()
@click.argument("batch_id")
@url_option
@key_option
def retry(batch_id: str, url: str | None, api_key: str | None) -> None:
    """Begin the jobs anew that failed or were canceled."""
    with told(), client(url, api_key) as chorus:
        _show(chorus.retry_batch(batch_id))
