"""``chorus weights``: fetch, list and check model weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

if TYPE_CHECKING:
    from models.base import ModelSpec
    from models.weights import WeightsCache


@click.group()
def weights() -> None:
    """Fetch, list and check model weights.

    They are kept below CHORUS_CACHE (default ~/.cache/chorus) and named after their sha256.
    """


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def pull(models: Sequence[str]) -> None:
    """Fetch the weights of each MODEL, or of all of models.yaml."""
    pull_models(models, Console())


@weights.command("list")
def list_() -> None:
    """List all weights: where they come from, and whether they are here."""
    cache = _cache()
    table = Table()
    for title in ("model", "file", "size", "source", "state", "licence"):
        # Whatever is cut off would have to be copied from here.
        table.add_column(title, overflow="fold", justify="right" if title == "size" else "left")
    for spec in _chosen(()):
        for file in spec.weights.values():
            state = cache.status(file)
            size = f"{cache.place(file).stat().st_size / 1e6:.1f} MB" if state == "present" else ""
            sources = ", ".join(dict.fromkeys(part.source for part in file.parts))
            table.add_row(spec.name, file.name, size, sources, state, spec.licence)
    Console().print(table)


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.pass_context
def check(ctx: click.Context, models: Sequence[str]) -> None:
    """Read the weights of each MODEL, or all that are here, and compare their sha256.

    Ends with 1 where one is wrong, or is missing of a MODEL that was named.
    """
    cache, wrong = _cache(), 0
    for spec in _chosen(models):
        for file in spec.weights.values():
            missing = cache.status(file) == "missing"
            fine = missing or cache.check(file)
            wrong += not fine or (missing and bool(models))
            click.echo(f"{'missing' if missing else 'ok' if fine else 'WRONG'}  {spec.name}/{file.name}")
            if not fine:
                click.echo(f"       delete {cache.place(file)} and pull again", err=True)
    ctx.exit(1 if wrong else 0)


def pull_models(models: Sequence[str], console: Console) -> None:
    """Fetch the weights of ``models`` (all where empty) with a progress bar; what is there already is quick.

    Raises `core.errors.InvalidRequest` for an unknown model, `core.errors.WeightsError` where one fails."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    specs = _chosen(models)
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def show(label: str, done: int, total: int | None) -> None:
            if label not in bars:
                bars[label] = progress.add_task(label, total=total)
            progress.update(bars[label], completed=done, total=total)

        cache = _cache(show)
        missing = [(s, f) for s in specs for f in s.weights.values() if cache.status(f) == "missing"]
        with cache.kept_wheels():
            for spec, file in missing:
                cache.path(spec.name, file)
    names = ", ".join(spec.name for spec in specs)
    console.print(f"{names}: {len(missing)} files fetched." if missing else f"{names}: all weights are here.")


def _chosen(names: Iterable[str]) -> list[ModelSpec]:
    """Models by name, or all. Raises `core.errors.InvalidRequest` that lists those there are."""
    from models.catalog import load_catalog

    catalog = load_catalog()
    return [catalog.get(name) for name in dict.fromkeys(names)] or list(catalog.models.values())


def _cache(on_progress: Any = None) -> WeightsCache:
    from core.settings import load_settings
    from models.weights import WeightsCache

    settings = load_settings()

    def s3() -> Any:
        from storage.objects import Objects

        return Objects(settings).client

    return WeightsCache(settings.cache, s3=s3, on_progress=on_progress)
