"""The shapes of requests. A field that is not here is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from core.names import AudioFormat, OnError, Priority, Role, VadMode

_Strict = ConfigDict(extra="forbid", hide_input_in_errors=True)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class Chapter(BaseModel):
    """A part of a longer text."""

    model_config = _Strict
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    text: str


class Output(BaseModel):
    """What the audio is to be like."""

    model_config = _Strict
    format: AudioFormat = AudioFormat.WAV
    sample_rate: int | None = Field(None, ge=8000, le=48_000, description="Hz; null keeps the voice's own")
    loudness: float | None = Field(None, ge=-40, le=-5, description="LUFS over the whole; null leaves it as it is")


class RecordingInput(BaseModel):
    """Audio by one of its ways in."""

    model_config = _Strict
    upload: Name | None = None
    base64: str | None = None


class EmbeddingInput(BaseModel):
    """A speaker embedding as an ``embed`` job gave it."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    model: Name
    values: Annotated[list[float], Field(min_length=1, max_length=4096)]


class ReferenceInput(RecordingInput):
    """The speaker to be cloned: a recording, or an embedding (its JSON, or base64 of its safetensors file)."""

    embedding: EmbeddingInput | str | None = None

    @model_validator(mode="after")
    def one_way(self) -> ReferenceInput:
        """Exactly one way in."""
        if sum(value is not None for value in (self.upload, self.base64, self.embedding)) != 1:
            raise PydanticCustomError("one_of", "give one of upload, base64 or embedding")
        return self


class SegmentInput(BaseModel):
    """A stretch of speech in a recording, in seconds."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    start: float = Field(ge=0, le=86_400, allow_inf_nan=False)
    end: float = Field(gt=0, le=86_400, allow_inf_nan=False)

    @model_validator(mode="after")
    def forwards(self) -> SegmentInput:
        """It ends after it starts."""
        if self.end <= self.start:
            raise PydanticCustomError("backwards", "a segment ends after it starts")
        return self


class JobRequest(BaseModel):
    """One job. Only ``pipeline`` and what it needs are required."""

    model_config = _Strict
    pipeline: Name | None = None
    text: str | None = None
    chapters: Annotated[list[Chapter], Field(min_length=1, max_length=1000)] | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=35)] | None = None
    voice: Name | None = None
    base_voice: Name | None = None
    reference: ReferenceInput | None = None
    recording: RecordingInput | None = None
    segments: Annotated[list[SegmentInput], Field(min_length=1, max_length=10_000)] | None = None
    vad: VadMode = VadMode.SILERO
    models: Annotated[dict[Role, Name], Field(max_length=16)] = {}
    options: Annotated[dict[Name, Any], Field(max_length=64)] = {}
    markup: Literal["none"] = "none"
    output: Output = Output()
    priority: Priority = Priority.NORMAL
    on_error: OnError = OnError.FAIL
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}
    expires_in: int | None = Field(None, ge=60, le=365 * 86_400, description="Seconds that results are kept")
    deadline: float | None = Field(None, ge=1, le=30 * 86_400, description="Seconds that the job may take")
