"""Progress bars: one line of 80 columns, full at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from chorus_client import Job
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar. Yields a function ``(description, done, total)``; a total of 0 means unknown."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("queued", total=None, count="")

        def show(description: str, done: int, total: int) -> None:
            count = f"{done}/{total}" if total else ""
            bars.update(bar, description=description, completed=done, total=total or None, count=count)

        yield show


def counts(job: Job) -> tuple[int, int]:
    """How much of a job is done, and the total: in utterances, or in steps if it has no utterances."""
    if job.progress.total:
        return job.progress.done, job.progress.total
    return sum(step.state == "done" for step in job.steps), len(job.steps)
