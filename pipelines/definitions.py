"""The pipelines of ``pipelines.yaml``, checked whole against the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidRequest
from core.names import Role
from core.settings import settings
from core.yamlfile import YamlFile
from models.families import family_at

DEFAULT_FILE = Path(__file__).parent / "pipelines.yaml"

_STRICT = ConfigDict(extra="forbid")


class StepData(StrEnum):
    """The inputs and outputs of steps: what one step or the job provides and another step needs."""

    TEXT = "text"
    LANGUAGE = "language"
    VOICE = "voice"
    BASE_VOICE = "base_voice"
    REFERENCE = "reference"
    RECORDING = "recording"
    SEGMENTS = "segments"
    EMBEDDING = "embedding"
    TRANSCRIPT = "transcript"
    SPEECH = "speech"


#: Inputs that only the client can provide.
BROUGHT = frozenset(
    {StepData.TEXT, StepData.LANGUAGE, StepData.VOICE, StepData.BASE_VOICE, StepData.REFERENCE, StepData.RECORDING}
)

#: Outputs of steps that a client may provide instead.
BRINGABLE = frozenset({StepData.SEGMENTS, StepData.EMBEDDING, StepData.VOICE})

#: Inputs that every job may have although no step needs them.
SAID = frozenset({StepData.LANGUAGE, StepData.VOICE, StepData.BASE_VOICE})

#: Roles of steps that differ from the role of the model's family: an encoder also does the matching.
_ALSO = {Role.MATCH: Role.EMBED}

#: Roles whose model works on one utterance at a time.
PER_UTTERANCE = frozenset({Role.SYNTHESIZE, Role.CONVERT})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStep:
    """One step as the file has it; ``type`` None means any model of that role."""

    role: Role
    type: str | None
    needs: tuple[StepData, ...]
    gives: StepData
    encoder: str | None = None  #: the type whose embeddings it takes, where no step before it makes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named list of steps."""

    name: str
    description: str
    steps: tuple[PipelineStep, ...]

    @property
    def gives(self) -> StepData:
        """The result of a job of this pipeline."""
        return self.steps[-1].gives

    @property
    def embedding_step(self) -> PipelineStep | None:
        """The first step that needs a speaker embedding, None where none does."""
        return next((step for step in self.steps if StepData.EMBEDDING in step.needs), None)

    @property
    def encoder(self) -> str | None:
        """The type of model whose speaker embeddings the pipeline uses; None if it uses any, or none."""
        user = self.embedding_step
        if user is None or user.encoder is not None:
            return user.encoder if user else None
        return next((step.type for step in self.steps if step.gives is StepData.EMBEDDING), None)


def family_role(role: Role) -> Role:
    """The role of the families whose models can do a step of ``role``."""
    return _ALSO.get(role, role)


class _StepEntry(BaseModel):
    model_config = _STRICT
    role: Role
    type: str | None = None
    needs: list[StepData] = Field(min_length=1)
    gives: StepData
    encoder: str | None = None


class _PipelineEntry(BaseModel):
    model_config = _STRICT
    description: str = ""
    steps: list[_StepEntry] = Field(min_length=1, max_length=16)


class _File(BaseModel):
    model_config = _STRICT
    pipelines: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")], _PipelineEntry]


def read_pipelines(path: Path) -> dict[str, Pipeline]:
    """Reads and checks a ``pipelines.yaml``. Raises `ConfigurationError` with file, line and reason."""
    yaml = YamlFile(path)
    found = {}
    for name, entry in yaml.parse(_File).pipelines.items():
        given: set[StepData] = set(BROUGHT)
        for n, step in enumerate(entry.steps):
            where = ("pipelines", name, "steps", n)
            family = family_at(yaml, (*where, "type"), step.type) if step.type else None
            if family and family.role is not family_role(step.role):
                raise yaml.error(
                    (*where, "type"), f"The type {step.type!r} has the role {family.role.value}, not {step.role.value}."
                )
            if step.encoder:
                _check_encoder(yaml, where, step)
                given.add(StepData.EMBEDDING)
            for needed in step.needs:
                if needed not in given:
                    raise yaml.error((*where, "needs"), f"No earlier step provides {needed.value!r}.")
            given.add(step.gives)
        steps = tuple(
            PipelineStep(role=s.role, type=s.type, needs=tuple(s.needs), gives=s.gives, encoder=s.encoder)
            for s in entry.steps
        )
        found[name] = Pipeline(name=name, description=entry.description, steps=steps)
    return found


def _check_encoder(yaml: YamlFile, where: tuple[str | int, ...], step: _StepEntry) -> None:
    if StepData.EMBEDDING not in step.needs:
        raise yaml.error((*where, "encoder"), "A step that needs no embedding has no encoder.")
    if family_at(yaml, (*where, "encoder"), step.encoder or "").role is not Role.EMBED:
        raise yaml.error((*where, "encoder"), f"The type {step.encoder!r} makes no embeddings.")


@lru_cache(maxsize=1)
def load_pipelines() -> Mapping[str, Pipeline]:
    """The pipelines of this process, read once."""
    return read_pipelines(settings().pipelines_file or DEFAULT_FILE)


def get_pipeline(name: str, pipelines: Mapping[str, Pipeline]) -> Pipeline:
    """The pipeline of that name. Raises `InvalidRequest` (``unknown_pipeline``) naming those there are."""
    if name not in pipelines:
        there = ", ".join(pipelines)
        raise InvalidRequest(f"The pipeline {name!r} does not exist. Available: {there}.", code="unknown_pipeline")
    return pipelines[name]
