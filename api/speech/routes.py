"""``/v1/audio/speech``, ``/v1/audio/voices`` and ``/v1/audio/models``: OpenAI's speech API, on jobs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.context import ceiling, context, owner
from api.http.capacity import Place
from api.http.idempotency import fingerprint, once
from api.http.json_body import read_json
from api.http.query import flag
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import IDEMPOTENCY_KEY, LEGACY
from api.routes.catalog import named_model, serving
from api.routes.jobs import submit
from api.speech.job import format_of, job_body, rate_of, speech_fields
from api.speech.reply import Speech
from api.streaming.audio import Wanted
from api.streaming.streams import client_reader, open_stream, stream_place
from audio.formats import output_rate
from audio.streaming import StreamFormat, content_type
from core import ids
from core.errors import Conflict, InternalError, NotFound
from core.names import Role
from models.base import ModelSpec, Voice
from pipelines.openai_names import speaks_text
from schemas import catalog_responses
from schemas.speech_requests import SpeechRequest, SpeechStream
from storage.ledger.records import Job
from storage.ledger.registry import live_stations
from storage.voices import StoredVoice

routes = Blueprint("speech", __name__, url_prefix="/v1/audio")

_EVENTS = "text/event-stream"
_MEDIA: dict[str, dict[str, Any]] = {content_type(kind, 24_000).split("; rate")[0]: {} for kind in StreamFormat}


@routes.post("/speech")
@operation(
    "createSpeech",
    {
        200: ResponseSpec(
            text="The audio, or events with pieces of it.",
            headers=("Chorus-Job", "Chorus-Ignored", "X-Download-Path"),
            media={**_MEDIA, _EVENTS: {}},
        )
    },
    body=SpeechRequest,
    parameters=(IDEMPOTENCY_KEY,),
    errors=(NotFound, Conflict, InternalError),
)
def create_speech() -> Response:
    """Speak a text, as OpenAI's API does: the audio is sent while it is rendered.

    The answer begins with the first audio; until then, a failure is an error of its own. If the client leaves, the job
    is canceled, unless the request has an `Idempotency-Key`."""
    body = read_json()
    with speech_fields():
        asked = SpeechRequest.model_validate(body)
    place = stream_place()
    try:
        with speech_fields():
            job = _job(asked, body)
        return _answer(asked, job, place)
    except BaseException:
        place.leave()
        raise


def _job(asked: SpeechRequest, body: dict[str, Any]) -> Job:
    """The job that speaks, which no other request has created."""
    ctx, live = context(), live_stations(context().redis)
    most = min(ceiling() or ctx.settings.max_expires_in, ctx.settings.max_expires_in)

    def make(job_id: str) -> Job:
        return submit(job_body(asked, ctx, owner(), live, most), {}, job_id, live=live)

    key = request.headers.get("Idempotency-Key")
    if key is None:
        return make(ids.JOB.new())
    return once(owner(), key, fingerprint(body, {}), ids.JOB.new(), make)


def _answer(asked: SpeechRequest, job: Job, place: Place) -> Response:
    ctx, kind = context(), format_of(asked)
    rate = output_rate(kind.as_file, ctx.catalog.sample_rate(job.plan) or 0, rate_of(asked))
    speech = Speech(ctx, job, Wanted(kind, rate), own="Idempotency-Key" not in request.headers)
    headers, media = _headers(asked, job), content_type(kind, rate)
    events = asked.stream_format is SpeechStream.SSE
    try:
        if events or (kind is not StreamFormat.FLAC if asked.stream is None else asked.stream):
            speech.begin(client_reader())
            make = speech.events if events else speech.audio
        else:
            headers["Content-Length"] = str(speech.fetch(client_reader()))
            make = speech.file
        answer = open_stream(lambda _: make(), _EVENTS if events else media, headers, place)
    except BaseException:
        speech.close()
        raise
    answer.call_on_close(speech.close)
    return answer


def _headers(asked: SpeechRequest, job: Job) -> dict[str, str]:
    headers = {"Chorus-Job": job.id}
    if asked.ignored:
        headers["Chorus-Ignored"] = ", ".join(asked.ignored)
    if asked.return_download_link:  # below the base URL of OpenAI's clients
        headers["X-Download-Path"] = f"/jobs/{job.id}/audio"
    return headers


@routes.get("/voices")
@operation("listSpeechVoices", {200: catalog_responses.SpeechVoiceList}, parameters=(LEGACY,))
def voices() -> Response:
    """List the voices that can speak: those of the models, and stored voices."""
    spec_voices = [_voice(m, v) for m in context().catalog.of(Role.SYNTHESIZE) for v in m.voices.values()]
    stored = context().voices.of(owner())
    found = [*spec_voices, *map(_stored, stored)]
    return jsonify(
        catalog_responses.SpeechVoiceList(
            object="list",
            voices=[voice["id"] for voice in found] if flag("legacy") else [*found],
            uploaded_voices=[_uploaded(voice) for voice in stored],
        )
    )


@routes.get("/models")
@operation("listSpeechModels", {200: catalog_responses.SpeechModelList})
def models() -> Response:
    """List the names of models that speak: OpenAI's, and pipelines."""
    names, live = context().openai_names, serving()
    speaking = [
        name
        for name in dict.fromkeys([*names.models, *names.pipelines])
        if any(speaks_text(target.pipeline) for target in names.alternatives(name))
    ]
    return jsonify(
        catalog_responses.SpeechModelList(object="list", models=[named_model(name, live) for name in speaking])
    )


def _voice(spec: ModelSpec, voice: Voice) -> catalog_responses.SpeechVoice:
    return catalog_responses.SpeechVoice(
        id=voice.name,
        object="voice",
        name=voice.name,
        voice_id=voice.name,
        model_id=spec.name,
        language=voice.language,
        description=voice.description,
        created=0,
        owned_by="chorus",
        sample_rate=spec.sample_rate,
    )


def _stored(voice: StoredVoice) -> catalog_responses.SpeechVoice:
    return catalog_responses.SpeechVoice(
        id=voice.id,
        object="voice",
        name=voice.name,
        voice_id=voice.id,
        model_id=None,
        language=None,
        description="",
        created=round(voice.created),
        owned_by=voice.owner,
        sample_rate=None,
    )


def _uploaded(voice: StoredVoice) -> catalog_responses.UploadedVoice:
    return catalog_responses.UploadedVoice(
        name=voice.id,
        speaker_description=voice.name,
        consent=voice.consent,
        created_at=round(voice.created),
        file_size=None,
        mime_type=None,
    )
