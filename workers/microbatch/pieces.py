"""Long work in pieces: between two of them its clock begins anew, a stop is followed, and short work goes first.

A model calls `Pieces.between` (as its ``pause``) between the pieces of a long item. So hours of a recording need no
longer `ModelSpec.batch_timeout`, and a recording of seconds never waits for more than one piece of another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.errors import Unavailable


@dataclass(slots=True)
class Run:
    """A micro-batch while it runs."""

    model: str
    timeout: float  #: seconds that it, or each of its pieces, may take
    yields_to: int  #: cost of an item of the same model that may go first, at most
    alone: bool  #: it is under suspicion: nothing runs beside it
    began: float
    piece_began: float
    elsewhere: float = 0.0  #: seconds that others took between its pieces


class Pieces:
    """What runs in a process's one slot.

    ``others(model, cost)`` runs a short micro-batch that waits, of another model, or of that model where no item costs
    more than ``cost``; it is called in the midst of a run, and not again within that."""

    def __init__(self, stopping: threading.Event, others: Callable[[str, int], None]) -> None:
        self._stopping = stopping
        self._others = others
        self._runs: list[Run] = []

    @property
    def overdue(self) -> bool:
        """Whether the present piece has run longer than its model may."""
        runs = self._runs[-1:]
        return any(time.monotonic() - run.piece_began > run.timeout for run in runs)

    @contextmanager
    def running(self, model: str, timeout: float, *, yields_to: int, alone: bool) -> Iterator[Run]:
        """While a micro-batch runs."""
        now = time.monotonic()
        run = Run(model, timeout, yields_to, alone, now, now)
        self._runs = [*self._runs, run]
        try:
            yield run
        finally:
            self._runs = self._runs[:-1]
            if self._runs:
                self._runs[-1].piece_began = time.monotonic()

    def between(self) -> None:
        """Between two pieces of what runs. Raises `Unavailable` where this worker stops."""
        if not self._runs:
            return
        if self._stopping.is_set():
            raise Unavailable("This worker is stopping.")
        run = self._runs[-1]
        if len(self._runs) == 1 and not run.alone:
            left = time.monotonic()
            self._others(run.model, run.yields_to)
            run.elsewhere += time.monotonic() - left
        run.piece_began = time.monotonic()

    @staticmethod
    def seconds(run: Run) -> float:
        """What a run itself has taken so far."""
        return time.monotonic() - run.began - run.elsewhere
