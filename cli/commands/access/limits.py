"""``chorus limits``: limits of owners."""

from __future__ import annotations

import click
from rich.console import Console

from cli.connection import ledger_client, stack_settings
from cli.limit_options import given_limits, limit_options
from cli.tables import listing
from core.errors import ChorusError
from storage.access.limits import NAMES, clear_limits, default_limits, get_limits, limits_of, list_limits, set_limits


@click.group()
def limits() -> None:
    """Set, show and clear the limits of owners.

    An owner's limits count the requests and jobs of all of its keys together. An owner without limits of its own has
    those of the settings (CHORUS_LIMIT_...).
    """


@limits.command("set")
@click.argument("owner")
@limit_options
def set_(owner: str, **options: int | None) -> None:
    """Set limits of OWNER. Limits that are not given are unchanged."""
    given, client = given_limits(options), ledger_client()
    if not given:
        raise ChorusError("Name at least one limit, such as --requests-per-minute 60. 'chorus limits set --help'.")
    set_limits(client, owner, {**get_limits(client, owner), **given})
    _print(owner)


@limits.command()
@click.argument("owner", required=False)
def show(owner: str | None) -> None:
    """Show the limits of OWNER, or which owners have limits of their own."""
    if owner is not None:
        _print(owner)
        return
    rows = [
        (owner, ", ".join(f"{name} {_value(value)}" for name, value in own.items()))
        for owner, own in list_limits(ledger_client()).items()
    ]
    Console().print(listing(("owner", "limits"), rows))


@limits.command()
@click.argument("owner")
def clear(owner: str) -> None:
    """Remove the limits that were set for OWNER: those of the settings apply again."""
    clear_limits(ledger_client(), owner)
    _print(owner)


def _print(owner: str) -> None:
    client = ledger_client()
    own, all_ = get_limits(client, owner), limits_of(client, owner, default_limits(stack_settings()))
    rows = [(name, _value(getattr(all_, name)), "of the owner" if name in own else "settings") for name in NAMES]
    Console().print(listing(("limit", "value", "from"), rows))


def _value(limit: int | None) -> str:
    return "unlimited" if limit is None else f"{limit:,}"
