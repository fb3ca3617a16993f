"""``chorus keys``: API keys."""

from __future__ import annotations

import time

import click
from rich.console import Console

from cli.connection import ledger_client
from cli.tables import listing
from storage.access.keys import create_key, list_keys, revoke_key


@click.group()
def keys() -> None:
    """Create, list and revoke API keys.

    Keys are stored hashed in Redis: at CHORUS_REDIS_URL, or else in the stack of 'chorus up' in CHORUS_HOME
    (default .chorus).
    """


@keys.command()
@click.argument("owner")
@click.option("--name", default="", help="Purpose of the key; shown in lists.")
@click.option(
    "--max-expires-in", type=click.IntRange(60), help="Seconds that results of its jobs may be kept, at most."
)
def create(owner: str, name: str, max_expires_in: int | None) -> None:
    """Create a key for OWNER and print it. It is shown only once."""
    click.echo(create_key(ledger_client(), owner, name, max_expires_in=max_expires_in))


@keys.command("list")
def list_() -> None:
    """List all keys, without their secrets."""
    rows = [
        (key.id, key.owner, key.name, time.strftime("%Y-%m-%d", time.localtime(key.created)))
        for key in list_keys(ledger_client())
    ]
    Console().print(listing(("id", "owner", "name", "created"), rows))


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID (key_...) at once."""
    key = revoke_key(ledger_client(), key_id)
    click.echo(f"Revoked {key.id} of {key.owner}.")
