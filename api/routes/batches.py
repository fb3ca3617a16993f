"""``/v1/batches``: up to 10,000 jobs, submitted and followed as one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request, stream_with_context

from api.context import caller, ceiling, context, owner
from api.http.downloads import send
from api.http.idempotency import fingerprint, once
from api.http.json_body import read_json
from api.http.query import only, page
from api.job_views import views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import IDEMPOTENCY_KEY, LOCATION, PAGE
from api.streaming.archive import zip_stream
from core import ids
from core.errors import ChorusError, Conflict, FieldError, InvalidRequest, LedgerUnavailable, NotFound
from core.names import BatchState, Priority
from core.validation import parse_json
from pipelines.batch_items import characters_of
from pipelines.submission import Submitter, estimated_load
from schemas import responses
from schemas.requests import MAX_ITEMS, BatchRequest
from storage.access.charge import Charge
from storage.ledger.batches import PLAN, new_items_name
from storage.ledger.documents import ItemsDocument, JobDocument
from storage.ledger.records import Job, NewJob

routes = Blueprint("batches", __name__, url_prefix="/v1/batches")

_LINES = {"type": "string", "contentMediaType": "application/x-ndjson", "description": "Each line a ManifestEntry"}


@routes.post("")
@operation(
    "createBatch",
    {202: ResponseSpec(responses.Batch, "The batch was accepted.", LOCATION)},
    body=BatchRequest,
    parameters=(IDEMPOTENCY_KEY,),
    errors=(NotFound, Conflict),
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a batch. Its items are validated afterwards: an invalid item does not fail the batch, unless the batch is
    strict."""
    body = read_json(bounded=False)  # a number beyond all bounds is the fault of its item alone
    asked = BatchRequest.model_validate(body)
    parse_json(json.dumps(asked.defaults).encode())

    def make(batch_id: str) -> Job:
        return _submit(asked, batch_id)

    key = request.headers.get("Idempotency-Key")
    job = make(ids.BATCH.new()) if key is None else once(owner(), key, fingerprint(body, {}), ids.BATCH.new(), make)
    view = views().batch(context().batches.get(owner(), job.id))
    return jsonify(view), 202, {"Location": view["links"]["self"]}


@routes.get("")
@operation("listBatches", {200: responses.BatchList}, parameters=PAGE)
def list_batches() -> Response:
    """List batches, newest first. ``next`` is the cursor of the next page, null at the end."""
    only(("limit", "cursor"))
    return page(partial(context().batches.page, owner()), views().batch)


@routes.get("/<batch_id>")
@operation("getBatch", {200: responses.Batch})
def get(batch_id: str) -> Response:
    """Retrieve a batch: the number of its jobs in each state, and the first hundred invalid items."""
    return jsonify(views().batch(context().batches.get(owner(), batch_id)))


@routes.get("/<batch_id>/manifest")
@operation(
    "getBatchManifest",
    {200: ResponseSpec(text="One line per item, as JSON Lines.", media={"application/x-ndjson": _LINES})},
    errors=(Conflict,),
)
def manifest(batch_id: str) -> Response:
    """Retrieve the manifest: every item with its job, state, file and error, in the order of the items."""
    entries = context().batches.entries(context().batches.get(owner(), batch_id))
    show = views().entry
    lines = (json.dumps(show(entry), ensure_ascii=False) + "\n" for entry in entries)
    return Response(stream_with_context(lines), content_type="application/x-ndjson")


@routes.get("/<batch_id>/zip")
@operation(
    "getBatchZip",
    {200: ResponseSpec(text="The ZIP file.", headers=("Content-Disposition",), media={"application/zip": {}})},
    errors=(Conflict,),
)
def zip_(batch_id: str) -> Response:
    """Download the audio of all succeeded jobs and ``manifest.jsonl`` as a ZIP."""
    entries = context().batches.entries(context().batches.get(owner(), batch_id))
    headers = {"Content-Disposition": f'attachment; filename="{batch_id}.zip"'}
    show, objects = views().entry, context().objects

    def archive() -> Iterable[bytes]:
        lines = ((entry, show(entry)) for entry in entries)
        return stream_with_context(zip_stream(objects, lines))

    return send(archive, None, content_type="application/zip", headers=headers)


