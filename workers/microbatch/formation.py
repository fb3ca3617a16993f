"""Batch formation: choosing the items of the next micro-batch.

Every micro-batch includes the oldest waiting item, so an item never waits for more micro-batches than there were
items before it. The other items are a window of the nearest lengths: the window with the most work for its cost,
including padding and a fixed cost per micro-batch. So a short item does not wait for long ones, and rare long items
are batched before one of them becomes the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol, TypeVar

from models.base import Bounds

#: Fixed cost of a micro-batch, as a share of a full one of the median length. The simulated model of
#: ``benchmarks/`` has 100 ms beside 32 x 5 ms, which is 0.6; more of it means larger micro-batches and more padding.
FIXED_COST = 0.8


class Costed(Protocol):
    """What formation looks at."""

    @property
    def cost(self) -> int: ...


Waiting = TypeVar("Waiting", bound=Costed)


def form(waiting: Sequence[Waiting], bounds: Bounds) -> list[Waiting]:
    """The next micro-batch out of ``waiting``, which is in order of arrival; its oldest item comes first.

    The cost of a padded micro-batch is items x the longest item's cost. If items are computed one by one, it is the
    sum, and they run in order of arrival. An item above the limit runs alone.
    """
    if not waiting:
        return []
    return _window(waiting, bounds) if bounds.padded else _in_order(waiting, bounds)


def _in_order(waiting: Sequence[Waiting], bounds: Bounds) -> list[Waiting]:
    taken, total = [waiting[0]], waiting[0].cost
    for item in waiting[1 : bounds.items]:
        total += item.cost
        if total > bounds.cost:
            break
        taken.append(item)
    return taken


def _window(waiting: Sequence[Waiting], bounds: Bounds) -> list[Waiting]:
    """The window of sorted lengths around the oldest item that does the most work for its cost."""
    order = sorted(range(len(waiting)), key=lambda i: waiting[i].cost)
    costs = [waiting[i].cost for i in order]
    oldest = order.index(0)
    sums = [0, *accumulate(costs)]
    fixed = FIXED_COST * bounds.items * costs[len(costs) // 2]
    best = max(
        _windows(costs, oldest, bounds),
        key=lambda w: ((sums[w[1]] - sums[w[0]]) / ((w[1] - w[0]) * costs[w[1] - 1] + fixed), w[1] - w[0]),
        default=(oldest, oldest + 1),
    )
    chosen = sorted(order[slice(*best)])
    return [waiting[i] for i in chosen]


def _windows(costs: Sequence[int], oldest: int, bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Every window [first, end) of the sorted ``costs`` that contains the oldest item and is within the limits."""
    for end in range(oldest + 1, min(oldest + bounds.items, len(costs)) + 1):
        room = min(bounds.items, bounds.cost // costs[end - 1])
        yield from ((first, end) for first in range(max(0, end - room), oldest + 1))
