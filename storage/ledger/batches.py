"""Batches: many jobs, submitted and followed as one.

A batch is a ledger record like a job; its own step (``expand``) turns its items into jobs. From then on the jobs'
changes update its counts: see ``set_state`` in ``lua/jobs.lua``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from core import ids
from core.errors import ArtifactMissing, Conflict, NotFound
from core.names import BatchState, JobState
from core.redis import redis_errors
from core.work import Plan
from storage.access.charge import Charge
from storage.ledger.keys import key
from storage.ledger.ledger import Ledger
from storage.ledger.pages import newest
from storage.ledger.records import Job
from storage.objects.objects import Objects

#: The plan of the ledger's record of a batch.
PLAN = Plan.parse("expand:cpu")

#: Jobs per round trip.
PORTION = 200

#: Errors of items that the record itself shows; the manifest has them all.
SHOWN_ERRORS = 100

_COUNTED = (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)


def job_of(batch: str, index: int) -> str:
    """The id of the job for item ``index`` of a batch: always the same, so that none is created twice."""
    return ids.JOB.derived(batch, str(index))


def new_items_name(owner: str, batch: str) -> str:
    """A unique name for a batch's items (JSON Lines), because they are written before the batch is created."""
    return f"{owner}/batches/{batch}/items-{secrets.token_hex(12)}.jsonl"


def index_object(owner: str, batch: str) -> str:
    """The object with the result of each item: ``custom_id`` and ``file``, and ``error`` if it is not a valid job."""
    return f"{owner}/batches/{batch}/index.jsonl"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at one moment; ``completed`` is in Unix seconds."""

    job: Job
    state: BatchState
    counts: Mapping[str, int]
    completed: float | None

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def items(self) -> int:
        return self.job.document.items.count if self.job.document.items else 0

    def jobs(self) -> list[str]:
        """The ids of its jobs by item; an item that was refused has none in the ledger."""
        return [job_of(self.id, index) for index in range(self.items)]


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One item: the client's name for it, a name for its file (without suffix), its job, or why there is none."""

    custom_id: str | None
    file: str
    job: Job | None
    error: Mapping[str, Any] | None


class Batches:
    """The batches of the ledger. Methods raise `LedgerUnavailable` and `StorageUnavailable`."""

    def __init__(self, ledger: Ledger, objects: Objects) -> None:
        self._ledger = ledger
        self._redis = ledger.client
        self._objects = objects

    def get(self, owner: str, batch: str) -> Batch:
        """The owner's batch of that id. Raises `NotFound`."""
        found = self._read([batch])[0] if ids.BATCH.matches(batch) else None
        if found is None or found.job.owner != owner:
            raise NotFound("The batch does not exist.", code="batch_not_found")
        return found

    def page(self, owner: str, behind: str | None, limit: int) -> list[Batch]:
        """The batches of an owner, newest first, starting after ``behind``. Raises `InvalidRequest`."""
        ids = newest(self._redis, key("batches", owner), behind, limit)
        return [batch for batch in self._read(ids) if batch]

    def _read(self, batches: Sequence[str]) -> list[Batch | None]:
        if not batches:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for batch in batches:
            pipe.hgetall(key("batch", batch))
        with redis_errors():
            counts = pipe.execute()
        jobs = self._ledger.get_many(batches)
        return [_batch(job, found) if job else None for job, found in zip(jobs, counts, strict=True)]

    def entries(self, batch: Batch) -> Iterator[BatchEntry]:
        """Every item in order, with its job. Raises `Conflict` (``batch_queued``) before the batch is open."""
        try:
            lines = self._objects.get(index_object(batch.job.owner, batch.id)).splitlines()
        except ArtifactMissing as error:
            raise Conflict("The batch's items are still being read.", code="batch_queued", retry_after=2) from error
        return self._joined(batch, lines)

    def _joined(self, batch: Batch, lines: Sequence[bytes]) -> Iterator[BatchEntry]:
        for first in range(0, len(lines), PORTION):
            portion = [json.loads(line) for line in lines[first : first + PORTION]]
            jobs = self._ledger.get_many([job_of(batch.id, first + n) for n in range(len(portion))])
            for item, job in zip(portion, jobs, strict=True):
                yield BatchEntry(item["custom_id"], item["file"], job, item.get("error"))

    def cancel(self, batch: Batch) -> None:
        """Cancel a batch and all its jobs at once. Raises `Conflict` if it has already ended."""
        with redis_errors():
            self._redis.hset(key("batch", batch.id), "stopped", 1)
        self._ledger.cancel(batch.id)
        self._ledger.cancel_many(batch.jobs())

    def retry(self, batch: Batch, load: int, charge: Charge | None = None) -> int:
        """Retry failed and canceled jobs, each counted as ``load`` utterances; return how many.

        Raises `RateLimited` beyond the limit of open jobs; as many as it allows are retried all the same.
        """
        begun = int(self._ledger.retry(batch.id, charge=charge))  # where it was ended before all its items were jobs
        return begun + sum(self._ledger.retry_many(dict.fromkeys(batch.jobs(), load), charge))

    def delete(self, batch: Batch) -> None:
        """Delete a batch, its jobs and their results."""
        self._ledger.cancel(batch.id)
        owner, jobs = batch.job.owner, batch.jobs()
        for first in range(0, len(jobs), PORTION):
            portion = jobs[first : first + PORTION]
            results = [name for job in self._ledger.get_many(portion) if job for name in _objects_of(job)]
            self._ledger.delete_many_now(portion)
            self._objects.delete(*results)
        self._ledger.delete_now(batch.id)
        self._objects.delete(*self._objects.names(f"{owner}/batches/{batch.id}/"))

    def note_errors(self, batch: str, errors: Mapping[int, Mapping[str, Any]]) -> None:
        """Add the errors of invalid items (by index) to the record, up to `SHOWN_ERRORS`."""
        shown = {str(index): json.dumps(error) for index, error in list(errors.items())[:SHOWN_ERRORS]}
        if shown:
            with redis_errors():
                self._redis.hset(key("err", batch), mapping=shown)  # type: ignore[arg-type]


def _batch(job: Job, found: Mapping[bytes, bytes]) -> Batch:
    fields = {name.decode(): value.decode() for name, value in found.items()}
    counts = {state.value: max(0, int(fields.get(state.value, 0))) for state in _COUNTED}
    completed = float(fields["completed"]) if "completed" in fields else None
    return Batch(job, _state(job, fields), counts, completed)


def _state(job: Job, fields: Mapping[str, str]) -> BatchState:
    if "stopped" in fields or job.state is JobState.CANCELED:
        return BatchState.CANCELED
    if job.state is JobState.FAILED:
        return BatchState.FAILED
    if "completed" in fields:
        return BatchState.COMPLETED
    return BatchState.QUEUED if job.state is JobState.QUEUED else BatchState.RUNNING


def _objects_of(job: Job) -> list[str]:
    found = [job.document.text_object] if job.document.text_object else []
    if job.result and job.result.get("audio"):
        audio = PurePosixPath(job.result["audio"]["object"])
        found += [str(audio), str(audio.with_name("job.json"))]
    return found
