"""A job's events as they happen, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeAlias

from api.job_views import eta, job_view
from api.streaming.streams import Outage, Reader, StreamCut
from core import ids
from core.errors import FieldError, InvalidRequest, LedgerUnavailable
from core.names import JobState
from pipelines.connections import Connections
from storage.ledger.events import Event, events_of
from storage.ledger.records import Job

#: Seconds between two looks at a job, and between two signs of life.
_GAP, _KEEP_ALIVE = 0.5, 15.0

#: Milliseconds that a client waits before it comes back.
_RETRY = 2000

#: Creates a request context, which is needed for links in the view of a job.
Requested: TypeAlias = Callable[[], AbstractContextManager[Any]]


def read_event_id(job: Job, given: str) -> tuple[int, int]:
    """Generation and sequence number of the client's last event; (0, 0) if it has none.

    Raises `InvalidRequest` (``invalid_event_id``) if ``given`` was never the id of an event of this job.
    """
    if not given:
        return 0, 0
    known = re.fullmatch(ids.EVENT_ID, given)
    name, generation, sequence = given.split(":") if known else ("", "0", "0")
    if name != job.id or int(generation) > job.generation:
        detail = "The value is not the id of an event of this job."
        fields = [FieldError("Last-Event-ID", "invalid_event_id", detail)]
        raise InvalidRequest(f"Last-Event-ID: {detail}", code="invalid_event_id", fields=fields)
    return int(generation), int(sequence)


def all_events(job: Job) -> tuple[Event, ...]:
    """The events of the job's current generation. If only the job's record exists, only its last event is known."""
    events = events_of(job)
    if not events and job.state is JobState.SUCCEEDED:
        return events_of(replace(job, log="s"))
    return events


def is_told(job: Job, last: tuple[int, int]) -> bool:
    """Whether a client that has the event ``last`` has the end of the job: there is nothing more to come."""
    return job.state.ended and last[0] == job.generation and last[1] >= len(all_events(job))


def follow_events(
    ctx: Connections, requested: Requested, job: Job, last: tuple[int, int], reader: Reader
) -> Generator[bytes, None, None]:
    """All events after ``last``, until the end of the job.

    Ends early, without an error, if the client should reconnect: when the process ends, when the stream reaches its
    maximum duration, or when the ledger is unavailable for too long. Also ends if the job is deleted.
    """
    yield f"retry: {_RETRY}\n\n".encode()
    try:
        yield from _messages(ctx, job, _Following(last, requested), reader)
    except (StreamCut, LedgerUnavailable):
        return


def _messages(ctx: Connections, job: Job, following: _Following, reader: Reader) -> Iterator[bytes]:
    outage = Outage()
    found: Job | None = job
    spoke = time.monotonic()
    while found is not None:
        try:
            news = following.news(found)
            if not news and time.monotonic() - spoke >= _KEEP_ALIVE:
                news = [b": keep-alive\n\n"]
            yield from news
            if found.state.ended:
                return
            spoke = time.monotonic() if news else spoke
            reader.wait(_GAP)
            found = ctx.ledger.get(job.id)
            if found is not None and found.origin != job.origin:
                return  # this one was deleted, and another has its id
            outage.recovered()
        except LedgerUnavailable as error:
            outage.failed(error)
            reader.wait(_GAP)


class _Following:
    """The events that one client has received."""

    def __init__(self, last: tuple[int, int], requested: Requested) -> None:
        self._requested = requested
        self._generation, self._sequence = last
        self._progress: tuple[int, int] | None = None
        self._first = True

    def news(self, job: Job) -> list[bytes]:
        """Events that the client has not received. If this fails, the next call returns them."""
        known = self._sequence if job.generation == self._generation else 0
        events = [event for event in all_events(job) if event.sequence > known]
        progress = (job.done, job.total)
        with self._requested():
            told = [_message(event.type, _data(job, event), event.id) for event in events]
            # Progress comes before the last event, which closes the stream, and is omitted if the job has ended.
            if job.total and progress != self._progress and not (self._first and job.state.ended):
                told.insert(0, _message("progress", {"done": job.done, "total": job.total, "eta": eta(job)}))
        self._generation, self._sequence = job.generation, events[-1].sequence if events else known
        self._progress, self._first = progress, False
        return told


def _data(job: Job, event: Event) -> Mapping[str, Any]:
    if event.step is None:
        return job_view(job)
    # The state at this event; later changes have their own events.
    return {"name": event.step.name, "model": event.step.model, "state": event.type.removeprefix("step.")}


def _message(kind: str, data: Mapping[str, Any], event_id: str | None = None) -> bytes:
    lines = [f"event: {kind}", f"data: {json.dumps(data, separators=(',', ':'))}"]
    return "\n".join([*([f"id: {event_id}"] if event_id else []), *lines, "", ""]).encode()
