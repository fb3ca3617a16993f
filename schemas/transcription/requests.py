"""The fields of ``POST /v1/audio/transcriptions``: OpenAI's, and those that other servers of this API have added.

Sources: openai-python (types/audio/transcription_create_params), speaches (routers/stt). Values that ask for what
Chorus does not do are errors that name their field.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError


class TranscriptFormat(StrEnum):
    """The formats of OpenAI's transcripts."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE_JSON = "verbose_json"


class Granularity(StrEnum):
    """What has times in a transcript."""

    WORD = "word"
    SEGMENT = "segment"


def _is_file(value: Any) -> Any:
    if not hasattr(value, "stream"):
        raise PydanticCustomError("no_file", "The field must be a file, with a file name.")
    return value


def _greedy(temperature: float) -> float:
    if temperature != 0:
        raise PydanticCustomError("unsupported", "Only 0 is supported: the same recording gives the same text.")
    return temperature


def _always(filtered: bool) -> bool:
    if not filtered:
        raise PydanticCustomError("unsupported", "Only true is supported: nothing is transcribed where nobody speaks.")
    return filtered


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


File = Annotated[Any, BeforeValidator(_is_file), WithJsonSchema({"type": "string", "format": "binary"})]
Language = Annotated[
    Annotated[str, StringConstraints(min_length=2, max_length=35)] | None, BeforeValidator(_none_if_empty)
]
Temperature = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_greedy), WithJsonSchema({"const": 0})]
VadFilter = Annotated[bool, AfterValidator(_always), WithJsonSchema({"const": True})]


class TranscriptionForm(BaseModel):
    """A recording to transcribe."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    # OpenAI
    file: File = Field(description="The recording, in any format that is decoded; its name does not matter")
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="A name of `GET /v1/models`, such as whisper-1, or a pipeline"
    )
    language: Language = Field(None, description="BCP 47, such as en; default: detected by the model")
    prompt: str = Field("", description="Text as if said before: names, spelling, style; its end is used")
    response_format: TranscriptFormat = TranscriptFormat.JSON
    temperature: Temperature = Field(0.0, description="Only 0")
    timestamp_granularities: Annotated[list[Granularity], Field(max_length=2)] = Field(
        [], alias="timestamp_granularities[]", description="With verbose_json: segment (the default), word, or both"
    )
    stream: bool = Field(
        False, description="true, with json or text: server-sent events, which come when the transcript is done"
    )
    chunking_strategy: Literal["auto"] | None = Field(None, description="Only auto, which is what is always done")
    keywords: Annotated[list[str], Field(max_length=100)] = Field(
        [], alias="keywords[]", description="Words that may be said"
    )

    # speaches
    hotwords: str = Field("", description="Words that may be said; their beginning is used")
    vad_filter: VadFilter = Field(True, description="Only true: nothing is transcribed where nobody speaks")
    without_timestamps: bool = Field(True, description="Has no effect: segments always have times")

    @property
    def words(self) -> bool:
        """Whether words have times."""
        return Granularity.WORD in self.timestamp_granularities

    @property
    def segments(self) -> bool:
        """Whether a verbose transcript has segments."""
        return Granularity.SEGMENT in self.timestamp_granularities or not self.timestamp_granularities


#: Fields that may come several times, by their names in the form.
LISTS = frozenset(
    field.alias for field in TranscriptionForm.model_fields.values() if field.alias and field.alias.endswith("[]")
)
