"""The types of the ledger's arguments and results: jobs, their steps, the work of items, and how items ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.errors import ChorusError
from core.names import JobState, Priority, StepState
from core.work import ItemRef, Plan, UtteranceWork
from storage.access.charge import Charge
from storage.ledger.documents import JobDocument
from storage.ledger.outputs import StepOutputs

#: Of items that have none: utterances, as a rule. Made once, since there are thousands of these.
NO_DOCUMENT, NO_PLAN, NO_OUTPUTS = JobDocument(owner="", pipeline=""), Plan(()), StepOutputs()


@dataclass(frozen=True, slots=True)
class Hook:
    """The only webhook notified of a job: an endpoint's id; or a URL of its own, a name for it and its event types."""

    asked: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as the API hands it over."""

    id: str
    owner: str
    priority: Priority
    plan: Plan
    document: JobDocument
    text: str | None = None  #: kept beside the document until the job has succeeded
    deadline: float  #: seconds from now
    keep: float  #: seconds that the results are kept once it has ended
    silence: bool = False  #: a failed utterance becomes silence instead of failing the job
    load: int = 1  #: utterances it may come to, as far as its text tells
    listed: bool = True  #: whether it shows up among its owner's jobs (or batches)
    hook: Hook | None = None  #: None: every endpoint of its owner's that asks for it
    batch: ItemRef | None = None  #: the batch whose job it is, and the generation that makes it
    items: int | None = None  #: of a batch
    charge: Charge | None = None  #: None: what no key or owner is charged for, and the jobs of a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of a job; times are Unix seconds."""

    name: str
    model: str | None
    state: StepState
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job in the ledger at one moment; times are Unix seconds."""

    id: str
    owner: str
    state: JobState
    generation: int  #: the present one; unique in time, and higher with every retry
    priority: Priority
    created: float
    started: float | None
    ended: float | None
    deadline: float
    expires: float | None
    plan: Plan
    document: JobDocument
    steps: tuple[StepRecord, ...]
    step: int
    done: int  #: utterances rendered
    total: int  #: utterances so far: all of them unless ``preparing``
    preparing: bool = False  #: whether more utterances may follow
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()  #: what was left out of its text
    retention: float = 0.0  #: seconds that its results are kept once it has ended
    batch: str | None = None  #: the batch whose job it is
    load: int = 0  #: unfinished utterances that it counts for
    hook_url: str | None = None  #: the URL of its own that is notified
    log: str = ""  #: its state changes in order, a word each: see `storage.ledger.events`
    origin: int = 0  #: its first generation: where this is another one, it is another job of the same id


class UtteranceState(StrEnum):
    """How an utterance ended, as its letter in the ledger (``AT_DONE`` in ``lua/items.lua``)."""

    RENDERED = "Z"
    FAILED = "X"


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceStatus:
    """The status of one utterance and of its job. The ledger deletes the utterances of a job when it ends."""

    job_state: JobState
    generation: int
    silence: bool  #: whether silence stands for an utterance that failed
    utterance: UtteranceState | None  #: None while it is on its way


@dataclass(frozen=True, slots=True)
class Work:
    """What an item needs: an ``utterance``, the ``stage`` that it is at and the ``inputs`` that all utterances share;
    or the whole job's ``document`` and the ``outputs`` of the steps before it."""

    utterance: UtteranceWork | None = None
    stage: int = 0  #: of the utterance's stages, from 0
    inputs: tuple[str | None, ...] = ()  #: values of the plan step's ``inputs``, such as an embedding's object name
    document: JobDocument = NO_DOCUMENT
    plan: Plan = NO_PLAN
    outputs: StepOutputs = NO_OUTPUTS
    starts: int = 0  #: runs that began and were never recorded
    starts_alone: int = 0  #: those in which the item was alone
    last_start: float = 0.0  #: when the last of them began, Unix seconds; 0 where there was none


def failure(error: ChorusError, source: tuple[int, int, int] | None = None) -> dict[str, Any]:
    """An error as the ledger keeps it; ``source``: the place of an utterance in the text, as `UtteranceWork.source`."""
    place = {} if source is None else dict(zip(("chapter", "start", "end"), source, strict=True))
    return {**error.to_dict(), **place}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one item ended: with ``error``, or with its ``outputs`` (job items) or ``result`` (last step)."""

    ref: ItemRef
    station: str
    error: ChorusError | None = None
    outputs: StepOutputs = NO_OUTPUTS
    result: Mapping[str, Any] | None = None
    plan: Plan | None = None  #: where this step decided how the ones behind it are done
    source: tuple[int, int, int] | None = None  #: the chapter and characters of an utterance that failed
    again_in: float | None = None  #: seconds after which an item that failed is tried again; without ``error``,
    # the next run of a suspect, which keeps its marks, or of what has no turn yet
    laid: tuple[int, int] | None = None  #: of a step that lays utterances down: from which, and how many there are now
    more: bool = False  #: only a portion of the text is prepared: the item is to run again for the next
    back: bool = False  #: what the stage before this one rendered is gone: the utterance goes back to it

    @property
    def _kind(self) -> str:
        if self.back:
            return "back"
        if self.more:
            return "more"
        if self.again_in is None:
            return "failed" if self.error else "done"
        return "again" if self.error else "later"

    def packed(self) -> list[Any]:
        flat = [] if self.outputs is NO_OUTPUTS else [part for pair in self.outputs.packed().items() for part in pair]
        document = failure(self.error, self.source) if self.error else self.result
        return [
            *(self.ref.job, self.ref.generation, self.ref.step, self.ref.index, self.station),
            self._kind,
            json.dumps(document) if document is not None else None,
            flat,
            None if self.plan is None else str(self.plan),
            self.again_in,
            *(self.laid or (None, None)),
            self._generated,
        ]

    @property
    def _generated(self) -> int:
        """Milliseconds of audio in the result."""
        audio = (self.result or {}).get("audio")
        return round(1000 * audio.get("duration", 0.0)) if isinstance(audio, Mapping) else 0
