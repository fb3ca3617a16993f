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


class Gift(StrEnum):
    """What a job brings along or a step gives, and another step needs."""

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


#: What only the client can bring.
BROUGHT = frozenset({Gift.TEXT, Gift.LANGUAGE, Gift.VOICE, Gift.BASE_VOICE, Gift.REFERENCE, Gift.RECORDING})

#: What a step gives and a client may bring as well.
BRINGABLE = frozenset({Gift.SEGMENTS, Gift.EMBEDDING, Gift.VOICE})

#: What every job may say without a step needing it.
SAID = frozenset({Gift.LANGUAGE, Gift.VOICE, Gift.BASE_VOICE})

#: Where the role of a step is not that of its model's family: an encoder matches what it embeds.
_ALSO = {Role.MATCH: Role.EMBED}

#: Roles whose model works on one utterance at a time.
PER_UTTERANCE = frozenset({Role.SYNTHESIZE, Role.CONVERT})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStep:
    """One step as the file has it; ``type`` None means any model of that role."""

    role: Role
    type: str | None
    needs: tuple[Gift, ...]
    gives: Gift


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named list of steps."""

    name: str
    description: str
    steps: tuple[PipelineStep, ...]

    @property
    def gives(self) -> Gift:
        """What a job of this pipeline results in."""
        return self.steps[-1].gives


def family_role(role: Role) -> Role:
    """The role of the families whose models can do a step of ``role``."""
    return _ALSO.get(role, role)


class _StepEntry(BaseModel):
    model_config = _STRICT
    role: Role
    type: str | None = None
    needs: list[Gift] = Field(min_length=1)
    gives: Gift


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
        given: set[Gift] = set(BROUGHT)
        for n, step in enumerate(entry.steps):
            where = ("pipelines", name, "steps", n)
            family = family_at(yaml, (*where, "type"), step.type) if step.type else None
            if family and family.role is not family_role(step.role):
                raise yaml.error((*where, "type"), f"a {step.type} is for {family.role}, not for {step.role}")
            for gift in step.needs:
                if gift not in given:
                    raise yaml.error((*where, "needs"), f"nothing before this step gives {gift!r}")
            given.add(step.gives)
        steps = tuple(PipelineStep(role=s.role, type=s.type, needs=tuple(s.needs), gives=s.gives) for s in entry.steps)
        found[name] = Pipeline(name=name, description=entry.description, steps=steps)
    return found


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
