"""From a request's body to a job in the ledger: validate, take in, plan, write down, let it go."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import FileStorage

from api.context import context
from api.intake import take_embedding, take_recording
from api.schemas import JobRequest, ReferenceInput
from audio.encode import check_rate
from core.errors import (
    ChorusError,
    FieldError,
    InvalidRequest,
    InvalidText,
    LedgerUnavailable,
    Unroutable,
)
from core.failpoints import reach
from core.metrics import count
from core.names import OnError, Role
from pipelines.definitions import Gift, get_pipeline
from pipelines.plan import Route, Wish, route
from storage.ledger import Job, NewJob
from text.speakable import has_word

#: Bytes of text that the ledger keeps beside a job; what is longer goes to storage.
TEXT_IN_LEDGER = 32_768

#: A sentence, near enough.
CHARACTERS_PER_UTTERANCE = 80

#: Files of a multipart body, by field: ``reference``, ``recording``.
Files = Mapping[str, FileStorage]


def new_job_id() -> str:
    """An id that nobody else has."""
    return f"job_{secrets.token_hex(12)}"


def submit(body: JobRequest, owner: str, files: Files | None = None, job_id: str | None = None) -> Job:
    """Writes a job down and lets its first step go. Nothing is written where it is refused, but for a recording
    that is kept under its hash."""
    files = files or {}
    ctx = context()
    chapters = _chapters(body)
    _check_pipeline(body, files)
    found = _route(body, _given(body, files))
    if body.output.sample_rate is not None:
        check_rate(body.output.format, body.output.sample_rate)
    job_id = job_id or new_job_id()
    document = _document(body, owner, found, chapters)
    document |= _take_in(body, owner, files, found)
    text = json.dumps(chapters, ensure_ascii=False) if chapters else None
    if text is not None and len(text.encode()) > TEXT_IN_LEDGER:
        document["text_object"] = f"{owner}/jobs/{job_id}/text.json"
        ctx.objects.put(document["text_object"], text.encode(), "application/json")
        text = None
    ctx.ledger.create(
        NewJob(
            id=job_id,
            owner=owner,
            priority=body.priority,
            plan=found.plan,
            document=document,
            text=text,
            deadline=body.deadline or ctx.settings.job_deadline,
            keep=body.expires_in or ctx.settings.expires_in,
            silence=body.on_error is OnError.SILENCE,
            load=estimated_load(document["characters"]),
        )
    )
    reach("api.created")
    with contextlib.suppress(LedgerUnavailable):
        # The job is accepted: should this not come to pass, the reaper releases it.
        ctx.dispatcher.release([found.plan.steps[0].station])
        count(ctx.redis, [("chorus_jobs_created_total", (document["pipeline"],), 1.0)])
    job = ctx.ledger.get(job_id)
    if job is None:
        raise LedgerUnavailable
    return job


def estimated_load(characters: int) -> int:
    """Utterances that a text of so many characters may come to; it is known better once it is prepared."""
    return 1 + characters // CHARACTERS_PER_UTTERANCE


def _check_pipeline(body: JobRequest, files: Files) -> None:
    if body.pipeline is not None:
        return
    if body.reference is not None or "reference" in files:
        detail = (
            "No cloning model is installed, so a reference needs a pipeline that is named. 'voice_match' speaks with"
            " the stock voice that is nearest to the reference; it does not clone."
        )
        raise Unroutable(detail, code="no_cloning_model", fields=[FieldError("pipeline", "no_cloning_model", detail)])
    detail = "Field required"
    raise InvalidRequest(
        f"pipeline: {detail}", code="missing_field", fields=[FieldError("pipeline", "missing_field", detail)]
    )


def _given(body: JobRequest, files: Files) -> frozenset[Gift]:
    given = {Gift(name) for name in files}
    if body.text is not None or body.chapters is not None:
        given.add(Gift.TEXT)
    if body.reference is not None:
        given.add(Gift.EMBEDDING if body.reference.embedding is not None else Gift.REFERENCE)
    if body.recording is not None:
        given.add(Gift.RECORDING)
    if body.segments is not None:
        given.add(Gift.SEGMENTS)
    return frozenset(given)


def _route(body: JobRequest, given: frozenset[Gift]) -> Route:
    ctx = context()
    wish = Wish(
        pipeline=get_pipeline(body.pipeline or "", ctx.pipelines),
        given=given,
        language=body.language,
        voice=body.voice,
        base_voice=body.base_voice,
        vad=body.vad,
        models=body.models,
        options=body.options,
    )
    return route(wish, ctx.catalog)


def _document(body: JobRequest, owner: str, found: Route, chapters: list[dict[str, str]]) -> dict[str, Any]:
    """What the steps need to know, without the text."""
    document: dict[str, Any] = {
        "owner": owner,
        "pipeline": body.pipeline,
        "gives": found.gives.value,
        "language": found.language,
        "voice": found.voice,
        "options": {k: v for k, v in found.options.items() if k != "seed"},
        "seed": found.options.get("seed", 0),
        "output": body.output.model_dump(mode="json", exclude_defaults=True) | {"format": body.output.format.value},
        "characters": sum(len(chapter["text"]) for chapter in chapters),
        "metadata": body.metadata,
    }
    if body.segments is not None:
        document["segments"] = [[s.start, s.end] for s in body.segments]
    return document


def _take_in(body: JobRequest, owner: str, files: Files, found: Route) -> dict[str, Any]:
    """Recordings and embeddings, kept in storage; only once the job is known to have a route."""
    taken: dict[str, Any] = {}
    for name in ("reference", "recording"):
        source = files.get(name) or getattr(body, name)
        if source is None:
            continue
        if isinstance(source, ReferenceInput) and source.embedding is not None:
            maker = found.plan.find(Role.MATCH) or found.plan.find(Role.CONVERT) or found.plan.find(Role.SYNTHESIZE)
            taken["embedding"] = take_embedding(owner, source.embedding, maker.station if maker else "")
        else:
            taken[name] = take_recording(owner, name, source)
    return taken


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
