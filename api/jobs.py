"""``/v1/jobs``: submit, poll, download."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.problems import parse_json
from api.schemas import JobRequest
from api.views import accepted_view, job_view
from audio.encode import CONTENT_TYPES, check_rate
from core.errors import (
    ChorusError,
    Conflict,
    FieldError,
    InvalidRequest,
    InvalidText,
    LedgerUnavailable,
    Malformed,
    NotFound,
)
from core.metrics import count
from core.names import AudioFormat, JobState, OnError
from pipelines.definitions import Gift, get_pipeline
from pipelines.plan import Route, Wish, route
from storage.ledger import Job, NewJob
from text.speakable import has_word

routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")

#: Bytes of text that the ledger keeps beside a job; what is longer goes to storage.
TEXT_IN_LEDGER = 32_768

_CHUNK = 64 * 1024
_ID = re.compile(r"job_[0-9a-f]{24}")


@routes.post("")
def create() -> tuple[Response, int, dict[str, str]]:
    """Takes a job in and answers 202 at once."""
    if request.mimetype not in ("application/json", ""):
        raise Malformed("Send the job as application/json.", code="unsupported_media_type")
    body = JobRequest.model_validate(parse_json(request.get_data()))
    job = submit(body, owner())
    view = accepted_view(job)
    return jsonify(view), 202, {"Location": view["links"]["self"]}


@routes.get("/<job_id>")
def get(job_id: str) -> Response:
    """The job as it stands."""
    return jsonify(job_view(find_job(job_id)))


@routes.get("/<job_id>/audio")
def audio(job_id: str) -> Response:
    """The finished audio: whole, or the part that ``Range`` names."""
    job = find_job(job_id)
    if job.state is not JobState.SUCCEEDED:
        raise Conflict(f"The job is {job.state.value}: there is no audio.", code=f"job_{job.state.value}")
    found = (job.result or {}).get("audio")
    if not found:
        raise NotFound("This job's result is not audio.", code="no_audio")
    return _send(found, filename=f"{job.id}.{found['format']}")


def find_job(job_id: str) -> Job:
    """The owner's job of that id; another owner's is as absent as one that never was."""
    job = context().ledger.get(job_id) if _ID.fullmatch(job_id) else None
    if job is None or job.owner != owner():
        raise NotFound("There is no such job.", code="job_not_found")
    return job


def submit(body: JobRequest, owner_name: str) -> Job:
    """Validates, plans, writes the job down and lets its first step go."""
    ctx = context()
    chapters = _chapters(body)
    found = _route(body, has_text=bool(chapters))
    if body.output.sample_rate is not None:
        check_rate(body.output.format, body.output.sample_rate)
    job_id = f"job_{secrets.token_hex(12)}"
    text = json.dumps(chapters, ensure_ascii=False)
    document: dict[str, Any] = {
        "owner": owner_name,
        "pipeline": body.pipeline,
        "language": found.language,
        "voice": found.voice,
        "options": {k: v for k, v in found.options.items() if k != "seed"},
        "seed": found.options.get("seed", 0),
        "output": body.output.model_dump(mode="json", exclude_defaults=True) | {"format": body.output.format.value},
        "characters": sum(len(chapter["text"]) for chapter in chapters),
        "metadata": body.metadata,
    }
    if len(text.encode()) > TEXT_IN_LEDGER:
        document["text_object"] = f"{owner_name}/jobs/{job_id}/text.json"
        ctx.objects.put(document["text_object"], text.encode(), "application/json")
    ctx.ledger.create(
        NewJob(
            id=job_id,
            owner=owner_name,
            priority=body.priority,
            plan=found.plan,
            document=document,
            text=None if "text_object" in document else text,
            deadline=body.deadline or ctx.settings.job_deadline,
            keep=body.expires_in or ctx.settings.expires_in,
            silence=body.on_error is OnError.SILENCE,
        )
    )
    try:
        # From here on the job is accepted: the reaper would release it, should this not come to pass.
        ctx.dispatcher.release([found.plan.steps[0].station])
        count(ctx.redis, [("chorus_jobs_created_total", (body.pipeline,), 1.0)])
    except LedgerUnavailable:
        pass
    job = ctx.ledger.get(job_id)
    if job is None:
        raise LedgerUnavailable
    return job


def _route(body: JobRequest, *, has_text: bool) -> Route:
    ctx = context()
    pipeline = get_pipeline(body.pipeline, ctx.pipelines)
    return route(
        Wish(
            pipeline=pipeline,
            given=frozenset({Gift.TEXT} if has_text else ()),
            language=body.language,
            voice=body.voice,
            models=body.models,
            options=body.options,
        ),
        ctx.catalog,
    )


def _chapters(body: JobRequest) -> list[dict[str, str]]:
    """The text by chapter; none where the job has none."""
    if body.text is not None and body.chapters is not None:
        raise _wrong_text("chapters", "two_texts", "Give either text or chapters.")
    if body.text is None and body.chapters is None:
        return []
    chapters = body.chapters or []
    parts = [{"title": c.title, "text": c.text} for c in chapters] or [{"title": "", "text": body.text or ""}]
    name = "chapters" if chapters else "text"
    limit = context().settings.max_text_characters
    characters = sum(len(part["text"]) for part in parts)
    if characters > limit:
        raise _wrong_text(name, "text_too_long", f"The text has {characters} characters; {limit} are allowed.")
    if not any(part["text"].strip() for part in parts):
        raise _wrong_text(name, "empty_text", "The text is empty.")
    if not any(has_word(part["text"]) for part in parts):
        raise _wrong_text(name, "no_words", "The text has no word in it.")
    return parts


def _wrong_text(name: str, code: str, detail: str) -> ChorusError:
    return InvalidText(detail, code=code, fields=[FieldError(name, code, detail)])


def _send(found: dict[str, Any], filename: str) -> Response:
    size = int(found["bytes"])
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{found["sha256"]}"',
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "private, immutable",
    }
    if request.if_none_match.contains(found["sha256"]):
        return Response(status=304, headers=headers)
    part = _range(size)
    stream = context().objects.stream(found["object"], part and f"bytes={part[0]}-{part[1] - 1}")
    if part:
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    headers["Content-Length"] = str(stream.info.size)

    def chunks() -> Iterator[bytes]:
        while chunk := stream.body.read(_CHUNK):
            yield chunk

    kind = CONTENT_TYPES[AudioFormat(found["format"])]
    return Response(chunks(), status=206 if part else 200, headers=headers, content_type=kind)


def _range(size: int) -> tuple[int, int] | None:
    """The one part that ``Range`` asks for, as [start, end). Several parts are answered with the whole."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    part = asked.range_for_length(size)
    if part is None:
        error = InvalidRequest(f"The audio has {size} bytes.", code="range_not_satisfiable")
        error.status = 416
        raise error
    return part
