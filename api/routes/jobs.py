"""``/v1/jobs``: submit, poll, download, cancel, retry and delete jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import FileStorage

from api.context import caller, context, owner
from api.http.downloads import send
from api.http.forms import check_fields, json_object, json_value, no_such_file
from api.http.idempotency import fingerprint, once
from api.http.json_body import read_json
from api.http.prefer import wait_for_end
from api.http.query import flag
from api.job_views import job_view, views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import DOWNLOAD, IDEMPOTENCY_KEY, LOCATION, OWN_ID, PREFER, STREAM
from audio.formats import CONTENT_TYPES, MULAW_TYPE, content_type
from core import ids
from core.errors import (
    Conflict,
    FieldError,
    InvalidRequest,
    LedgerUnavailable,
    Malformed,
    NotFound,
    RangeNotSatisfiable,
)
from core.names import AudioFormat, JobState, SampleEncoding
from pipelines.submission import Submitter, estimated_load
from schemas import responses
from schemas.requests import JobRequest
from storage.access.charge import Charge
from storage.ledger.records import Job
from storage.objects.job_objects import folder, up_to
from storage.objects.job_record import read_record

routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")

_CHUNK = 64 * 1024
_OWN_ID = re.compile(ids.OWN_ID)

#: The responses to a new job.
ACCEPTED = {
    202: ResponseSpec(
        (responses.AcceptedJob, responses.Job),
        "The job was accepted. If it ended within the wait, this is the whole job.",
        LOCATION,
    )
}
#: Media types of files of audio, for `ResponseSpec`.
AUDIO_FILES: dict[str, dict[str, Any]] = {kind: {} for kind in (*CONTENT_TYPES.values(), MULAW_TYPE)}


@routes.post("")
@operation(
    "createJob", ACCEPTED, body=JobRequest, form=True, parameters=(IDEMPOTENCY_KEY, PREFER), errors=(NotFound, Conflict)
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a job. The response is 202 at once, unless `Prefer: wait=N` is sent."""
    return accepted(wait_for_end(create_once(*read_job())))


@routes.put("/<job_id>")
@operation(
    "putJob",
    {200: ResponseSpec(responses.Job, "The job exists already, with the same body.", LOCATION), **ACCEPTED},
    body=JobRequest,
    form=True,
    parameters=(OWN_ID, PREFER),
    errors=(Conflict,),
)
def put(job_id: str) -> tuple[Response, int, dict[str, str]]:
    """Create a job with an id chosen by the client. Repeating the request returns the same job."""
    if not _OWN_ID.fullmatch(job_id) or ids.JOB.begins(job_id):
        detail = "Your own id must have 1 to 128 of A-Za-z0-9._~-, not start with 'job_', and not be '.' or '..'."
        raise InvalidRequest(detail, code="invalid_id", fields=[FieldError("job_id", "invalid_id", detail)])
    body, files = read_job()
    asked, ours = fingerprint(body, files), ids.JOB.derived(owner(), job_id)
    there = context().ledger.get(ours)
    if there is None:
        there = submit(body, files, ours, custom_id=job_id, asked=asked)
        if there.document.asked == asked:
            return accepted(wait_for_end(there))
    if there.document.asked != asked:
        raise Conflict("Another job has this id.", code="id_taken")
    view = job_view(wait_for_end(there))
    return jsonify(view), 200, {"Location": view["links"]["self"]}


def create_once(body: dict[str, Any], files: dict[str, FileStorage]) -> Job:
    """Create the requested job, or return the one that was created with the same ``Idempotency-Key``."""

    def make(job_id: str) -> Job:
        return submit(body, files, job_id)

    key = request.headers.get("Idempotency-Key")
    if key is None:
        return make(ids.JOB.new())
    return once(owner(), key, fingerprint(body, files), ids.JOB.new(), make)


def submit(body: dict[str, Any], files: Mapping[str, FileStorage], job_id: str, **facts: Any) -> Job:
    """Create a job, and return it as the ledger has it."""
    streams = {name: file.stream for name, file in files.items()}
    asked = JobRequest.model_validate(body)
    Submitter(context()).submit(asked, caller(), streams, job_id, **facts)
    job = context().ledger.get(job_id)
    if job is None:
        raise LedgerUnavailable
    return job


def accepted(job: Job) -> tuple[Response, int, dict[str, str]]:
    """The response to a new job; the whole job if it has already ended."""
    view = job_view(job) if job.state.ended else views().accepted(job)
    return jsonify(view), 202, {"Location": view["links"]["self"]}


@routes.get("/<job_id>")
@operation("getJob", {200: responses.Job}, parameters=(PREFER,))
def get(job_id: str) -> Response:
    """Retrieve a job. With ``Prefer: wait=N``, wait up to N seconds for its end."""
    return jsonify(job_view(wait_for_end(find_job(job_id))))


@routes.delete("/<job_id>")
@operation("deleteJob", {204: None})
def delete(job_id: str) -> Response:
    """Delete a job and its results. Utterances that other jobs need are kept."""
    job = find_job(job_id)
    ctx = context()
    ctx.ledger.delete_now(job.id)
    ctx.objects.delete(*up_to(ctx.objects.names(folder(job.owner, job.id)), job))
    return Response(status=204)


