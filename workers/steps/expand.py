"""``expand``, on the CPU: a batch's items to jobs. One invalid item does not fail it, unless it is strict.

An item's job has always the same id, so that a worker that died half-way is simply followed by another.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import ChorusError, Conflict, FieldError, InternalError, InvalidRequest, TooLarge, Unavailable
from core.failpoints import reach
from core.names import Role
from core.validation import from_validation, parse_json
from core.work import CPU, ItemRef
from pipelines.batch_items import merge_defaults
from pipelines.connections import Connections
from pipelines.submission import Submitter
from schemas.requests import BatchItem, JobRequest
from storage.ledger.batches import index_object, job_of
from storage.ledger.documents import ItemsDocument, JobDocument
from storage.ledger.records import NewJob, Outcome, Work
from storage.metrics import count
from storage.objects.file_names import file_name
from workers.retry import as_chorus_error, retry_until_available

log = logging.getLogger(__name__)

#: Jobs written down between two calls of dispatch.
PORTION = 50


@dataclass(slots=True)
class Expansion:
    """What became of a batch's items so far."""

    lines: list[str] = field(default_factory=list)  #: of the index, JSON each
    errors: dict[int, dict[str, Any]] = field(default_factory=dict)  #: by index
    seen: set[str] = field(default_factory=set)  #: custom ids
    files: dict[str, int] = field(default_factory=dict)


def expand(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Create a job for every item of a batch. Raises `InvalidRequest` (``invalid_items``) if the batch is strict and an
    item is invalid; then no job is created."""
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        path, items = Path(folder) / "items.jsonl", _items(work.document)
        retry_until_available(lambda: connections.objects.get_file(items.object, path))
        expansion = Expansion()
        jobs = _jobs(connections, ref, work.document, path, expansion)
        if items.strict:
            kept = list(jobs)
            if expansion.errors:
                _save_index(connections, ref, work.document, expansion)
                raise _invalid_items(expansion)
            jobs = iter(kept)
        try:
            _create(connections, jobs)
        except Conflict:  # it was canceled meanwhile: the rest is not wanted, but stands in the index
            for _ in jobs:
                pass
    _save_index(connections, ref, work.document, expansion)
    return Outcome(ref=ref, station=CPU, result={"failed": len(expansion.errors)})


def _items(document: JobDocument) -> ItemsDocument:
    if document.items is None:
        raise InternalError("The batch has no items.")
    return document.items


def _jobs(
    connections: Connections, ref: ItemRef, document: JobDocument, path: Path, expansion: Expansion
) -> Iterator[NewJob]:
    """The jobs of all good items, one at a time; the bad ones go to ``expansion`` alone."""
    with path.open("rb") as file:
        for index, line in enumerate(filter(bytes.strip, file)):
            custom_id, name = None, f"item-{index + 1}"
            try:
                item = _item(line, connections.settings.max_json_bytes, expansion.seen)
                custom_id, name = item.custom_id, file_name(item.custom_id, expansion.files)
                job = _job(connections, ref, document, index, item)
            except Unavailable:
                raise
            except Exception as error:
                known = _as_known(error, ref, index)
                shape = {**known.to_dict(), "errors": [{"field": f.field, "detail": f.detail} for f in known.fields]}
                expansion.lines.append(json.dumps({"custom_id": custom_id, "file": name, "error": shape}))
                expansion.errors[index] = {"line": index + 1, "custom_id": custom_id, **shape}
            else:
                expansion.lines.append(json.dumps({"custom_id": custom_id, "file": name}))
                yield job


def _as_known(error: Exception, ref: ItemRef, index: int) -> ChorusError:
    """Whatever is wrong with one item is that item's error, and not the batch's."""
    if isinstance(error, ValidationError):
        return from_validation(error)
    if not isinstance(error, ChorusError):
        log.exception("item %d of %s cannot be made a job", index, ref)
    return as_chorus_error(error, InternalError, Role.EXPAND.value)


def _item(line: bytes, most: int, seen: set[str]) -> BatchItem:
    if len(line) > most:
        raise TooLarge(f"An item can have at most {most} bytes. Send recordings as uploads.", code="json_too_large")
    item = BatchItem.model_validate(parse_json(line))
    if item.custom_id in seen:
        detail = "Another item already has this custom_id."
        fields = [FieldError("custom_id", "duplicate_custom_id", detail)]
        raise InvalidRequest(detail, code="duplicate_custom_id", fields=fields)
    seen.add(item.custom_id)
    return item


def _job(connections: Connections, ref: ItemRef, document: JobDocument, index: int, item: BatchItem) -> NewJob:
    items = _items(document)
    body = JobRequest.model_validate(merge_defaults(items.defaults, item.job))
    job_id, owner = job_of(ref.job, index), document.owner
    job = retry_until_available(lambda: Submitter(connections).prepare(body, owner, None, job_id, items.ceiling, ref))
    return replace(job, document=replace(job.document, custom_id=item.custom_id))


def _create(connections: Connections, jobs: Iterator[NewJob]) -> None:
    for number, job in enumerate(jobs, 1):
        retry_until_available(lambda job=job: Submitter(connections).create(job, release=False))  # type: ignore[misc]
        reach("expand.created")
        if number % PORTION == 0:
            retry_until_available(lambda: connections.ledger.release([CPU]))
        with suppress(Unavailable):
            count(connections.redis, [("chorus_jobs_created_total", (job.document.pipeline,), 1.0)])
    retry_until_available(lambda: connections.ledger.release([CPU]))


def _save_index(connections: Connections, ref: ItemRef, document: JobDocument, expansion: Expansion) -> None:
    name = index_object(document.owner, ref.job)
    data = "\n".join(expansion.lines).encode()
    retry_until_available(lambda: connections.objects.put(name, data, "application/x-ndjson"))
    retry_until_available(lambda: connections.batches.note_errors(ref.job, expansion.errors))
    reach("expand.written")


def _invalid_items(expansion: Expansion) -> InvalidRequest:
    first = next(iter(expansion.errors.values()))
    bad = len(expansion.errors)
    return InvalidRequest(
        f"{bad} of {len(expansion.lines)} items are invalid. The first is in line {first['line']}: {first['message']}",
        code="invalid_items",
    )
