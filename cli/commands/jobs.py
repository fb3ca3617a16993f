"""``chorus status`` and ``chorus jobs``: jobs on the command line, through the Python client."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

import click
from chorus_client import ApiError, Client, ConnectionFailed, Job, JobFailed
from chorus_client import ChorusError as BrokenClient
from rich.console import Console
from rich.markup import escape

from cli.connection import api_address
from cli.progress import counts, progress
from cli.tables import ago, listing, took
from core.errors import Unavailable

url_option = click.option("--url", help="Address of the API (CHORUS_URL; default: the stack of 'chorus up').")
key_option = click.option(
    "--api-key",
    help="API key. Others can see a command's arguments: prefer CHORUS_API_KEY. Default: the stack of 'chorus up'.",
)


def client(url: str | None = None, api_key: str | None = None) -> Client:
    """A client for the API: the given address and key, else the environment's, else those of ``chorus up``."""
    address, key = api_address(url, api_key)
    return Client(address, key)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Report the client's exceptions as one line on standard error."""
    try:
        yield
    except ConnectionFailed as error:
        raise Unavailable(f"The API does not respond. Is 'chorus up' running? ({error})") from error
    except JobFailed as error:
        raise click.ClickException(str(error)) from error
    except ApiError as error:
        raise click.ClickException(f"{error.message} ({error.code})") from error
    except BrokenClient as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:  # for example a full disk or a file without read permission
        raise click.ClickException(f"{error.filename or 'A file'}: {error.strerror or error}") from error


def follow(chorus: Client, job_id: str, console: Console) -> Job:
    """Wait for the end of a job, with a progress bar. Returns the job as it ended."""
    with progress(console) as show:

        def tell(job: Job) -> None:
            description = f"{job.state}: {job.step}" if job.step and job.step != job.state else job.state
            show(description, *counts(job))

        return chorus.wait(job_id, on_progress=tell)


@click.command()
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="Print the job as the API returns it.")
@url_option
@key_option
def status(job_id: str, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show the state, the steps and the errors of the job JOB_ID."""
    with reported(), client(url, api_key) as chorus:
        job = chorus.get(job_id)
    if as_json:
        click.echo(json.dumps(job.raw, indent=2))
        return
    console, (done, total) = Console(), counts(job)
    console.print(f"{escape(job.id)}  {escape(job.pipeline or '')}  [bold]{job.state}[/]  {done}/{total}")
    console.print(listing(("step", "model", "state", "started", "took"), step_rows(job)))
    for error in [job.error, *job.errors]:
        if error:
            console.print(f"[red]{error.code}[/] at {error.step}: {escape(error.message)}")


def step_rows(job: Job, now: datetime | None = None) -> list[Sequence[str]]:
    """The rows of the table of a job's steps."""
    return [
        (step.name, step.model or "", step.state, ago(step.started, now), took(step.started, step.ended))
        for step in job.steps
    ]


def job_rows(found: Iterable[Job], now: datetime | None = None) -> list[Sequence[str]]:
    """The rows of the table of jobs."""
    return [
        (job.id, job.pipeline or "", job.state, "{}/{}".format(*counts(job)), ago(job.created, now)) for job in found
    ]


@click.group()
def jobs() -> None:
    """List, follow, cancel, retry and delete jobs.

    \b
    chorus jobs list --state failed
    chorus jobs stream JOB -o - | ffplay -
    """


@jobs.command("list")
@click.option("--state", help="Only jobs in this state, such as failed.")
@click.option("--pipeline", help="Only jobs of this pipeline.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Jobs to list, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@url_option
@key_option
def list_(
    state: str | None, pipeline: str | None, limit: int, as_json: bool, url: str | None, api_key: str | None
) -> None:
    """List jobs, newest first."""
    with reported(), client(url, api_key) as chorus:
        found = itertools.islice(chorus.jobs(state=state, pipeline=pipeline, limit=min(limit, 100)), limit)
        if not as_json:
            Console().print(listing(("id", "pipeline", "state", "done", "created"), job_rows(found)))
            return
        for job in found:
            click.echo(json.dumps(job.raw))


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def cancel(job_id: str, url: str | None, api_key: str | None) -> None:
    """Cancel the job JOB_ID at once."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.cancel(job_id).state)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def retry(job_id: str, url: str | None, api_key: str | None) -> None:
    """Retry the job JOB_ID; rendered utterances are kept."""
    with reported(), client(url, api_key) as chorus:
        click.echo(chorus.retry(job_id).state)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def delete(job_id: str, url: str | None, api_key: str | None) -> None:
    """Delete the job JOB_ID and its results."""
    with reported(), client(url, api_key) as chorus:
        chorus.delete(job_id)


@jobs.command()
@click.argument("job_id")
@url_option
@key_option
def events(job_id: str, url: str | None, api_key: str | None) -> None:
    """Print the events of the job JOB_ID as JSON Lines."""
    with reported(), client(url, api_key) as chorus:
        for event in chorus.events(job_id):
            click.echo(json.dumps({"id": event.id, "type": event.type, "data": event.data}))


@jobs.command()
@click.argument("job_id")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["wav", "mp3", "opus", "pcm"]),
    help="Audio format (default: the job's, or wav).",
)
@click.option("-o", "--output", type=click.File("wb"), required=True, help="A file, or - for standard output.")
@url_option
@key_option
def stream(job_id: str, format_: str | None, output: BinaryIO, url: str | None, api_key: str | None) -> None:
    """Stream the audio of the job JOB_ID while it is rendered."""
    with reported(), client(url, api_key) as chorus:
        for chunk in chorus.stream(job_id, format_):
            output.write(chunk)
            output.flush()
