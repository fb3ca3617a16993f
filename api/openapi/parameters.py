"""Parameters, headers and links, for the OpenAPI description."""

from __future__ import annotations

from typing import Any, TypeAlias

from audio.streaming import StreamFormat
from core.names import JobState

Schema: TypeAlias = dict[str, Any]


def query(name: str, text: str, schema: Schema, **more: Any) -> Schema:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": text, "schema": schema, **more}


def header(name: str, text: str, schema: Schema | None = None) -> Schema:
    """A header of a request; none is required."""
    return {"name": name, "in": "header", "description": text, "schema": schema or {"type": "string"}}


def path(name: str, text: str, pattern: str) -> Schema:
    """A part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": {"type": "string", "pattern": pattern},
    }


def _id(prefix: str) -> str:
    return f"^{prefix}_[0-9a-f]{{24}}$"


#: Parts of paths, by their names in the routes.
PATHS = {
    parameter["name"]: parameter
    for parameter in (
        path("job_id", "A job's id, ours or the client's own", r"^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$"),
        path("batch_id", "A batch's id", _id("ba")),
        path("voice_id", "A stored voice's id, or the name of a model's own", r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"),
        path("upload", "An upload's id", _id("up")),
        path("endpoint_id", "A webhook endpoint's id", _id("we")),
        path("delivery_id", "A delivery's id", _id("de")),
    )
}

OWN_ID = path("job_id", "An id of the client's own", r"^(?!job_)(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$")

IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "The same key and body again, within a day: the same answer, and nothing is made twice",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
PREFER = header("Prefer", "`wait=N`: the answer waits up to N seconds (60 at most) for the job's end")
RANGE = header("Range", "`bytes=FIRST-LAST`: one part of the audio; several parts are answered with the whole")
IF_RANGE = header("If-Range", "An ETag: the part only where the audio is still the same, else all of it")
IF_NONE_MATCH = header("If-None-Match", "An ETag: 304 where the audio is still the same")
LAST_EVENT_ID = header(
    "Last-Event-ID",
    "The last event of this job that was received: the stream resumes behind it",
    {"type": "string", "pattern": r"^(?:job_[0-9a-f]{24}:\d{1,9}:\d{1,9})?$"},
)

LIMIT = query("limit", "Entries on a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20})
CURSOR = query("cursor", "`next` of the page before", {"type": "string", "minLength": 1})
_TIME = {"type": "string", "format": "date-time"}
JOB_FILTERS = (
    LIMIT,
    CURSOR,
    query("state", "Jobs in this state", {"enum": list(JobState)}),
    query("pipeline", "Jobs of this pipeline", {"type": "string"}),
    query("batch", "Jobs of this batch", {"type": "string"}),
    query("created_after", "Jobs made at this time or later", _TIME),
    query("created_before", "Jobs made at this time or before", _TIME),
    query(
        "metadata",
        "Jobs whose metadata has these values: `metadata.chapter=1`",
        {"type": "object", "patternProperties": {"^metadata\\..": {"type": "string"}}, "additionalProperties": False},
        style="form",
        explode=True,
    ),
)
STREAM = query(
    "stream",
    "1: the audio in order, as it is made, while the job runs",
    {"type": "string", "enum": ["0", "1", "true", "false"]},
)
STREAM_FORMAT = query(
    "format",
    f"With `stream=1`, {', '.join(StreamFormat)}; unset: the job's own format where it can flow, else WAV",
    {"type": "string", "examples": list(StreamFormat)},
)

#: Headers of answers, by name.
HEADERS: dict[str, Schema] = {
    "Location": {
        "description": "Where it is",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "How to authenticate", "required": True, "schema": {"type": "string"}},
    "ETag": {"description": "Names these very bytes", "required": True, "schema": {"type": "string"}},
    "Accept-Ranges": {"description": "none: the audio flows", "required": True, "schema": {"enum": ["bytes", "none"]}},
    "Content-Range": {"description": "Which part this is", "required": True, "schema": {"type": "string"}},
    "Content-Disposition": {"description": "A name for the file", "required": True, "schema": {"type": "string"}},
}

#: What may be done with the thing that an answer shows: operations by the parameter that takes its id.
LINKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "job": (
        "job_id",
        ("getJob", "deleteJob", "cancelJob", "retryJob", "getJobAudio", "streamJobEvents"),
    ),
    "batch": (
        "batch_id",
        ("getBatch", "deleteBatch", "cancelBatch", "retryBatch", "getBatchManifest", "getBatchZip"),
    ),
    "voice": ("voice_id", ("getVoice", "renameVoice", "deleteVoice", "previewVoice")),
    "upload": ("upload", ("putUpload", "deleteUpload")),
    "webhook": (
        "endpoint_id",
        ("getWebhook", "changeWebhook", "deleteWebhook", "rotateWebhookSecret", "testWebhook", "listDeliveries"),
    ),
    "delivery": ("delivery_id", ("getDelivery", "redeliver")),
}
