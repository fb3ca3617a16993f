"""``/v1/voices``: model voices, and stored voices made from recordings."""

from __future__ import annotations

import contextlib
import time
from typing import IO, Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import FileStorage

from api.context import caller, context, owner
from api.http.forms import check_fields, json_object, no_such_file
from api.http.json_body import read_json
from api.http.prefer import wait_for_end
from api.job_views import views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import LOCATION, PREFER
from api.routes.catalog import stock_voices
from api.routes.jobs import ACCEPTED, accepted, submit
from core import ids
from core.errors import Conflict, FieldError, InvalidRequest, Malformed, NotFound
from core.names import Scope
from core.validation import parse_json
from pipelines.enrolment import encoders, enrol
from pipelines.intake import Intake
from schemas import responses
from schemas.requests import MAX_RECORDINGS, PreviewRequest, RecordingInput, VoiceChange, VoiceRequest
from storage.voices import StoredVoice, voice_folder

routes = Blueprint("voices", __name__, url_prefix="/v1/voices")

#: The default text of a preview.
SENTENCE = "This is how I sound. The quick brown fox jumps over the lazy dog."


@routes.get("")
@operation("listVoices", {200: responses.VoiceList})
def list_voices() -> Response:
    """List model voices and stored voices."""
    stored = [_stored(voice) for voice in context().voices.of(owner())]
    return jsonify(responses.VoiceList(object="list", data=[*stock_voices(), *stored]))


@routes.post("")
@operation(
    "createVoice",
    {202: ResponseSpec(responses.StoredVoice, "The voice is being prepared.", LOCATION)},
    body=VoiceRequest,
    form=True,
    errors=(NotFound,),
    scope=Scope.VOICES_WRITE,
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a stored voice from recordings. Its embeddings are computed once, for each named pipeline."""
    body, files = _read_voice()
    asked = VoiceRequest.model_validate(body)
    ctx = context()
    models = encoders(asked.pipelines, ctx.pipelines, ctx.catalog)
    given: list[tuple[str, RecordingInput | IO[bytes]]] = [(f"files.{n}", file.stream) for n, file in enumerate(files)]
    given += [(f"recordings.{n}", recording) for n, recording in enumerate(asked.recordings)]
    if not 1 <= len(given) <= MAX_RECORDINGS:
        detail = f"A voice needs 1 to {MAX_RECORDINGS} recordings."
        fields = [FieldError("recordings", "missing_recording", detail)]
        raise InvalidRequest(detail, code="missing_recording", fields=fields)
    voice_id = ids.VOICE.new()
    folder = voice_folder(owner(), voice_id)
    try:
        store = Intake(ctx).recording
        recordings = [store(owner(), "reference", one, folder, field) for field, one in given]
        voice = StoredVoice(
            id=voice_id,
            owner=owner(),
            name=asked.name,
            created=time.time(),
            models=models,
            recordings=recordings,
            consent=asked.consent,
        )
        enrol(ctx, voice, caller())
    except BaseException:
        ctx.objects.delete(*ctx.objects.names(f"{folder}/"))
        raise
    view = _stored(voice)
    return jsonify(view), 202, {"Location": view["links"]["self"]}


@routes.get("/<voice_id>")
@operation("getVoice", {200: ResponseSpec((responses.StockVoice, responses.StoredVoice), "The voice.")})
def get(voice_id: str) -> Response:
    """Retrieve a voice."""
    for stock in stock_voices():
        if stock["id"] == voice_id:
            return jsonify(stock)
    return jsonify(_stored(context().voices.get(owner(), voice_id)))


@routes.patch("/<voice_id>")
@operation("renameVoice", {200: responses.StoredVoice}, body=VoiceChange, scope=Scope.VOICES_WRITE)
def rename(voice_id: str) -> Response:
    """Rename a stored voice."""
    asked = VoiceChange.model_validate(read_json())
    return jsonify(_stored(context().voices.rename(owner(), voice_id, asked.name)))


@routes.delete("/<voice_id>")
@operation("deleteVoice", {204: None}, scope=Scope.VOICES_WRITE)
def delete(voice_id: str) -> Response:
    """Delete a stored voice, its recordings and its embeddings."""
    context().voices.delete(owner(), voice_id)
    return Response(status=204)


@routes.post("/<voice_id>/preview")
@operation("previewVoice", ACCEPTED, body=PreviewRequest, optional=True, parameters=(PREFER,), errors=(Conflict,))
def preview(voice_id: str) -> tuple[Response, int, dict[str, str]]:
    """Create a job that speaks a sentence with a voice."""
    asked = PreviewRequest.model_validate(read_json(b"{}"))
    body = {
        "pipeline": asked.pipeline or _pipeline_of(voice_id),
        "voice": voice_id,
        "text": asked.text or SENTENCE,
        "output": asked.output.model_dump(mode="json"),
        "priority": "interactive",
    }
    return accepted(wait_for_end(submit(body, {}, ids.JOB.new())))


def _pipeline_of(voice_id: str) -> str:
    """The first pipeline that supports a voice. Raises `NotFound`."""
    if ids.VOICE.begins(voice_id):
        return next(iter(context().voices.get(owner(), voice_id).models))
    for stock in stock_voices():
        if stock["id"] == voice_id and stock["pipelines"]:
            return str(stock["pipelines"][0])
    raise NotFound("The voice does not exist.", code="voice_not_found")


def _stored(voice: StoredVoice) -> responses.StoredVoice:
    return views().voice(voice, *context().voices.state(voice))


def _read_voice() -> tuple[dict[str, Any], list[FileStorage]]:
    """A voice's fields and files, from a JSON body or a multipart one. Raises `Malformed`."""
    if request.mimetype in ("application/json", ""):
        return read_json(), []
    if request.mimetype != "multipart/form-data":
        raise Malformed("Send the voice as application/json or multipart/form-data.", code="unsupported_media_type")
    body: dict[str, Any] = {}
    check_fields((name, value) for name in ("pipelines", "recordings") for value in request.form.getlist(name))
    for name, values in request.form.lists():
        if name == "pipelines":
            body[name] = [part for value in values for part in _names(value)]
        elif name == "recordings":
            body[name] = [json_object(f"{name}.{n}", value) for n, value in enumerate(values)]
        else:
            body[name] = values[-1]
    files = []
    for name, file in request.files.items(multi=True):
        if name not in ("files", "files[]"):
            raise no_such_file(name)
        files.append(file)
    return body, files


def _names(value: str) -> list[Any]:
    """``a,b`` or ``["a", "b"]``."""
    if value.startswith("["):
        with contextlib.suppress(Malformed):
            return list(parse_json(b'{"names": %s}' % value.encode())["names"])
    return [part.strip() for part in value.split(",")]
