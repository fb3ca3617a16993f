"""Batch formation."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from models.base import Bounds
from workers.microbatch.formation import form


@dataclass(frozen=True)
class Waiting:
    number: int
    cost: int


costs = st.lists(st.integers(1, 500), min_size=1, max_size=60)
bounds = st.builds(Bounds, items=st.integers(1, 40), cost=st.integers(1, 4000), padded=st.booleans())


@given(costs, bounds)
def test_a_micro_batch_keeps_its_bounds_and_takes_the_oldest(lengths: list[int], limit: Bounds) -> None:
    waiting = [Waiting(n, cost) for n, cost in enumerate(lengths)]
    taken = form(waiting, limit)
    assert taken[0] is waiting[0]
    assert len({t.number for t in taken}) == len(taken) <= limit.items
    total = len(taken) * max(t.cost for t in taken) if limit.padded else sum(t.cost for t in taken)
    assert len(taken) == 1 or total <= limit.cost


@given(costs, bounds)
def test_everything_goes_within_as_many_micro_batches_as_there_were_items(lengths: list[int], limit: Bounds) -> None:
    waiting = [Waiting(n, cost) for n, cost in enumerate(lengths)]
    rounds = 0
    while waiting:
        taken = form(waiting, limit)
        waiting = [w for w in waiting if w not in taken]
        rounds += 1
    assert rounds <= len(lengths)


def test_nearest_lengths_go_together() -> None:
    waiting = [Waiting(n, cost) for n, cost in enumerate([100, 400, 90, 10, 110])]
    taken = form(waiting, Bounds(items=3, cost=10_000))
    assert sorted(t.cost for t in taken) == [90, 100, 110]


def test_a_long_item_does_not_take_short_ones_with_it() -> None:
    waiting = [Waiting(n, cost) for n, cost in enumerate([10, 12, 900, 11])]
    assert [t.number for t in form(waiting, Bounds(items=4, cost=100_000))] == [0, 1, 3]


def test_what_is_computed_one_by_one_goes_in_order_of_arrival() -> None:
    waiting = [Waiting(n, cost) for n, cost in enumerate([10, 900, 12, 11])]
    taken = form(waiting, Bounds(items=3, cost=100_000, padded=False))
    assert [t.number for t in taken] == [0, 1, 2]


def test_nothing_waits_nothing_goes() -> None:
    assert form([], Bounds(items=3, cost=10)) == []
