"""When the words of a job are said (``/timestamps``), and its subtitles (``/subtitles``)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import DOWNLOAD
from api.routes.jobs import find_job, result_of, send_object
from core.errors import Conflict, RangeNotSatisfiable
from core.names import SubtitleFormat
from schemas import timing_responses
from text.captions.subtitles import MEDIA_TYPES

routes = Blueprint("job_times", __name__, url_prefix="/v1/jobs")

_SUBTITLES: dict[str, dict[str, Any]] = {kind: {} for kind in MEDIA_TYPES.values()}
_ERRORS = (Conflict, RangeNotSatisfiable)
_WHOLE = ("ETag", "Accept-Ranges", "Content-Disposition")
_PART = ("ETag", "Accept-Ranges", "Content-Range")
_UNCHANGED = ResponseSpec(text="The file is unchanged.", headers=("ETag",))


@routes.get("/<job_id>/timestamps")
@operation(
    "getJobTimestamps",
    {
        200: ResponseSpec(timing_responses.TimestampsFile, headers=_WHOLE),
        206: ResponseSpec(text="The requested part.", headers=_PART, media={"application/json": {}}),
        304: _UNCHANGED,
    },
    parameters=DOWNLOAD,
    errors=_ERRORS,
)
def timestamps(job_id: str) -> Response:
    """Download when the utterances of a finished job, or its words too, are said. The job must have set
    ``output.timestamps``."""
    job = find_job(job_id)
    found = result_of(job, "timestamps", missing="The job has not set output.timestamps.")
    return send_object(found, f"{job.id}.json", "application/json")


@routes.get("/<job_id>/subtitles")
@operation(
    "getJobSubtitles",
    {
        200: ResponseSpec(text="The subtitles.", headers=_WHOLE, media=_SUBTITLES),
        206: ResponseSpec(text="The requested part.", headers=_PART, media=_SUBTITLES),
        304: _UNCHANGED,
    },
    parameters=DOWNLOAD,
    errors=_ERRORS,
)
def subtitles(job_id: str) -> Response:
    """Download the subtitles of a finished job. The job must have set ``output.subtitles``."""
    job = find_job(job_id)
    found = result_of(job, "subtitles", missing="The job has not set output.subtitles.")
    kind = SubtitleFormat(found["format"])
    return send_object(found, f"{job.id}.{kind.value}", MEDIA_TYPES[kind])
