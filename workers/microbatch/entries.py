"""The items of this process: those that wait for each model, and which of them run next.

Nothing here takes a lock: the `MicroBatcher` calls it under its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.errors import ChorusError
from core.names import Role
from core.work import ItemRef
from models.base import Bounds, Item, Model, Output
from storage.ledger.records import Work
from workers.microbatch.formation import form
from workers.microbatch.suspects import Verdict, judge

#: Seconds behind a suspect's arrival within which others run before it.
COMPANY = 1.0


@dataclass(slots=True)
class Entry:
    """One item in this process; ``messages`` are settled once it has ended (more than one if redelivered)."""

    ref: ItemRef
    station: str
    messages: list[object]
    work: Work = field(default_factory=Work)
    role: Role = Role.SYNTHESIZE
    item: Item = field(default_factory=lambda: Item(inputs={}))
    cost: int = 1
    arrived: float = field(default_factory=time.monotonic)

    @property
    def suspect(self) -> bool:
        """Whether a process died, or was given up, while this item ran in it."""
        return self.work.starts > 0

    def judged(self) -> tuple[Verdict, float]:
        """What the deaths in which it was alone say: see `workers.microbatch.suspects.judge`."""
        return judge(self.work.starts_alone, time.time() - self.work.last_start)


@dataclass(slots=True, kw_only=True)
class Served:
    """One model that this process serves."""

    model: Model
    bounds: Bounds  #: the model's own, narrowed where memory ran out
    ready: list[Entry] = field(default_factory=list)  #: loaded, in order of arrival

    def remove(self, taken: Iterable[Entry]) -> None:
        """Takes entries out of those that are ready."""
        chosen = set(map(id, taken))
        self.ready[:] = [entry for entry in self.ready if id(entry) not in chosen]


@dataclass(slots=True)
class Finished:
    """A micro-batch that has run: its entries and an outcome each."""

    served: Served
    entries: list[Entry]
    outputs: list[Output | ChorusError]
    run_seconds: float


def next_batch(served: Served) -> list[Entry]:
    """The next micro-batch of a model that has something ready.

    A suspect runs alone, so that it takes no other item with it, and behind those that came with it: were it to end
    one process after the other, they would wait for a lease each time."""
    first, fine = served.ready[0], [entry for entry in served.ready if not entry.suspect]
    if first.suspect:
        fine = [entry for entry in fine if entry.arrived < first.arrived + COMPANY]
    return form(fine, served.bounds) if fine else [first]


def take_next(waiting: Iterable[Served]) -> tuple[Served, list[Entry]] | None:
    """The model whose oldest item has waited longest, and its next micro-batch, which is taken out."""
    served = min((one for one in waiting if one.ready), key=lambda one: one.ready[0].arrived, default=None)
    if served is None:
        return None
    taken = next_batch(served)
    served.remove(taken)
    return served, taken


def take_short(models: Mapping[str, Served], running: str, cost: int) -> tuple[Served, list[Entry]] | None:
    """A micro-batch of what is short and above suspicion, to run between two pieces of the model ``running``.

    An item of that model costs no more than ``cost``."""
    found = {}
    for name, served in models.items():
        most = min(served.bounds.cost, cost) if name == running else served.bounds.cost
        if short := [entry for entry in served.ready if not entry.suspect and entry.cost <= most]:
            found[name] = short
    if not found:
        return None
    name = min(found, key=lambda n: found[n][0].arrived)
    served = models[name]
    taken = form(found[name], served.bounds)
    served.remove(taken)
    return served, taken
