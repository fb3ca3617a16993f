"""Steps around a model: they load an item's inputs before ``run`` and store its output after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import ArtifactMissing, ModelFailed
from core.work import Plan
from models.base import Item, ModelSpec, Output
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import NO_OUTPUTS, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The outputs of an item for its job, and the seconds of audio that were rendered."""

    outputs: StepOutputs = NO_OUTPUTS
    result: Mapping[str, Any] | None = None  #: of the job, where its last step is this one
    plan: Plan | None = None  #: where this step decided how the ones behind it are done
    seconds: float = 0.0


class SourceMissing(ArtifactMissing):
    """The artifact of the previous stage is missing and must be rendered again."""


class ModelStep(ABC):
    """Loading and storing for one role, around a model. Both methods are called from several threads at once."""

    @abstractmethod
    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The model's item; or `Stored` if the work is already done and nothing needs to run.

        Raises `SourceMissing` if the previous stage must render the utterance again."""

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Store the model's output."""
        raise ModelFailed(f"The output of {spec.name} cannot be stored by this step.")
