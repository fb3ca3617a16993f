"""The cache of weights, as commands use it: with a progress bar for each download."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column

if TYPE_CHECKING:
    from models.base import WeightsFile
    from models.weights import WeightsCache


def weights_cache(on_progress: Callable[[str, int, int | None], None] | None = None) -> WeightsCache:
    """The cache of ``CHORUS_CACHE``."""
    from core.settings import load_settings
    from models.weights import WeightsCache

    settings = load_settings()

    def s3() -> Any:
        from storage.objects.objects import Objects

        return Objects(settings).client

    return WeightsCache(settings.cache, s3=s3, on_progress=on_progress)


@contextmanager
def fetching(console: Console) -> Iterator[WeightsCache]:
    """A cache that shows a progress bar for each file that it downloads."""
    whole = Column(no_wrap=True)
    progress = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=12),
        DownloadColumn(table_column=whole),
        TransferSpeedColumn(table_column=whole),
        console=console,
        expand=True,
    )
    bars: dict[str, TaskID] = {}

    def show(label: str, done: int, total: int | None) -> None:
        progress.start()  # not before there is something to show
        if label not in bars:
            bars[label] = progress.add_task(label, total=total)
        progress.update(bars[label], completed=done, total=total)

    try:
        yield weights_cache(show)
    finally:
        if bars:
            progress.stop()


def size_of(cache: WeightsCache, file: WeightsFile) -> int | None:
    """The bytes of a file: in the cache, or as its entry states them."""
    return cache.place(file).stat().st_size if cache.status(file) == "present" else file.bytes


def state_of(cache: WeightsCache, files: list[WeightsFile]) -> str:
    """Whether files are in the cache: ``present``, ``missing`` or ``2 missing``."""
    missing = sum(cache.status(file) == "missing" for file in files)
    if not missing:
        return "present"
    return "missing" if missing == len(files) else f"{missing} missing"


def origin_of(files: list[WeightsFile]) -> str:
    """Where files come from, briefly: ``pypi:silero-vad``, ``hf:rhasspy/piper-voices`` and how many others."""
    sources = [part.source for file in files for part in file.parts]
    found = list(dict.fromkeys(_short(source) for source in sources))
    return f"{found[0]} +{len(found) - 1}" if len(found) > 1 else found[0] if found else ""


def _short(source: str) -> str:
    """A source without its version; of a folder its name."""
    kind, _, rest = source.partition(":")
    if kind == "file":
        return f"file:…/{rest.rstrip('/').rsplit('/', 1)[-1]}"
    return f"{kind}:{rest.split('==')[0].split('@')[0]}"
