"""What a role does around a model: load an item's artifacts before ``run``, store its output after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.work import Plan
from models.base import Item, ModelSpec, Output
from storage.ledger.records import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What storing an output gave the job, and how many seconds of audio were made."""

    gifts: Mapping[str, bytes | str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None  #: of the job, where its last step is this one
    plan: Plan | None = None  #: where this step decided how the ones behind it are done
    seconds: float = 0.0


class Station(Protocol):
    """Loading and storing for one role, around a model of ``spec``. Both are called from several threads at once.

    `load` answers with what is `Stored` where the work is done already, and nothing is run.
    """

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored: ...

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored: ...
