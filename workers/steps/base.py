"""What a step does around a model: it loads an item's inputs before ``run`` and stores its output after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import ArtifactMissing, ModelFailed
from core.work import Plan
from models.base import Item, ModelSpec, Output
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an item gave its job, and how many seconds of audio were made."""

    outputs: StepOutputs = field(default_factory=StepOutputs)
    result: Mapping[str, Any] | None = None  #: of the job, where its last step is this one
    plan: Plan | None = None  #: where this step decided how the ones behind it are done
    seconds: float = 0.0


class SourceMissing(ArtifactMissing):
    """What the stage before rendered for this utterance is gone: it is rendered again."""


class ModelStep(ABC):
    """Loading and storing for one role, around a model. Both methods are called from several threads at once."""

    @abstractmethod
    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The model's item; or what is `Stored` where the work is done already, and nothing is run.

        Raises `SourceMissing` where the stage before must render the utterance again."""

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Stores what the model gave."""
        raise ModelFailed(f"Nothing stores what {spec.name} gives here.")
