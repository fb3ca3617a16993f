"""From a request for speech to the body of the job that speaks it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from api.speech.languages import language_of
from audio.formats import check_rate
from audio.streaming import StreamFormat
from core import ids
from core.errors import FieldError, InvalidRequest, NotFound, RequestError, Unroutable
from core.names import AudioFormat, Markup, Normalize, Priority, Role
from core.validation import from_validation
from pipelines.connections import Connections
from pipelines.definitions import Pipeline
from pipelines.enrolment import takes_stored_voices
from pipelines.openai_names import VOICES, Target, speaks_text
from schemas.speech_requests import ResponseFormat, SpeechRequest, VoiceObject

#: Seconds that a job of a request for speech is kept by default.
KEPT = 3600

#: Hz of ``pcm``, as OpenAI's.
PCM_RATE = 24_000

#: Formats of a job's file, where it cannot have the format of the request: lossless, as they are encoded again.
_FILES = {ResponseFormat.AAC: AudioFormat.FLAC, ResponseFormat.PCM: AudioFormat.FLAC}

#: Fields of a job, and those of the request that they come from.
_FIELDS = {
    **{"text": "input", "reference": "ref_audio", "base_voice": "voice", "pipeline": "model"},
    **{"options.speed": "speed", "options.seed": "seed", "output.sample_rate": "sample_rate"},
}


def format_of(asked: SpeechRequest) -> StreamFormat:
    """The format of the speech."""
    return StreamFormat(asked.response_format or ResponseFormat.MP3)


def rate_of(asked: SpeechRequest) -> int | None:
    """The rate in Hz of the speech; None for the voice's own."""
    return asked.sample_rate or (PCM_RATE if asked.response_format is ResponseFormat.PCM else None)


def job_body(asked: SpeechRequest, ctx: Connections, owner: str, live: Collection[str], most: int) -> dict[str, Any]:
    """The body of a job. ``live``: the stations that workers serve; ``most``: the maximum retention in seconds.

    Raises `NotFound` (``model_not_found``), `InvalidRequest` naming a field of the request, and `Unroutable`
    (``no_cloning_model``).
    """
    language, voice, rate = language_of(asked.language or asked.lang_code), _voice(asked), rate_of(asked)
    if rate is not None:
        check_rate(format_of(asked).as_file, rate)
    body: dict[str, Any] = {
        "text": asked.input,
        "options": _options(asked),
        "markup": Markup.SSML if asked.ssml else Markup.NONE,
        "output": {"format": _file_format(asked), "sample_rate": rate},
        "priority": Priority.INTERACTIVE,
        "metadata": asked.metadata,
        "expires_in": asked.expires_in or min(KEPT, most),
    }
    if language is not None:
        body["language"] = language
    if asked.normalization_options and not asked.normalization_options.normalize:
        body["normalize"] = Normalize.NONE
    stored = voice is not None and ids.VOICE.begins(voice)
    if asked.ref_audio is None and not stored:
        if asked.task_type == "Base":
            raise _wrong("ref_audio", "missing_reference", "Base needs ref_audio, or a stored voice as voice.")
        target, chosen = ctx.openai_names.speaker(asked.model, voice, live, language)
        return body | _named(target) | ({} if chosen is None else {"voice": chosen})
    pipeline, models = _cloning(asked, ctx, owner, voice if stored else None, live)
    body |= _named(Target(name=pipeline.name, pipeline=pipeline, models=models))
    if asked.ref_audio is not None:
        body["reference"] = _reference(asked.ref_audio)
    if stored:
        body["voice"] = voice
    elif voice is not None and voice not in VOICES:  # OpenAI's client cannot leave it out
        body["base_voice"] = voice
    return body


@contextmanager
def speech_fields() -> Iterator[None]:
    """Names the fields of the request in the errors of a job."""
    try:
        yield
    except ValidationError as error:
        raise _renamed(from_validation(error)) from error
    except RequestError as error:
        raise _renamed(error) from error


