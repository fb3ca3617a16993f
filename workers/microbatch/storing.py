"""The third stage: what the model gave goes into the storage; and what each item's end is to the ledger."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from core.errors import ChorusError, InternalError, ModelFailed, Unavailable
from core.names import Role
from core.work import WHOLE_JOB
from models.base import Output
from storage.ledger.records import Outcome
from storage.metrics import Count
from workers.microbatch.entries import Entry, Finished, Served
from workers.retry import as_chorus_error, failed, retry_until_available
from workers.steps.base import ModelStep, SourceMissing, Stored

log = logging.getLogger(__name__)


class Storer:
    """Stores outputs.

    A call waits until the storage is available. Raises `Unavailable` where this worker stops before."""

    def __init__(self, steps: Mapping[Role, ModelStep], io: Executor, stopping: threading.Event) -> None:
        self._steps = steps
        self._io = io
        self._stopping = stopping

    def store(self, finished: Finished) -> list[Stored | ChorusError]:
        """What became of each entry of a micro-batch, in order."""
        pairs = zip(finished.entries, finished.outputs, strict=True)
        return list(self._io.map(lambda pair: self._store_one(finished.served, *pair), pairs))

    def _store_one(self, served: Served, entry: Entry, output: Output | ChorusError) -> Stored | ChorusError:
        role, spec = entry.role.value, served.model.spec
        if isinstance(output, ChorusError):
            return as_chorus_error(output, ModelFailed, role)
        step = self._steps[entry.role]
        try:
            return retry_until_available(lambda: step.store(spec, entry.work, entry.item, output), self._stopping)
        except Unavailable:
            raise
        except Exception as error:
            if not isinstance(error, ChorusError):
                log.exception("Storing %s failed", entry.ref)
            return as_chorus_error(error, InternalError, role)


def outcome_of(entry: Entry, stored: Stored | ChorusError) -> Outcome:
    """What the ledger records of an entry that has ended."""
    source = None if entry.work.utterance is None else entry.work.utterance.source
    if isinstance(stored, SourceMissing):
        return Outcome(ref=entry.ref, station=entry.station, error=stored, back=True, source=source)
    if isinstance(stored, ChorusError):
        return failed(entry.ref, entry.station, stored, source)
    if entry.ref.index != WHOLE_JOB:
        return Outcome(ref=entry.ref, station=entry.station)
    result = stored.result if entry.ref.step == len(entry.work.plan.steps) - 1 else None
    return Outcome(ref=entry.ref, station=entry.station, outputs=stored.outputs, result=result, plan=stored.plan)


def counts_of(finished: Finished, stored: Sequence[Stored | ChorusError], busy_seconds: float) -> list[Count]:
    """What the metrics count of a micro-batch; ``busy_seconds``: of the process, since the one before."""
    name = (finished.served.model.spec.name,)
    return [
        ("chorus_microbatches_total", name, 1.0),
        ("chorus_microbatch_items_total", name, float(len(stored))),
        ("chorus_run_seconds_total", name, finished.run_seconds),
        ("chorus_busy_seconds_total", name, busy_seconds),
        ("chorus_audio_seconds_total", name, sum(s.seconds for s in stored if isinstance(s, Stored))),
    ]
