"""Long work in pieces: between two pieces its time limit restarts, a stop takes effect, and short items run first.

A model calls `Pieces.between` (as its ``pause``) between the pieces of a long item. So a recording of hours needs no
longer `ModelSpec.batch_timeout`, and one of seconds never waits for more than one piece of another.
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
    """The work in a process's one slot.

    ``others(model, cost)`` runs a waiting short micro-batch, of another model, or of the same model if no item costs
    more than ``cost``. It is called during a run, and not again inside that call.
    """

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
        """The seconds that a run itself has taken so far."""
        return time.monotonic() - run.began - run.elsewhere
