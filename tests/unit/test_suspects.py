"""The rule of poison on simulated deaths: nobody innocent is ended, and what ends its process soon is."""

from __future__ import annotations

import random
import time

import pytest

from core.work import ItemRef
from models.base import Bounds
from storage.ledger.records import Work
from tests.chaos.harness import VICTIMS, Options
from tests.chaos.stack import LEASE
from workers.microbatch import suspects
from workers.microbatch.entries import Entry, Served, next_batch
from workers.microbatch.suspects import Verdict, judge

#: Items that are simulated: at one false verdict in 100,000, the bound, there would be six.
ITEMS = 600_000

#: Seconds of a run: of what the chaos harness renders, alone, on a machine that is eight times too busy.
RUN = 8 * 0.05


def killed_a_second(kind: str) -> float:
    """How often the harness kills the one worker of a kind that is left: all others are just starting."""
    return VICTIMS[kind] / sum(VICTIMS.values()) / Options().gap


def deaths_until_ended(chance: random.Random, rate: float, run: float, *, poison: bool = False) -> tuple[int, bool]:
    """Deaths of processes until the item has run or is ended, and whether it was ended.

    Processes are killed ``rate`` times a second, whatever they do. A poison ends each within ``run`` seconds."""
    deaths, now, last = 0, 0.0, float("-inf")
    while True:
        verdict, wait = judge(max(0, deaths - 1), now - last)
        if verdict is Verdict.POISONED:
            return deaths, True
        if verdict is Verdict.WAIT:
            now += wait
            continue
        last, killed = now, chance.expovariate(rate)
        if killed > run and not poison:
            return deaths, False
        now += min(killed, run) + LEASE
        deaths += 1


def false_verdicts(items: int, rate: float, run: float) -> int:
    """How many innocent items are ended. The first death is not counted: the item was in company."""
    chance, found = random.Random(7), 0
    for _ in range(items):
        if chance.expovariate(rate) < run:  # it is a suspect; else it has run
            found += deaths_until_ended(chance, rate, run)[1]
    return found


@pytest.mark.parametrize("kind", ["sim", "cpu"])
def test_nobody_innocent_is_poisoned_at_the_rate_of_the_harness(kind: str) -> None:
    assert killed_a_second(kind) * RUN > 0.03, "the simulation kills too seldom to show anything"
    assert false_verdicts(ITEMS, killed_a_second(kind), RUN) == 0


def test_the_simulation_finds_a_rule_that_ends_the_innocent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "LONE_DEATHS", 2)
    assert false_verdicts(20_000, killed_a_second("sim"), RUN) > 0


def test_a_poison_ends_within_ten_deaths() -> None:
    chance = random.Random(8)
    for rate in (1e-6, killed_a_second("sim")):
        for _ in range(1000):
            deaths, ended = deaths_until_ended(chance, rate, RUN, poison=True)
            assert ended and deaths <= 10


def test_lone_tries_lie_ever_further_apart() -> None:
    gaps = [suspects.gap(deaths) for deaths in range(suspects.LONE_DEATHS)]
    assert gaps[:2] == [0.0, 0.0] and gaps == sorted(gaps) and sum(gaps) > 30
    assert judge(3, 0.0) == (Verdict.WAIT, suspects.gap(3))
    assert judge(3, suspects.gap(3)) == (Verdict.RUN, 0.0)


def test_a_suspect_runs_alone_behind_those_that_came_with_it() -> None:
    now = time.monotonic()

    def entry(index: int, starts: int, arrived: float) -> Entry:
        ref = ItemRef("job_1", 1, 1, index)
        return Entry(ref, "sim", [], work=Work(starts=starts), arrived=now + arrived)

    bounds = Bounds(items=8, cost=100, padded=False)
    served = Served(model=None, bounds=bounds)  # type: ignore[arg-type]
    served.ready = [entry(0, 2, 0.0), entry(1, 0, 0.1), entry(2, 1, 0.2), entry(3, 0, 0.3), entry(4, 0, 60.0)]
    order = []
    while served.ready:
        order.append([e.ref.index for e in next_batch(served)])
        served.ready = [e for e in served.ready if e.ref.index not in order[-1]]
    assert order == [[1, 3], [0], [2], [4]]
