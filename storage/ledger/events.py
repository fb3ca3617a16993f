"""A job's events, in order, read from the log in its record.

The log is written by the same Lua call as the change that it records (``note`` in ``lua/jobs.lua``), one word per
change. So no change is without its event, and an event needs no key of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.names import EventType
from storage.ledger.records import Job, StepRecord

_JOB = {
    "q": EventType.JOB_QUEUED.value,
    "r": EventType.JOB_RUNNING.value,
    "s": EventType.JOB_SUCCEEDED.value,
    "f": EventType.JOB_FAILED.value,
    "c": EventType.JOB_CANCELED.value,
}
_STEP = {"+": "step.running", "-": "step.done", "!": "step.failed"}


@dataclass(frozen=True, slots=True)
class Event:
    """One change: ``id`` is ``{job}:{generation}:{sequence}``; ``sequence`` counts from 1 in each generation."""

    id: str
    sequence: int
    generation: int
    type: str
    at: float | None  #: Unix seconds, None where it is not kept
    step: StepRecord | None = None  #: of a step's event


def events_of(job: Job) -> tuple[Event, ...]:
    """The events of the job's present generation, oldest first."""
    return tuple(_event(job, number, word) for number, word in enumerate(job.log.split(), 1))


def _event(job: Job, sequence: int, word: str) -> Event:
    kind, at, step = EventType.BATCH_COMPLETED.value, job.ended, None
    if word in _JOB:
        kind = _JOB[word]
        at = {"q": job.created, "r": job.started}.get(word, job.ended)
    elif word[-1] in _STEP:
        kind, step = _STEP[word[-1]], job.steps[int(word[:-1])]
        at = step.started if word[-1] == "+" else step.ended
    return Event(f"{job.id}:{job.generation}:{sequence}", sequence, job.generation, kind, at, step)
