"""The shapes of requests. A field that is not here is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.names import AudioFormat, OnError, Priority, Role

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


class JobRequest(BaseModel):
    """One job. Only ``pipeline`` and what it needs are required."""

    model_config = _Strict
    pipeline: Name
    text: str | None = None
    chapters: Annotated[list[Chapter], Field(min_length=1, max_length=1000)] | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=35)] | None = None
    voice: Name | None = None
    models: Annotated[dict[Role, Name], Field(max_length=16)] = {}
    options: Annotated[dict[Name, Any], Field(max_length=64)] = {}
    markup: Literal["none"] = "none"
    output: Output = Output()
    priority: Priority = Priority.NORMAL
    on_error: OnError = OnError.FAIL
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}
    expires_in: int | None = Field(None, ge=60, le=365 * 86_400, description="Seconds that results are kept")
    deadline: float | None = Field(None, ge=1, le=30 * 86_400, description="Seconds that the job may take")
