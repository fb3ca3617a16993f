"""``GET /v1/jobs``: pages of an owner's jobs, newest first."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.http.query import invalid, only, page_number
from api.job_views import job_view
from api.openapi.operation import operation
from api.openapi.parameters import JOB_FILTERS
from core.names import JobState
from schemas.responses import JobList
from storage.ledger.records import Job

routes = Blueprint("job_list", __name__, url_prefix="/v1/jobs")

#: Jobs on a page, and those that one request looks at in search of them.
_PAGE, _LARGEST_PAGE = 20, 100
_LOOKED_AT = 5000
_AT_ONCE = 200

_FILTERS = {"state", "pipeline", "batch", "created_after", "created_before", "limit", "cursor"}


@routes.get("")
@operation("listJobs", {200: JobList}, parameters=JOB_FILTERS)
def list_jobs() -> Response:
    """List jobs, newest first. ``next`` is the cursor of the next page, null at the end."""
    only(_FILTERS, prefix="metadata.")
    limit = page_number("limit", _PAGE, 1, _LARGEST_PAGE)
    wanted = _Filter()
    found: list[Job] = []
    cursor = None
    for place, job in _newest(_cursor(), wanted.after, wanted.before, limit + 1):
        if len(found) == limit:
            break
        cursor = place
        if job is not None and wanted.fits(job):
            found.append(job)
    else:
        cursor = None
    encoded = None if cursor is None else base64.urlsafe_b64encode(cursor.encode()).decode()
    return jsonify(JobList(object="list", data=[job_view(job) for job in found], next=encoded))


class _Filter:
    """The filters of a query."""

    def __init__(self) -> None:
        self.state = request.args.get("state")
        if self.state is not None and self.state not in list(JobState):
            raise invalid("state", "invalid_value", f"The value must be one of {', '.join(JobState)}.")
        self.pipeline = request.args.get("pipeline")
        self.batch = request.args.get("batch")
        self.after = _time("created_after", 0.0)
        self.before = _time("created_before", float("inf"))
        prefix = "metadata."
        self.metadata = {n.removeprefix(prefix): v for n, v in request.args.items() if n.startswith(prefix)}

    def fits(self, job: Job) -> bool:
        metadata = job.document.metadata
        return (
            (self.state is None or job.state == self.state)
            and (self.pipeline is None or job.document.pipeline == self.pipeline)
            and (self.batch is None or job.batch == self.batch)
            and all(metadata.get(name) == value for name, value in self.metadata.items())
        )


def _newest(
    cursor: tuple[float, str] | None, after: float, before: float, first: int
) -> Iterator[tuple[str, Job | None]]:
    """Jobs starting after the cursor, newest first, each with its own cursor. ``first`` of them are read at first, and
    larger portions the longer the search takes."""
    ledger = context().ledger
    top = min(before, cursor[0]) if cursor else before
    offset, portion = 0, first
    while offset < _LOOKED_AT:
        entries = ledger.created_between(owner(), after, top, offset=offset, limit=portion)
        ours = [(job, at) for job, at in entries if cursor is None or (at, job) < cursor]
        for (job_id, at), job in zip(ours, ledger.get_many([job for job, _ in ours]), strict=True):
            yield f"{at!r} {job_id}", job
        if len(entries) < portion:
            return
        offset += portion
        portion = min(2 * portion, _AT_ONCE)


def _cursor() -> tuple[float, str] | None:
    text = request.args.get("cursor")
    if text is None:
        return None
    try:
        at, _, job = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        return float(at), job
    except (binascii.Error, ValueError, UnicodeError) as error:
        raise invalid("cursor", "invalid_value", "Invalid cursor.") from error


def _time(name: str, default: float) -> float:
    text = request.args.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment.timestamp() if moment.tzinfo else moment.astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise invalid(name, "invalid_value", "The value must be an RFC 3339 time.") from error
