"""``chorus sweep``: delete unused objects."""

from __future__ import annotations

import click
from rich.console import Console

from cli.connection import stack_settings
from cli.tables import listing


@click.command()
@click.option("--older-than", type=click.FloatRange(0), default=86_400.0, show_default=True, metavar="SECONDS",
              help="Keep objects younger than this: they may belong to running work.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only count the objects.")
def sweep(older_than: float, dry_run: bool) -> None:
    """Delete objects that no job, voice or upload uses.

    The reaper does the same every hour (CHORUS_SWEEP_INTERVAL). Uses the ledger and storage of CHORUS_REDIS_URL and
    CHORUS_S3_*, or else those of 'chorus up'.
    """
    from pipelines.connections import Connections
    from workers.upkeep.sweep import Sweep

    swept = Sweep(Connections.connect(stack_settings()), older_than, delete=not dry_run).run()
    rows = [(kind, str(count)) for kind, count in sorted(swept.orphans.items())]
    if not dry_run:
        rows.append(("unfinished uploads", str(swept.uploads)))
    console = Console()
    console.print(f"{swept.looked_at} objects checked")
    console.print(listing(("kind", "would be deleted" if dry_run else "deleted"), rows))
