"""``chorus weights``: download, list and check model weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from cli.tables import listing

if TYPE_CHECKING:
    from models.base import ModelSpec, WeightsFile
    from models.weights import WeightsCache


@click.group()
def weights() -> None:
    """Download, list and check model weights.

    They are stored under CHORUS_CACHE (default ~/.cache/chorus) and named after their sha256.
    """


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def pull(models: Sequence[str]) -> None:
    """Download the weights of each MODEL (default: all)."""
    pull_models(models, Console())


@weights.command("list")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def list_(models: Sequence[str]) -> None:
    """List models, or the weights files of each MODEL."""
    cache = _cache()
    if not models:
        rows = [_row(spec, cache) for spec in _chosen(())]
        Console().print(listing(("model", "files", "size", "state", "licence"), rows))
        return
    for spec in _chosen(models):
        for file in spec.weights.values():
            sources = ", ".join(dict.fromkeys(part.source for part in file.parts))
            size = f"{_bytes(cache, file) / 1e6:.1f} MB, " if cache.status(file) == "present" else ""
            click.echo(f"{spec.name}/{file.name}: {size}{cache.status(file)}\n  {sources}\n  sha256 {file.sha256}")


def _row(spec: ModelSpec, cache: WeightsCache) -> tuple[str, ...]:
    files = list(spec.weights.values())
    here = [file for file in files if cache.status(file) == "present"]
    state = "present" if len(here) == len(files) else f"{len(files) - len(here)} missing" if here else "missing"
    size = f"{sum(_bytes(cache, file) for file in here) / 1e6:.1f} MB" if here else ""
    return spec.name, str(len(files)), size, state, spec.licence


def _bytes(cache: WeightsCache, file: WeightsFile) -> int:
    return cache.place(file).stat().st_size


@weights.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.pass_context
def check(ctx: click.Context, models: Sequence[str]) -> None:
    """Verify the sha256 of each MODEL's weights (default: all present).

    The exit code is 1 if a file is wrong, or if a file of a named MODEL is missing.
    """
    cache, wrong = _cache(), 0
    for spec in _chosen(models):
        for file in spec.weights.values():
            missing = cache.status(file) == "missing"
            fine = missing or cache.check(file)
            wrong += not fine or (missing and bool(models))
            click.echo(f"{'missing' if missing else 'ok' if fine else 'WRONG'}  {spec.name}/{file.name}")
            if not fine:
                click.echo(f"       Delete {cache.place(file)} and run 'chorus weights pull' again.", err=True)
    ctx.exit(1 if wrong else 0)


def pull_models(models: Sequence[str], console: Console) -> None:
    """Download the weights of ``models`` (default: all) with a progress bar. Files that are present are skipped.

    Raises `core.errors.InvalidRequest` for an unknown model, `core.errors.WeightsError` if a download fails."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=12), DownloadColumn(), TransferSpeedColumn())
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
    console.print(f"{names}: Downloaded {len(missing)} files." if missing else f"{names}: all weights are present.")


def _chosen(names: Iterable[str]) -> list[ModelSpec]:
    """Models by name, or all. Raises `core.errors.InvalidRequest` that lists the known ones."""
    from models.catalog import load_catalog

    catalog = load_catalog()
    return [catalog.get(name) for name in dict.fromkeys(names)] or list(catalog.models.values())


def _cache(on_progress: Any = None) -> WeightsCache:
    from core.settings import load_settings
    from models.weights import WeightsCache

    settings = load_settings()

    def s3() -> Any:
        from storage.objects.objects import Objects

        return Objects(settings).client

    return WeightsCache(settings.cache, s3=s3, on_progress=on_progress)
