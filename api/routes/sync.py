"""``/v1/embed``, ``/v1/vad``, ``/v1/transcribe``: a recording in, what is in it out, in one call.

Each is a job of the pipeline of that name; the answer waits for its end.
"""

from __future__ import annotations

from flask import Blueprint, Response

from api.http.prefer import wait_for_end
from api.job_views import job_view
from api.routes.jobs import accepted, create_once, read_job
from core.errors import FieldError, InvalidRequest

routes = Blueprint("doors", __name__, url_prefix="/v1")

#: Seconds that an answer waits unless ``Prefer: wait=N`` says otherwise.
PATIENCE = 30.0


@routes.post("/embed")
def embed() -> tuple[Response | dict[str, object], int, dict[str, str]]:
    """The speaker embedding of a recording: 200 with the job that has ended, or 202 while it has not."""
    return _through("embed")


@routes.post("/vad")
def vad() -> tuple[Response | dict[str, object], int, dict[str, str]]:
    """Where speech is in a recording: 200 with the job that has ended, or 202 while it has not."""
    return _through("vad")


@routes.post("/transcribe")
def transcribe() -> tuple[Response | dict[str, object], int, dict[str, str]]:
    """What is said in a recording: 200 with the job that has ended, or 202 while it has not."""
    return _through("transcribe")


def _through(pipeline: str) -> tuple[Response | dict[str, object], int, dict[str, str]]:
    body, files = read_job()
    if "pipeline" in body:
        detail = f"The pipeline is {pipeline!r} here: leave the field out, or POST /v1/jobs."
        raise InvalidRequest(detail, code="unknown_field", fields=[FieldError("pipeline", "unknown_field", detail)])
    job = wait_for_end(create_once({**body, "pipeline": pipeline}, files), PATIENCE)
    if not job.state.ended:
        return accepted(job)
    view = job_view(job)
    return view, 200, {"Location": view["links"]["self"]}
