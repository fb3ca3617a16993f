"""``chorus sweep``: what lies in storage and nobody needs."""

from __future__ import annotations

import click
from rich.console import Console

from cli.connection import stack_settings
from cli.tables import listing


@click.command()
@click.option("--older-than", type=click.FloatRange(0), default=86_400.0, show_default=True, metavar="SECONDS",
              help="Leave alone what is younger: it may belong to work in progress.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only count.")
def sweep(older_than: float, dry_run: bool) -> None:
    """Delete objects that no job, voice or upload needs.

    A reaper does the same every hour (CHORUS_SWEEP_INTERVAL). Ledger and storage are those of CHORUS_REDIS_URL and
    CHORUS_S3_*, else those of 'chorus up'.
    """
    from pipelines.connections import Connections
    from workers.upkeep.sweep import Sweep

    swept = Sweep(Connections.connect(stack_settings()), older_than, delete=not dry_run).run()
    rows = [(kind, str(count)) for kind, count in sorted(swept.orphans.items())]
    if not dry_run:
        rows.append(("unfinished uploads", str(swept.uploads)))
    console = Console()
    console.print(f"{swept.looked_at} objects looked at")
    console.print(listing(("kind", "would be deleted" if dry_run else "deleted"), rows))
