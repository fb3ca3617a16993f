"""``/v1/audio/transcriptions`` and ``/v1/audio/translations``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from api.context import context
from api.http.prefer import waiting_place
from api.openapi.operation import ResponseSpec, operation, unpublished
from api.routes.jobs import submit
from api.transcription.asking import choose_model, fields_of_the_form, job_of, read_form
from api.transcription.formats import CONTENT_TYPES, answer
from api.transcription.waiting import result_when_done
from core import ids
from core.errors import DeadlineExceeded, NotFound
from pipelines.definitions import StepData
from schemas.transcription.requests import TranscriptionForm
from schemas.transcription.responses import Transcription, VerboseTranscription
from storage.ledger.registry import live_stations

routes = Blueprint("transcription", __name__, url_prefix="/v1/audio")

_MEDIA: dict[str, dict[str, Any]] = {kind: {} for kind in (*CONTENT_TYPES.values(), "text/event-stream")}


@routes.post("/transcriptions")
@operation(
    "createTranscription",
    {
        200: ResponseSpec(
            (Transcription, VerboseTranscription), "The transcript, in the format that was asked for.", media=_MEDIA
        )
    },
    body=TranscriptionForm,
    pipeline="transcribe",
    errors=(NotFound, DeadlineExceeded),
)
def transcriptions() -> Response:
    """Transcribe a recording, as OpenAI's clients ask for it. The response comes when the transcript is done. A client
    that disconnects cancels it."""
    asked = read_form()
    live = live_stations(context().redis)
    target = context().openai_names.find(asked.model, live, StepData.TRANSCRIPT)
    spec = choose_model(target, asked.language, live)
    body = job_of(asked, target.pipeline.name, spec)
    place = waiting_place()
    try:
        with fields_of_the_form():
            job = submit(body, {"recording": asked.file}, ids.JOB.new())
        return answer(result_when_done(job), asked)
    finally:
        place.leave()


@routes.post("/translations")
@unpublished
def translations() -> Response:
    """Not supported."""
    detail = "Translation is not supported. /v1/audio/transcriptions gives the text in the language that is spoken."
    raise NotFound(detail, code="translation_not_supported")