@routes.post("/<batch_id>/cancel")
@operation("cancelBatch", {200: responses.Batch}, errors=(Conflict,))
def cancel(batch_id: str) -> Response:
    """Cancel a batch and all its jobs. Jobs that have succeeded are kept."""
    batch = context().batches.get(owner(), batch_id)
    if batch.state not in (BatchState.QUEUED, BatchState.RUNNING):
        raise Conflict(f"The batch is already {batch.state.value}.", code=f"batch_{batch.state.value}")
    context().batches.cancel(batch)
    return jsonify(views().batch(context().batches.get(owner(), batch_id)))


@routes.post("/<batch_id>/retry")
@operation("retryBatch", {202: responses.Batch}, errors=(Conflict,))
def retry(batch_id: str) -> tuple[Response, int]:
    """Retry the failed and canceled jobs of a batch. Invalid items stay invalid: submit them in a new batch."""
    batch = context().batches.get(owner(), batch_id)
    if not context().batches.retry(batch, load=1, charge=Charge.of(caller())):
        raise Conflict("No job of this batch has failed or been canceled.", code=f"batch_{batch.state.value}")
    return jsonify(views().batch(context().batches.get(owner(), batch_id))), 202


@routes.delete("/<batch_id>")
@operation("deleteBatch", {204: None}, errors=(Conflict,))
def delete(batch_id: str) -> Response:
    """Delete a batch, its jobs and their results."""
    context().batches.delete(context().batches.get(owner(), batch_id))
    return Response(status=204)


def _submit(asked: BatchRequest, batch_id: str) -> Job:
    """Store the items and create the batch. The ``expand`` step does the rest."""
    ctx, name = context(), new_items_name(owner(), batch_id)
    keep = Submitter(ctx).retention(asked.expires_in, ceiling())
    with tempfile.TemporaryDirectory(prefix="chorus-batch-") as folder:
        path = Path(folder) / "items.jsonl"
        if asked.upload is not None:
            ctx.uploads.fetch(owner(), asked.upload, path, ctx.settings.max_body_bytes)
        else:
            with path.open("wb") as file:
                file.writelines(json.dumps(item).encode() + b"\n" for item in asked.items or ())
        items = _count(path)
        parts = ItemsDocument(count=items, object=name, defaults=asked.defaults, strict=asked.strict, ceiling=ceiling())
        document = JobDocument(owner=owner(), pipeline="batch", items=parts, metadata=asked.metadata)
        hook = Submitter(ctx).hook(asked.webhook, owner())
        load = _load(path.stat().st_size, items, asked.defaults)
        characters = characters_of(path, asked.defaults)
        ctx.objects.put_file(name, path, "application/x-ndjson")
    batch = NewJob(
        id=batch_id,
        owner=owner(),
        priority=Priority.NORMAL,
        plan=PLAN,
        document=document,
        deadline=ctx.settings.job_deadline,
        keep=keep,
        load=load,
        hook=hook,
        items=items,
        charge=Charge.of(caller(), characters=characters),
    )
    try:
        if not ctx.ledger.create(batch):
            _drop_unused(batch_id, name)
    except ChorusError:
        _drop_unused(batch_id, name)
        raise
    job = ctx.ledger.get(batch_id)
    if job is None:
        raise LedgerUnavailable
    return job


def _drop_unused(batch_id: str, name: str) -> None:
    """Delete the items of a batch that was not created, unless it was created and only the response was lost."""
    there = context().ledger.get(batch_id)
    if there is None or there.document.items is None or there.document.items.object != name:
        context().objects.delete(name)


def _load(size: int, items: int, defaults: Mapping[str, Any]) -> int:
    """The largest number of utterances that a batch can have; its defaults count once for each item.

    Raises `InvalidRequest` (``batch_too_large``) if that is more than half of the service's limit."""
    shared = len(json.dumps(defaults, ensure_ascii=False).encode())
    load, most = items + estimated_load(size + items * shared), context().settings.max_utterances
    if load > most:
        detail = f"The batch could have {load} utterances; the maximum is {most}. Submit it in parts."
        raise InvalidRequest(detail, code="batch_too_large", fields=[FieldError("items", "batch_too_large", detail)])
    return load


def _count(path: Path) -> int:
    """The number of non-empty lines. Raises `InvalidRequest` if there are none or too many."""
    with path.open("rb") as file:
        items = sum(1 for line in file if line.strip())
    if not 1 <= items <= MAX_ITEMS:
        detail = f"A batch must have 1 to {MAX_ITEMS} items, not {items}."
        raise InvalidRequest(detail, code="invalid_value", fields=[FieldError("items", "invalid_value", detail)])
    return items
