"""What a role does around a model: load an item's artifacts before ``run``, store its output after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.base import Item, Output
from storage.ledger import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What storing an output gave the job, and how many seconds of audio were made."""

    gifts: Mapping[str, bytes | str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None  #: of the job, where its last step is this one
    seconds: float = 0.0


class Station(Protocol):
    """Loading and storing for one role. Both are called from several threads at once."""

    def load(self, work: Work) -> Item: ...

    def store(self, work: Work, item: Item, output: Output) -> Stored: ...
