"""``chorus keys``: API keys."""

from __future__ import annotations

import time

import click
from rich.console import Console

from cli.connection import ledger_client
from cli.limit_options import Duration, given_limits, limit_options
from cli.tables import listing
from core.names import Scope
from storage.access.keys import DEFAULT_SCOPES, OVERLAP, ApiKey, create_key, list_keys, revoke_key, rotate_key
from storage.access.limits import Limits


@click.group()
def keys() -> None:
    """Create, list, rotate and revoke API keys.

    Keys are stored hashed in Redis: at CHORUS_REDIS_URL, or else in the stack of 'chorus up' in CHORUS_HOME
    (default .chorus).
    """


@keys.command()
@click.argument("owner")
@click.option("--name", default="", help="Purpose of the key; shown in lists.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help=f"What the key allows; repeat it for several. Default: {', '.join(sorted(DEFAULT_SCOPES))}.",
)
@click.option("--expires-in", type=Duration(), help="Time until the key ends: 90s, 15min, 12h, 30d. Default: never.")
@click.option(
    "--max-expires-in", type=click.IntRange(60), help="Seconds that results of its jobs may be kept, at most."
)
@limit_options
def create(
    owner: str,
    name: str,
    scopes: tuple[str, ...],
    expires_in: int | None,
    max_expires_in: int | None,
    **limits: int | None,
) -> None:
    """Create a key for OWNER and print it. It is shown only once.

    The limits are the key's own. Those of its owner (chorus limits) apply as well.
    """
    secret = create_key(
        ledger_client(),
        owner,
        name,
        scopes=frozenset(map(Scope, scopes)) or DEFAULT_SCOPES,
        expires_in=expires_in,
        limits=Limits(**given_limits(limits)),
        max_expires_in=max_expires_in,
    )
    click.echo(secret)


@keys.command("list")
def list_() -> None:
    """List all keys, without their secrets."""
    rows = [
        (
            key.id,
            key.owner,
            key.name,
            " ".join(sorted(key.scopes)),
            _day(key.created),
            _end(key),
            _day(key.last_used),
        )
        for key in list_keys(ledger_client())
    ]
    Console().print(listing(("id", "owner", "name", "scopes", "created", "expires", "last used"), rows))


@keys.command()
@click.argument("key_id")
@click.option(
    "--overlap",
    type=Duration(),
    default=OVERLAP,
    show_default="1d",
    help="Time that the old key remains valid: 0 to 30d.",
)
@click.option("--expires-in", type=Duration(), help="Time until the new key ends. Default: as long as the old one had.")
def rotate(key_id: str, overlap: int, expires_in: int | None) -> None:
    """Replace the key KEY_ID (key_...) by a new one, and print it. It is shown only once.

    The new key has the same owner, name, scopes and limits.
    """
    click.echo(rotate_key(ledger_client(), key_id, overlap=overlap, expires_in=expires_in))


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID (key_...) at once."""
    revoke_key(ledger_client(), key_id)
    click.echo(f"Revoked {key_id}.")


def _day(moment: float | None) -> str:
    return "" if moment is None else time.strftime("%Y-%m-%d", time.localtime(moment))


def _end(key: ApiKey) -> str:
    if key.expires is None:
        return ""
    return "expired" if key.expires <= time.time() else time.strftime("%Y-%m-%d %H:%M", time.localtime(key.expires))
