"""Batch formation: which of the waiting items make the next micro-batch.

The oldest item leads, and its nearest in cost go along, bounded by items and by padded cost. So padding stays
small and no item waits for ever: each micro-batch takes the oldest there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from models.base import Bounds


class Costed(Protocol):
    """What formation looks at."""

    @property
    def cost(self) -> int: ...


Waiting = TypeVar("Waiting", bound=Costed)


def form(waiting: Sequence[Waiting], bounds: Bounds) -> list[Waiting]:
    """The next micro-batch out of ``waiting``, which is in order of arrival.

    The cost of a padded micro-batch is items x the longest item's cost; where items are computed one by one it
    is the sum, and they go in order of arrival. An item over the bound goes alone.
    """
    if not waiting:
        return []
    head, *rest = waiting
    if bounds.padded:
        rest.sort(key=lambda item: abs(item.cost - head.cost))
    taken = [head]
    longest = total = head.cost
    for item in rest:
        longest, total = max(longest, item.cost), total + item.cost
        cost = (len(taken) + 1) * longest if bounds.padded else total
        if len(taken) >= bounds.items or cost > bounds.cost:
            break
        taken.append(item)
    return taken
