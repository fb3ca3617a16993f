"""``/v1/embed``, ``/v1/vad``, ``/v1/transcribe``: process a recording in one call.

Each creates a job of the pipeline with that name and waits for its end.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from api.http.prefer import wait_for_end
from api.job_views import job_view
from api.openapi.operation import ResponseSpec, View, operation
from api.openapi.parameters import IDEMPOTENCY_KEY, LOCATION, PREFER
from api.routes.jobs import ACCEPTED, accepted, create_once, read_job
from core.errors import Conflict, FieldError, InvalidRequest, NotFound
from schemas import responses

routes = Blueprint("sync", __name__, url_prefix="/v1")

#: Seconds to wait for the job, by default (``Prefer: wait=N``).
PATIENCE = 30.0


def _sync(pipeline: str) -> Callable[[View], View]:
    return operation(
        pipeline,
        {200: ResponseSpec(responses.Job, "The finished job.", LOCATION), **ACCEPTED},
        body=f"{pipeline.capitalize()}Request",
        form=True,
        pipeline=pipeline,
        parameters=(PREFER, IDEMPOTENCY_KEY),
        errors=(NotFound, Conflict),
    )


@routes.post("/embed")
@_sync("embed")
def embed() -> tuple[Response, int, dict[str, str]]:
    """Compute the speaker embedding of a recording. 200 with the finished job, or 202 if it is still running."""
    return _through("embed")


@routes.post("/vad")
@_sync("vad")
def vad() -> tuple[Response, int, dict[str, str]]:
    """Find the speech in a recording. 200 with the finished job, or 202 if it is still running."""
    return _through("vad")


@routes.post("/transcribe")
@_sync("transcribe")
def transcribe() -> tuple[Response, int, dict[str, str]]:
    """Transcribe a recording. 200 with the finished job, or 202 if it is still running."""
    return _through("transcribe")


def _through(pipeline: str) -> tuple[Response, int, dict[str, str]]:
    body, files = read_job()
    if "pipeline" in body:
        detail = f"This endpoint runs the pipeline {pipeline!r}. Omit the field, or use POST /v1/jobs."
        raise InvalidRequest(detail, code="unknown_field", fields=[FieldError("pipeline", "unknown_field", detail)])
    job = wait_for_end(create_once({**body, "pipeline": pipeline}, files), PATIENCE)
    if not job.state.ended:
        return accepted(job)
    view = job_view(job)
    return jsonify(view), 200, {"Location": view["links"]["self"]}
