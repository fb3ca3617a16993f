"""``python -m tests.chaos``: the chaos harness as a program; its exit code is 1 where anything was lost."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from tests.chaos.harness import Options, run
from tests.chaos.memory import render_many


@contextlib.contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="chorus-chaos-") as folder:
        yield Path(folder) / "home"


@click.command()
@click.option("--jobs", default=2000, show_default=True, help="Jobs of three steps.")
@click.option("--kills", default=200, show_default=True, help="SIGKILLs of random workers.")
@click.option("--redis-kills", default=5, show_default=True, help="SIGKILLs of Redis.")
@click.option("--s3-stops", default=2, show_default=True, help="Times that the storage is away for ten seconds.")
@click.option("--stops", default=4, show_default=True, help="SIGSTOPs of a worker or the reaper, for 20 seconds.")
@click.option("--half-open", default=4, show_default=True, help="Times that open connections lead nowhere.")
@click.option("--survivors", default=1, show_default=True, help="Workers of a kind that are left to serve.")
@click.option("--seed", default=1, show_default=True, help="What goes wrong, and when, follows from it.")
@click.option("--gap", default=1.5, show_default=True, help="Mean seconds between kills.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Keep data and logs there.")
@click.option("--memory", default=0, metavar="N", help="Instead: render N utterances on one worker and watch it grow.")
def main(
    jobs: int,
    kills: int,
    redis_kills: int,
    s3_stops: int,
    stops: int,
    half_open: int,
    survivors: int,
    seed: int,
    gap: float,
    home: Path | None,
    memory: int,
) -> None:
    """Run jobs through a stack whose processes die. It ends with exit code 1 where that shows."""
    with _folder(home) as folder:
        if memory:
            grown = render_many(folder, memory)
            click.echo(grown.text())
            sys.exit(0 if grown.passed else 1)
        options = Options(
            jobs=jobs,
            kills=kills,
            redis_kills=redis_kills,
            s3_stops=s3_stops,
            stops=stops,
            half_open=half_open,
            survivors=survivors,
            seed=seed,
            gap=gap,
        )
        report = run(options, folder, click.echo)
    click.echo(report.text())
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
