"""Parameters of requests and headers of responses, for `api.openapi.operation`."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

from audio.streaming import StreamFormat
from core import ids
from core.names import JobState
from storage.access.keys import KEY_ID
from storage.access.limits import OWNER

Schema: TypeAlias = dict[str, Any]

_STRING: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_DAY: Schema = {"type": "string", "format": "date"}


def _parameter(place: str, name: str, text: str, schema: Schema = _STRING, **more: Any) -> Schema:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "description": text, "schema": schema, **more}


_path, _header, _query = (partial(_parameter, place) for place in ("path", "header", "query"))


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


#: Parts of paths, by their names in the routes.
PATHS: dict[str, Schema] = {
    parameter["name"]: parameter
    for parameter in (
        _path("job_id", "A job's id, assigned by Chorus or chosen by the client", _text(ids.OWN_ID)),
        _path("utterance", "An utterance's index", {"type": "integer", "minimum": 0, "maximum": 999_999_999}),
        _path("batch_id", "A batch's id", _text(ids.BATCH.pattern)),
        _path(
            "voice_id", "A stored voice's id, or the name of a model voice", _text("[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
        ),
        _path("model", "A model's name, or a name that stands for it", _text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")),
        _path("lexicon_id", "A lexicon's id", _text(ids.LEXICON.pattern)),
        _path("upload", "An upload's id", _text(ids.UPLOAD.pattern)),
        _path("endpoint_id", "A webhook endpoint's id", _text(ids.WEBHOOK.pattern)),
        _path("delivery_id", "A delivery's id", _text(ids.DELIVERY.pattern)),
        _path("key_id", "An API key's id", _text(KEY_ID)),
        _path("owner", "An owner's name", _text(OWNER)),
    )
}

OWN_ID = _path("job_id", "An id chosen by the client", _text(f"(?!{ids.JOB.prefix}){ids.OWN_ID}"))
IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "Repeating a request with the same key and body within a day returns the same response and creates nothing twice",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
PREFER = _header("Prefer", "`wait=N`: wait up to N seconds (at most 60) for the end of the job")
DOWNLOAD = (
    _header("Range", "`bytes=FIRST-LAST`: one part of the audio; a request for several parts returns the whole"),
    _header("If-Range", "An ETag: return the part only if the audio is unchanged, else the whole"),
    _header("If-None-Match", "An ETag: return 304 if the audio is unchanged"),
)
IF_MATCH = _header("If-Match", "An ETag: change the lexicon only if this is still its latest version")
LEXICON_VERSION = _query(
    "version", "This version instead of the latest", {"type": "integer", "minimum": 1, "maximum": 999_999_999}
)
LAST_EVENT_ID = _header(
    "Last-Event-ID",
    "The last event received; the stream resumes after it",
    _text(f"(?:{ids.EVENT_ID})?"),
)
PAGE = (
    _query("limit", "Entries per page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    _query("cursor", "`next` of the previous page", {"type": "string", "minLength": 1}),
)
JOB_FILTERS = (
    *PAGE,
    _query("state", "Jobs in this state", {"enum": list(JobState)}),
    _query("pipeline", "Jobs of this pipeline"),
    _query("batch", "Jobs of this batch"),
    _query("created_after", "Jobs created at this time or later", _TIME),
    _query("created_before", "Jobs created at this time or earlier", _TIME),
    _query(
        "metadata",
        "Jobs whose metadata has these values, for example `metadata.chapter=1`",
        {"type": "object", "patternProperties": {r"^metadata\..": _STRING}, "additionalProperties": False},
        style="form",
        explode=True,
    ),
)
USAGE = (
    _query("from", "The first day, in UTC; default: 30 days in all", _DAY),
    _query("to", "The last day, in UTC, at most 400 days in all; default: today", _DAY),
    _query("owner", "Another owner; needs the scope `admin`", _text(OWNER)),
)
STREAM = (
    _query("stream", "1: stream the audio in order while it is rendered", {"enum": ["0", "1", "true", "false"]}),
    _query(
        "format",
        f"With `stream=1`, {', '.join(StreamFormat)}; default: the job's own format if it can be streamed, else WAV",
        {"type": "string", "examples": list(StreamFormat)},
    ),
)


LEGACY = _query("legacy", "1: `voices` lists names alone", {"enum": ["0", "1", "true", "false"]})


def _sent(text: str, schema: Schema = _STRING) -> Schema:
    return {"description": text, "required": True, "schema": schema}


#: The header with the address of a new resource.
LOCATION = ("Location",)

#: The header that identifies the version of a resource.
ETAG = ("ETag",)

#: Headers of responses, by name.
HEADERS: dict[str, Schema] = {
    "Location": _sent("The address of the resource", {"type": "string", "format": "uri-reference"}),
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit": {"description": "Requests left, and seconds until there are more", "schema": _STRING},
    "RateLimit-Policy": {"description": "The limit on requests, and its window in seconds", "schema": _STRING},
    "WWW-Authenticate": _sent("How to authenticate"),
    "ETag": _sent("Identifies this content"),
    "Accept-Ranges": _sent("none: the audio is streamed", {"enum": ["bytes", "none"]}),
    "Content-Range": _sent("The range of this part"),
    "Content-Disposition": _sent("A file name for the audio"),
    "Chorus-Job": _sent("The job's id"),
    "Chorus-Ignored": {"description": "Fields of the request that have no effect", "schema": _STRING},
    "X-Download-Path": {"description": "Where the job's audio is, below `/v1`", "schema": _STRING},
}
