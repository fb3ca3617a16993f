"""Parameters of requests and headers of responses, for `api.openapi.operation`."""

from __future__ import annotations

from typing import Any, TypeAlias

from audio.streaming import StreamFormat
from core.names import JobState

Schema: TypeAlias = dict[str, Any]

_STRING: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _parameter(place: str, name: str, text: str, schema: Schema = _STRING, **more: Any) -> Schema:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "description": text, "schema": schema, **more}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _id(prefix: str) -> Schema:
    return _text(f"^{prefix}_[0-9a-f]{{24}}$")


#: Parts of paths, by their names in the routes.
PATHS: dict[str, Schema] = {
    name: _parameter("path", name, text, schema)
    for name, text, schema in (
        (
            "job_id",
            "A job's id, assigned by Chorus or chosen by the client",
            _text(r"^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$"),
        ),
        ("batch_id", "A batch's id", _id("ba")),
        (
            "voice_id",
            "A stored voice's id, or the name of a model voice",
            _text(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"),
        ),
        ("upload", "An upload's id", _id("up")),
        ("endpoint_id", "A webhook endpoint's id", _id("we")),
        ("delivery_id", "A delivery's id", _id("de")),
    )
}

OWN_ID = _parameter(
    "path", "job_id", "An id chosen by the client", _text(r"^(?!job_)(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$")
)

IDEMPOTENCY_KEY = _parameter(
    "header",
    "Idempotency-Key",
    "Repeating a request with the same key and body within a day returns the same response and creates nothing twice",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
PREFER = _parameter("header", "Prefer", "`wait=N`: wait up to N seconds (at most 60) for the end of the job")
DOWNLOAD = (
    _parameter(
        "header", "Range", "`bytes=FIRST-LAST`: one part of the audio; a request for several parts returns the whole"
    ),
    _parameter("header", "If-Range", "An ETag: return the part only if the audio is unchanged, else the whole"),
    _parameter("header", "If-None-Match", "An ETag: return 304 if the audio is unchanged"),
)
LAST_EVENT_ID = _parameter(
    "header",
    "Last-Event-ID",
    "The last event received; the stream resumes after it",
    _text(r"^(?:job_[0-9a-f]{24}:\d{1,9}:\d{1,9})?$"),
)

PAGE = (
    _parameter("query", "limit", "Entries per page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    _parameter("query", "cursor", "`next` of the previous page", {"type": "string", "minLength": 1}),
)
JOB_FILTERS = (
    *PAGE,
    _parameter("query", "state", "Jobs in this state", {"enum": list(JobState)}),
    _parameter("query", "pipeline", "Jobs of this pipeline"),
    _parameter("query", "batch", "Jobs of this batch"),
    _parameter("query", "created_after", "Jobs created at this time or later", _TIME),
    _parameter("query", "created_before", "Jobs created at this time or earlier", _TIME),
    _parameter(
        "query",
        "metadata",
        "Jobs whose metadata has these values, for example `metadata.chapter=1`",
        {"type": "object", "patternProperties": {"^metadata\\..": _STRING}, "additionalProperties": False},
        style="form",
        explode=True,
    ),
)
STREAM = (
    _parameter(
        "query",
        "stream",
        "1: stream the audio in order while it is rendered",
        {"type": "string", "enum": ["0", "1", "true", "false"]},
    ),
    _parameter(
        "query",
        "format",
        f"With `stream=1`, {', '.join(StreamFormat)}; default: the job's own format if it can be streamed, else WAV",
        {"type": "string", "examples": list(StreamFormat)},
    ),
)


def _header(text: str, schema: Schema = _STRING) -> Schema:
    return {"description": text, "required": True, "schema": schema}


#: The header with the address of a new resource.
LOCATION = ("Location",)

#: Headers of responses, by name.
HEADERS: dict[str, Schema] = {
    "Location": _header("The address of the resource", {"type": "string", "format": "uri-reference"}),
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": _header("How to authenticate"),
    "ETag": _header("Identifies this content"),
    "Accept-Ranges": _header("none: the audio is streamed", {"enum": ["bytes", "none"]}),
    "Content-Range": _header("The range of this part"),
    "Content-Disposition": _header("A file name for the audio"),
}