@routes.get("/<job_id>/audio")
@operation(
    "getJobAudio",
    {
        200: ResponseSpec(
            text="The audio.", headers=("Accept-Ranges", "Content-Disposition"), media={**AUDIO_FILES, "audio/pcm": {}}
        ),
        206: ResponseSpec(
            text="The requested part.", headers=("ETag", "Accept-Ranges", "Content-Range"), media=AUDIO_FILES
        ),
        304: ResponseSpec(text="The audio is unchanged.", headers=("ETag",)),
    },
    parameters=(*STREAM, *DOWNLOAD),
    errors=(Conflict, RangeNotSatisfiable),
)
def audio(job_id: str) -> Response:
    """Download the finished audio, whole or by ``Range``. With ``stream=1``, stream it while it is rendered."""
    job = find_job(job_id)
    if flag("stream"):
        from api.routes.job_streams import stream_audio  # the encoders are loaded by those who need them

        return stream_audio(job)
    found = result_of(job, "audio", missing="This job's result is not audio.")
    encoding = found.get("encoding") and SampleEncoding(found["encoding"])
    kind = content_type(AudioFormat(found["format"]), found["sample_rate"], encoding)
    return send_object(found, f"{job.id}.{found['format']}", kind)


@routes.post("/<job_id>/cancel")
@operation("cancelJob", {200: responses.Job}, errors=(Conflict,))
def cancel(job_id: str) -> Response:
    """Cancel a job. Work that is still running for it is discarded."""
    job = find_job(job_id)
    if not context().ledger.cancel(job.id):
        raise Conflict(f"The job is already {job.state.value}.", code=f"job_{job.state.value}")
    return jsonify(job_view(find_job(job.id)))


@routes.post("/<job_id>/retry")
@operation("retryJob", {202: responses.Job}, errors=(Conflict,))
def retry(job_id: str) -> tuple[Response, int]:
    """Retry a failed or canceled job. Only missing utterances are rendered."""
    job = find_job(job_id)
    load = estimated_load(job.document.characters)
    if not context().ledger.retry(job.id, load, Charge.of(caller())):
        raise Conflict(f"The job is {job.state.value} and cannot be retried.", code=f"job_{job.state.value}")
    return jsonify(job_view(find_job(job.id))), 202


#: Fields of a multipart body that are plain strings; all others are JSON.
_STRINGS = {
    *("pipeline", "text", "language", "voice", "base_voice", "vad"),
    *("markup", "normalize", "clean", "emoji", "priority", "on_error"),
}


def read_job() -> tuple[dict[str, Any], dict[str, FileStorage]]:
    """A job's fields and files, from a JSON body or a multipart one.

    In a multipart body ``reference`` and ``recording`` are files. The other fields are separate (JSON if they are
    not strings), or together as JSON in a field ``job``. Raises `Malformed`.
    """
    if request.mimetype in ("application/json", ""):
        return read_json(), {}
    if request.mimetype != "multipart/form-data":
        raise Malformed("Send the job as application/json or multipart/form-data.", code="unsupported_media_type")
    files = {}
    for name, file in request.files.items(multi=True):
        if name not in ("reference", "recording") or name in files:
            raise no_such_file(name)
        files[name] = file
    check_fields((name, value) for name, value in request.form.items() if name not in _STRINGS)
    body = json_object("job", request.form["job"]) if "job" in request.form else {}
    for name, value in request.form.items():
        if name in _STRINGS:
            body[name] = value
        elif name != "job":
            body[name] = json_value(name, value)
    return body, files


def find_job(job_id: str) -> Job:
    """The owner's job with this id, assigned by Chorus or chosen by the client. Raises `NotFound`, also for the job of
    another owner."""
    if _OWN_ID.fullmatch(job_id) and not ids.JOB.matches(job_id):
        job_id = ids.JOB.derived(owner(), job_id)
    job = context().ledger.get(job_id) if ids.JOB.matches(job_id) else None
    if job is None and ids.JOB.matches(job_id):
        job = read_record(context().objects, owner(), job_id)
    if job is None or job.owner != owner():
        raise NotFound("The job does not exist.", code="job_not_found")
    return job


def result_of(job: Job, name: str, *, missing: str, lacks: str | None = None) -> Mapping[str, Any]:
    """What the result of a job says of one of its files.

    Raises `Conflict` (``job_STATE``) before the job has succeeded, which says that it has no ``lacks`` (``name``) yet;
    `NotFound` (``no_NAME``) with the message ``missing``."""
    if job.state is not JobState.SUCCEEDED:
        raise Conflict(f"The job is {job.state.value} and has no {lacks or name}.", code=f"job_{job.state.value}")
    found: Mapping[str, Any] | None = (job.result or {}).get(name)
    if not found:
        raise NotFound(missing, code=f"no_{name}")
    return found


def send_object(found: Mapping[str, Any], filename: str, kind: str) -> Response:
    """The response with an object of a job's result, of the media type ``kind``: whole, or the part that is requested.
    ``found``: its ``object``, ``bytes`` and ``sha256``."""
    size = int(found["bytes"])
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{found["sha256"]}"',
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "private, immutable",
    }
    if request.if_none_match.contains(found["sha256"]):
        return Response(status=304, headers=headers)
    part = _range(size) if _same_still(found["sha256"]) else None
    length = part[1] - part[0] if part else size
    if part:
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    headers["Content-Length"] = str(length)
    objects = context().objects

    def chunks() -> Iterator[bytes]:
        stream = objects.stream(found["object"], part and f"bytes={part[0]}-{part[1] - 1}")
        return iter(lambda: stream.body.read(_CHUNK), b"")

    return send(chunks, length, status=206 if part else 200, headers=headers, content_type=kind)


def _same_still(sha256: str) -> bool:
    """Whether a part may be sent according to ``If-Range`` (RFC 9110, 13.1.5): it matches the audio, or is absent."""
    if "If-Range" not in request.headers:
        return True
    return request.if_range.etag == sha256


def _range(size: int) -> tuple[int, int] | None:
    """The part that ``Range`` requests, as [start, end); None, for the whole, if it requests several parts."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    part = asked.range_for_length(size)
    if part is None:
        raise RangeNotSatisfiable(size)
    return part
