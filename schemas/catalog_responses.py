"""The shapes of responses about pipelines and models. See `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from core.names import Role
from schemas.shapes import Count, Shape

OptionType = Literal["boolean", "integer", "number", "string"]


class OptionView(Shape):
    """An option of a model family."""

    type: OptionType
    default: bool | int | float | str
    minimum: NotRequired[float]
    maximum: NotRequired[float]
    max_length: NotRequired[Annotated[int, Field(description="Characters of a string")]]
    choices: NotRequired[list[str]]
    description: str


class PipelineStepView(Shape):
    """A step of a pipeline."""

    role: Role
    type: Annotated[str | None, Field(description="null if the step accepts any model of the role")]
    gives: str


class PipelineView(Shape):
    """A named list of steps."""

    id: str
    object: Literal["pipeline"]
    description: str
    steps: list[PipelineStepView]
    needs: list[str]
    gives: str
    options: dict[str, OptionView]
    languages: list[str]
    voices: list[str]
    models: list[str]


class PipelineList(Shape):
    """All pipelines."""

    object: Literal["list"]
    data: list[PipelineView]


class ModelView(Shape):
    """A model: OpenAI's fields and additional ones."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: str
    role: Role
    languages: list[str]
    voices: list[str]
    options: dict[str, OptionView]
    sample_rate: Annotated[int | None, Field(description="Sample rate of its output, in Hz")]
    licence: str
    workers: Annotated[Count, Field(description="Number of live worker processes that serve it")]


class NamedModel(Shape):
    """A name of OpenAI's or of another API, and what it stands for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    maps_to: Annotated[list[str], Field(description="Pipelines and models, in the order of preference")]
    serving: Annotated[str | None, Field(description="The one that live workers serve; null: none")]


class ModelList(Shape):
    """All models, and OpenAI's names for them."""

    object: Literal["list"]
    data: list[ModelView | NamedModel]


# -- as clients of OpenAI's speech API read them: ``voices`` has the fields of Kokoro-FastAPI (``id``, ``name``) and of
# -- speaches (``voice_id``, ``model_id``, ``created``, ``owned_by``, ``sample_rate``), ``uploaded_voices`` of vLLM-Omni


class SpeechVoice(Shape):
    """A voice, with the value of ``voice`` that selects it as its ``id``."""

    id: str
    object: Literal["voice"]
    name: str
    voice_id: Annotated[str, Field(description="As id")]
    model_id: Annotated[str | None, Field(description="null: a stored voice, which has no model of its own")]
    language: str | None
    description: str
    created: int
    owned_by: str
    sample_rate: Annotated[int | None, Field(description="Hz")]


class UploadedVoice(Shape):
    """A stored voice. Its ``name`` is its id, since that is what a request names."""

    name: str
    speaker_description: Annotated[str, Field(description="The name that its owner has given it")]
    consent: str | None
    created_at: int
    file_size: None
    mime_type: None


class SpeechVoiceList(Shape):
    """The voices that can speak."""

    object: Literal["list"]
    voices: Annotated[list[SpeechVoice | str], Field(description="With legacy=true, names alone")]
    uploaded_voices: list[UploadedVoice]


class SpeechModelList(Shape):
    """The names of models that speak."""

    object: Literal["list"]
    models: list[NamedModel]