def _renamed(error: RequestError) -> RequestError:
    if not error.fields and error.code.startswith(("voice_", "embedding_")):
        error.fields = (FieldError("voice", error.code, error.message),)
    for field in error.fields:
        name = _field(field.field)
        if error.message.startswith(f"{field.field}: "):
            error.message = f"{name}: {error.message.removeprefix(f'{field.field}: ')}"
    error.fields = tuple(replace(field, field=_field(field.field)) for field in error.fields)
    return error


def _field(name: str) -> str:
    """The field of the request; pydantic names the kinds of a voice behind it."""
    start = name.partition(".")[0]
    if start in ("reference", "voice"):
        name = start
    return _FIELDS.get(name, name)


def _voice(asked: SpeechRequest) -> str | None:
    return asked.voice.id if isinstance(asked.voice, VoiceObject) else asked.voice


def _options(asked: SpeechRequest) -> dict[str, Any]:
    """Without a speed of 1, which is that of every voice, also of those that have no other."""
    speed = {} if asked.speed in (None, 1) else {"speed": asked.speed}
    return speed if asked.seed is None else {**speed, "seed": asked.seed}


def _file_format(asked: SpeechRequest) -> AudioFormat:
    wanted = asked.download_format or asked.response_format or ResponseFormat.MP3
    return _FILES.get(wanted) or AudioFormat(wanted.value)


def _named(target: Target) -> dict[str, Any]:
    return {"pipeline": target.pipeline.name, "models": dict(target.models)}


def _reference(given: str) -> dict[str, str]:
    """A URL, an upload, or base64, also in a data URL."""
    if given.lower().startswith(("http://", "https://")):
        return {"url": given}
    if ids.UPLOAD.begins(given):
        return {"upload": given}
    if "://" in given[:32]:
        raise _wrong("ref_audio", "invalid_value", "Only http, https and data URLs are supported.")
    return {"base64": given}


def _cloning(
    asked: SpeechRequest, ctx: Connections, owner: str, stored: str | None, live: Collection[str]
) -> tuple[Pipeline, dict[Role, str]]:
    """The pipeline that clones a voice: that of ``model`` if it does, else the one with most languages."""
    names = ctx.openai_names
    if asked.model is not None:
        target = names.find(asked.model, live)
        if takes_stored_voices(target.pipeline):
            return target.pipeline, dict(target.models)
    fitting = [pipeline for pipeline in names.pipelines.values() if _clones(pipeline)]
    if not fitting:
        detail = (
            "No cloning model is installed. The model 'voice_match' speaks with the stock voice nearest to a recorded"
            " one; it does not clone."
        )
        name = "voice" if asked.ref_audio is None else "ref_audio"
        raise Unroutable(detail, code="no_cloning_model", fields=[FieldError(name, "no_cloning_model", detail)])
    made_for = _made_for(ctx, owner, stored)
    fitting.sort(key=lambda pipeline: _order(pipeline, ctx, made_for, live))
    return fitting[0], {}


def _made_for(ctx: Connections, owner: str, stored: str | None) -> Collection[str]:
    """The pipelines that a stored voice was made for."""
    if stored is None:
        return ()
    try:
        return ctx.voices.get(owner, stored).models
    except NotFound as error:
        raise _wrong("voice", error.code, error.message) from error


def _order(pipeline: Pipeline, ctx: Connections, made_for: Collection[str], live: Collection[str]) -> tuple[int, ...]:
    names, target = ctx.openai_names, Target(name=pipeline.name, pipeline=pipeline)
    speaking = [m for s in pipeline.steps if s.role is Role.SYNTHESIZE for m in ctx.catalog.of(s.role, s.type)]
    languages = {language for model in speaking for language in model.languages}
    return (pipeline.name not in made_for, not names.served(target, live), -len(languages))


def _clones(pipeline: Pipeline) -> bool:
    """Whether it speaks a text in the voice of a reference, and not in the stock voice nearest to it."""
    matches = any(step.role is Role.MATCH for step in pipeline.steps)
    return speaks_text(pipeline) and takes_stored_voices(pipeline) and not matches


def _wrong(field: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code=code, fields=[FieldError(field, code, detail)])
