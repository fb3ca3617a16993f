"""The body of ``POST /v1/audio/speech``: OpenAI's fields, and those that other servers of this API have added.

Sources: openai-python (types/audio/speech_create_params), Kokoro-FastAPI (README), speaches (docs/usage), vLLM-Omni
(docs/serving/speech_api). Values that ask for what Chorus does not do are errors that name their field.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.requests import Flag, Metadata, Number, Retention, SampleRate, only, whole

_Strict = ConfigDict(extra="forbid", hide_input_in_errors=True)

#: What the reference of a voice may have, in characters: a recording of some minutes in base64.
_MAX_REFERENCE = 16 * 2**20


class ResponseFormat(StrEnum):
    """The formats of OpenAI's speech."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"  #: 16 bits, mono, 24,000 Hz if no ``sample_rate`` is given


class SpeechStream(StrEnum):
    """How speech is sent: as the audio itself, or as server-sent events with pieces of it in base64."""

    AUDIO = "audio"
    SSE = "sse"


VoiceName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**53), BeforeValidator(whole)]


class VoiceObject(BaseModel):
    """A voice by its id, as OpenAI writes a custom one."""

    model_config = _Strict
    id: VoiceName


class NormalizationOptions(BaseModel):
    """Kokoro-FastAPI's switches of normalization: ``normalize`` is that of a job. Single parts cannot be left out."""

    model_config = _Strict
    normalize: Flag = True
    unit_normalization: Flag = False
    url_normalization: Flag = True
    email_normalization: Flag = True
    optional_pluralization_normalization: Flag = True
    phone_normalization: Flag = True
    replace_remaining_symbols: Flag = True

    @model_validator(mode="after")
    def complete(self) -> NormalizationOptions:
        """All parts, or none."""
        parts = set(type(self).model_fields) - {"normalize", "unit_normalization"}
        if self.normalize and not all(getattr(self, part) for part in parts):
            raise PydanticCustomError("unsupported", "Single parts of normalization cannot be left out.")
        return self


class SpeechRequest(BaseModel):
    """A text to speak. ``input`` is required; ``model`` and ``voice`` are by default the first that are served."""

    model_config = _Strict

    # OpenAI
    input: str = Field(description="The text", json_schema_extra={"minLength": 1})
    model: str | None = Field(None, description="A name of `GET /v1/models`, or a pipeline", max_length=1000)
    voice: VoiceName | VoiceObject | None = Field(
        None, description="A voice of the model, a mix of its voices, a stored voice (`vo_…`), or a name of OpenAI's"
    )
    response_format: ResponseFormat | None = Field(None, description="Default: mp3")
    speed: Number | None = Field(None, ge=0.25, le=4.0, description="Times the voice's own pace")
    stream_format: SpeechStream | None = Field(
        None, description="audio (the default), or sse: `speech.audio.delta` events with base64"
    )
    instructions: Annotated[str, StringConstraints(max_length=20_000)] | None = Field(
        None, description="Accepted and not followed: no model here can. See the header `Chorus-Ignored`"
    )

    # Chorus
    language: Annotated[str, StringConstraints(min_length=1, max_length=35)] | None = Field(
        None, description="BCP 47, or the English name of a language; Auto: the voice's own"
    )
    seed: Seed | None = Field(None, description="Seed of the noise generators")
    expires_in: Retention | None = Field(None, description="Seconds that the job and its audio are kept; default: 3600")
    metadata: Metadata = {}

    # Kokoro-FastAPI
    stream: Flag | None = Field(
        None,
        description="false: the whole file, with Content-Length. Default: true, except for flac, whose header would not"
        " say how long it is",
    )
    lang_code: Annotated[str, StringConstraints(min_length=1, max_length=35)] | None = Field(
        None, description="As language; or a letter of Kokoro's: a, b, e, f, h, i, j, p, z"
    )
    normalization_options: NormalizationOptions | None = None
    volume_multiplier: Number | None = Field(None, ge=1, le=1, description="Only 1")
    download_format: ResponseFormat | None = Field(
        None, description="Format of the file that the job keeps; default: response_format"
    )
    return_download_link: Flag = Field(False, description="true: the header X-Download-Path names the job's audio")
    return_timing: Annotated[Literal[False], only(False)] = Field(False, description="Only false")
    ssml: Flag = Field(False, description="true: the input is SSML")
    allow_voice_tags: Flag = Field(False, description="Only false, unless ssml is true")
    voice_aliases: Annotated[dict[str, Any], Field(max_length=0)] | None = Field(None, description="Only empty")

    # speaches, vLLM-Omni
    sample_rate: SampleRate | None = Field(None, description="Hz; default: the voice's own, 24,000 for pcm")

    # vLLM-Omni
    ref_audio: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_REFERENCE)] | None = Field(
        None,
        description="The voice to clone: a URL, a data URL, base64, or an upload (`up_…`)",
    )
    ref_text: Annotated[str, StringConstraints(max_length=20_000)] | None = Field(
        None, description="Accepted and not used: the models here clone from the sound alone"
    )
    task_type: Literal["CustomVoice", "Base"] | None = Field(
        None, description="Base needs ref_audio or a stored voice; VoiceDesign is not supported"
    )
    x_vector_only_mode: Flag | None = Field(None, description="true is what the models here do; false is not used")
    max_new_tokens: Annotated[int, Field(strict=True, ge=1), BeforeValidator(whole)] | None = Field(
        None, description="Not used"
    )

    @model_validator(mode="after")
    def fits(self) -> SpeechRequest:
        """Fields that need others."""
        if self.allow_voice_tags and not self.ssml:
            raise PydanticCustomError("unsupported", "allow_voice_tags is only supported with ssml.")
        if self.language is not None and self.lang_code is not None and self.language != self.lang_code:
            raise PydanticCustomError("two_languages", "Send either language or lang_code.")
        if self.stream is False and self.stream_format is SpeechStream.SSE:
            raise PydanticCustomError("unsupported", "stream_format sse is a stream.")
        return self

    @property
    def ignored(self) -> list[str]:
        """The fields that are given and have no effect."""
        names = ("instructions", "ref_text", "max_new_tokens")
        unused = [name for name in names if getattr(self, name)]
        return [*unused, *(["x_vector_only_mode"] if self.x_vector_only_mode is False else [])]
