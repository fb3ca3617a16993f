"""The body of a webhook: the event's type and time, and the job or batch without texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core import ids
from core.errors import NotFound
from core.names import TEST_EVENT, JobState
from pipelines.connections import Connections
from schemas.views import Views, rfc3339
from storage.ledger.records import Job
from storage.webhooks.deliveries import Delivery

#: Bytes that a body may have (Standard Webhooks: below 20 kB).
MOST = 20_000

#: Fields of a job that are left out if the body is too large, in this order; receivers can poll for them.
_LARGE: Sequence[tuple[str, ...]] = (
    ("result", "segments"),
    ("result", "embedding"),
    ("errors",),
    ("steps",),
    ("result", "timestamps"),
    ("metadata",),
    ("error",),
)


def body_of(connections: Connections, delivery: Delivery) -> bytes:
    """The body of a delivery, created for each attempt, so that its links are fresh."""
    views = Views(connections.settings.public_url, connections.objects)
    return pack(delivery, _data(connections, views, delivery))


def pack(delivery: Delivery, data: dict[str, Any]) -> bytes:
    """The body as JSON, below `MOST` bytes; ``omitted`` names the fields that were left out."""
    event = {
        "type": delivery.type,
        "timestamp": rfc3339(delivery.at),
        "sequence": delivery.sequence,
        "data": data,
    }
    omitted = _without(data, ("result", "transcript"))
    for path in _LARGE:
        body = _json(event, omitted)
        if len(body) < MOST:
            return body
        omitted += _without(data, path)
    return _json(event, omitted)


def _json(event: dict[str, Any], omitted: list[str]) -> bytes:
    whole = {**event, "omitted": omitted} if omitted else event
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _without(data: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    """Remove a field from ``data`` if it exists; return its name."""
    *above, last = path
    for name in above:
        data = data.get(name) or {}
    if not data.get(last):
        return []
    data[last] = {} if last == "metadata" else [] if isinstance(data[last], list) and not above else None
    return [".".join(path)]


def _data(connections: Connections, views: Views, delivery: Delivery) -> dict[str, Any]:
    if delivery.type == TEST_EVENT:
        return {"message": "This is a test."}
    if ids.BATCH.begins(delivery.job):
        try:
            batch = connections.batches.get(delivery.owner, delivery.job)
            return {**views.batch(batch)}
        except NotFound:
            return {"id": delivery.job, "state": "completed"}
    job = connections.ledger.get(delivery.job)
    if job is None or delivery.generation < job.origin:  # it was deleted, or has expired; another may have its id
        return {"id": delivery.job, "state": delivery.type.removeprefix("job.")}
    return {**views.job(as_it_was(job, delivery), None)}


def as_it_was(job: Job, delivery: Delivery) -> Job:
    """The job at the time of the event, whatever has happened since."""
    state = JobState(delivery.type.removeprefix("job."))
    if (job.generation, job.state) == (delivery.generation, state):
        return job
    document = delivery.document or None
    return replace(
        job,
        state=state,
        result=document if state is JobState.SUCCEEDED else None,
        error=document if state is JobState.FAILED else None,
        errors=(),
        ended=delivery.at if state.ended else None,
        expires=None,
    )
