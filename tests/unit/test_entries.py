"""Which entries run next, and what a process measures of its own work."""

from __future__ import annotations

import pytest

from core.work import ItemRef
from models.base import Bounds
from storage.ledger.records import Work
from workers.microbatch.entries import Entry, Served, take_next, take_short
from workers.microbatch.pace import Pace


def served(*entries: tuple[int, float, int, int]) -> Served:
    """A model with ready entries: index, seconds of arrival, cost, starts."""
    one = Served(model=None, bounds=Bounds(items=8, cost=100, padded=False))
    for index, arrived, cost, starts in entries:
        ref = ItemRef("job_1", 1, 1, index)
        one.ready.append(Entry(ref, "sim", [], work=Work(starts=starts), cost=cost, arrived=arrived))
    return one


def indexes(entries: list[Entry]) -> list[int]:
    return [entry.ref.index for entry in entries]


def test_the_model_whose_oldest_item_waits_longest_is_next() -> None:
    young, old, idle = served((0, 2.0, 1, 0)), served((1, 1.0, 1, 0), (2, 3.0, 1, 0)), served()
    chosen = take_next([young, idle, old])
    assert chosen is not None
    assert chosen[0] is old and indexes(chosen[1]) == [1, 2]
    assert not old.ready and indexes(young.ready) == [0]
    assert take_next([idle]) is None


def test_what_is_long_or_suspect_is_not_let_through() -> None:
    models = {"a": served((0, 0.0, 50, 0), (1, 1.0, 5, 0)), "b": served((2, 0.5, 1, 3), (3, 2.0, 50, 0))}
    chosen = take_short(models, "a", 10)
    assert chosen is not None
    assert chosen[0] is models["a"] and indexes(chosen[1]) == [1]
    chosen = take_short(models, "a", 10)
    assert chosen is not None
    assert chosen[0] is models["b"] and indexes(chosen[1]) == [3]
    assert take_short(models, "a", 10) is None
    assert indexes(models["a"].ready) == [0] and indexes(models["b"].ready) == [2]


def test_busy_seconds_are_those_with_something_held(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("workers.microbatch.pace.time.monotonic", lambda: now)
    ours = Pace()
    ours.rest()
    ours.begin()
    now = 102.0
    ours.begin()
    now = 103.0
    assert ours.busy_seconds() == 3.0
    now = 104.0
    ours.rest()
    now = 110.0
    assert ours.busy_seconds() == 1.0
    assert ours.busy_seconds() == 0.0


def test_one_odd_micro_batch_changes_the_pace_little() -> None:
    ours = Pace()
    for seconds in (1.0, 1.0, 2.0):
        ours.note("a", seconds)
    ours.note("b", 0.5)
    assert ours.seconds == pytest.approx({"a": 1.2, "b": 0.5})
