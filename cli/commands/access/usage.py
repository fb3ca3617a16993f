"""``chorus usage``: what an owner has used, by day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import click
from chorus_client import DayUsage, UsageTotals
from rich.console import Console

from cli.commands.jobs import client, key_option, reported, url_option
from cli.tables import listing

_COLUMNS = ("requests", "jobs", "failed", "characters", "audio in", "audio out")

_day = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_day, metavar="YYYY-MM-DD", help="First day (UTC); default: 30 days in all.")
@click.option("--to", "last", type=_day, metavar="YYYY-MM-DD", help="Last day (UTC); default: today.")
@click.option("--by-key", is_flag=True, help="A line for each API key instead of each day.")
@click.option("--owner", help="Another owner; needs an API key with the scope admin.")
@click.option("--json", "as_json", is_flag=True, help="Print the use as the API returns it.")
@url_option
@key_option
def usage(
    first: datetime | None,
    last: datetime | None,
    by_key: bool,
    owner: str | None,
    as_json: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Show requests, jobs, characters and audio by day, and their totals."""
    with reported(), client(url, api_key) as chorus:
        found = chorus.usage(first and first.date(), last and last.date(), owner=owner)
    if as_json:
        click.echo(json.dumps(found.raw, indent=2))
        return
    groups: dict[str, list[DayUsage]] = {}
    for one in found.data:
        groups.setdefault((one.key or "without a key") if by_key else one.date, []).append(one)
    rows = [(name, *_cells(_sum(uses))) for name, uses in sorted(groups.items())]
    Console().print(listing(("key" if by_key else "day", *_COLUMNS), [*rows, ("total", *_cells(found.totals))]))


def _sum(uses: Sequence[DayUsage]) -> UsageTotals:
    return UsageTotals(**{name: sum(getattr(one, name) for one in uses) for name in UsageTotals.names()})


def _cells(use: UsageTotals) -> tuple[str, ...]:
    counts = (use.requests, use.jobs, use.failed, use.characters)
    return (*(f"{n:,}" for n in counts), _clock(use.audio_seconds_in), _clock(use.audio_seconds_out))


def _clock(seconds: float) -> str:
    """``1:02:03``: hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
