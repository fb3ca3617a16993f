"""The first stage: the work of arrived items from the ledger, and the artifacts that it needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from core.errors import ChorusError, InternalError, Poisoned, Unavailable
from core.names import Role
from core.work import WHOLE_JOB
from storage.ledger.ledger import Ledger
from storage.ledger.records import Outcome, Work
from workers.microbatch.entries import Entry, Served
from workers.microbatch.suspects import Verdict
from workers.retry import as_chorus_error, retry_until_available
from workers.steps.base import ModelStep, Stored

log = logging.getLogger(__name__)


class Loader:
    """Takes entries' work and loads it.

    Each call waits until Redis and the storage are available. Raises `Unavailable` where this worker stops before."""

    def __init__(
        self,
        ledger: Ledger,
        served: Mapping[str, Served],
        steps: Mapping[Role, ModelStep],
        io: Executor,
        stopping: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._served = served
        self._steps = steps
        self._io = io
        self._stopping = stopping

    def take(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        """The entries that are wanted, with their work, and those that are not."""
        works = retry_until_available(lambda: self._works(entries), self._stopping)
        wanted, unwanted = [], []
        for entry, work in zip(entries, works, strict=True):
            if work is None:
                unwanted.append(entry)
                continue
            entry.work = work
            entry.role = self._role(entry)
            wanted.append(entry)
        return wanted, unwanted

    def load(self, entries: Sequence[Entry]) -> list[Stored | ChorusError | None]:
        """For each entry None, where it is ready to run, or what ends it: its work is done already, or it failed."""
        if len(entries) > 1:
            return list(self._io.map(self._load_one, entries))
        return [*map(self._load_one, entries)]

    def _works(self, entries: Sequence[Entry]) -> list[Work | None]:
        found: dict[int, Work | None] = {}
        for station in {entry.station for entry in entries}:
            of_station = [entry for entry in entries if entry.station == station]
            works = self._ledger.take(station, [entry.ref for entry in of_station])
            found.update((id(entry), work) for entry, work in zip(of_station, works, strict=True))
        if None in found.values():
            self._ledger.release({entry.station for entry in entries})
        return [found[id(entry)] for entry in entries]

    def _role(self, entry: Entry) -> Role:
        """What the step is to do: a model may serve more than its family's own role."""
        if entry.ref.index == WHOLE_JOB:
            return entry.work.plan.steps[entry.ref.step].role
        return self._served[entry.station].model.spec.role

    def _load_one(self, entry: Entry) -> Stored | ChorusError | None:
        model = self._served[entry.station].model
        if entry.judged()[0] is Verdict.POISONED:
            return Poisoned(step=entry.role.value)
        try:
            loaded = retry_until_available(lambda: self._steps[entry.role].load(model.spec, entry.work), self._stopping)
            if isinstance(loaded, Stored):
                return loaded
            entry.item = loaded
            entry.cost = max(1, model.cost(loaded))
        except Unavailable:
            raise
        except Exception as error:
            if not isinstance(error, ChorusError):
                log.exception("Loading %s failed", entry.ref)
            return as_chorus_error(error, InternalError, entry.role.value)
        return None


def due_and_early(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry], list[Outcome]]:
    """The entries to load now, and the suspects whose next try is not due, with an outcome each.

    These wait in the ledger, and others run."""
    due, early, outcomes = [], [], []
    for entry in entries:
        verdict, seconds = entry.judged()
        if verdict is Verdict.WAIT:
            early.append(entry)
            outcomes.append(Outcome(ref=entry.ref, station=entry.station, again_in=seconds))
        else:
            due.append(entry)
    return due, early, outcomes
