"""Cost of padding: formed micro-batches compared with first-in-first-out, over lognormal lengths."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.base import Bounds
from workers.microbatch.formation import form

#: Median length (tokens of a sentence) and spread of the logarithm.
MEDIAN, SIGMA = 120.0, 0.8

WAITING, MOST = 96, 32
ROUNDS, MICRO_BATCHES = 5, 400

#: So many micro-batches fill the pool with what a busy worker meets; they are not counted.
WARM_UP = 20

BOUNDS = Bounds(items=MOST, cost=1 << 40)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting item: its length, and the micro-batch before which it came."""

    cost: int
    since: int


Former = Callable[[Sequence[Waiting]], list[Waiting]]


@dataclass(frozen=True, slots=True)
class Padding:
    """What a run of micro-batches came to."""

    padded_over_true: float
    mean_batch: float
    longest_wait: int  #: micro-batches that any item had to let pass


def simulate(former: Former, lengths: Sequence[int], waiting: int = WAITING) -> Padding:
    """Drains ``lengths`` through ``former`` as a busy worker does: ``waiting`` items, filled up again each time.

    It ends when the pool cannot be filled any more, so that every micro-batch had its choice."""
    coming = iter(lengths)
    pool: list[Waiting] = []
    padded = true = items = batches = passed = longest = 0
    while True:
        pool += [Waiting(cost, passed) for cost in islice(coming, waiting - len(pool))]
        if len(pool) < waiting:
            return Padding(padded / true, items / batches, longest)
        taken = former(pool)
        chosen = set(map(id, taken))
        pool = [item for item in pool if id(item) not in chosen]
        passed += 1
        if passed > WARM_UP:
            costs = [item.cost for item in taken]
            padded += len(costs) * max(costs)
            true += sum(costs)
            items += len(costs)
            batches += 1
            longest = max(longest, *(passed - 1 - item.since for item in taken))


def lengths(seed: int, count: int) -> list[int]:
    """Lognormal lengths in tokens, at least 1."""
    drawn = np.random.default_rng(seed).lognormal(np.log(MEDIAN), SIGMA, count)
    return [max(1, round(float(length))) for length in drawn]


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Formation and first-in-first-out over the same lengths; medians over the rounds."""
    drawn = [lengths(seed, MOST * MICRO_BATCHES) for seed in range(ROUNDS)]
    formed = [simulate(lambda pool: form(pool, BOUNDS), one) for one in drawn]
    fifo = [simulate(lambda pool: list(pool[:MOST]), one) for one in drawn]
    return {
        "padded_over_true": round(statistics.median(p.padded_over_true for p in formed), 3),
        "padded_over_true_fifo": round(statistics.median(p.padded_over_true for p in fifo), 3),
        "mean_batch": round(statistics.median(p.mean_batch for p in formed), 2),
        "mean_batch_fifo": round(statistics.median(p.mean_batch for p in fifo), 2),
        "padded_over_true_worst_round": round(max(p.padded_over_true for p in formed), 3),
        "longest_wait_micro_batches": max(p.longest_wait for p in formed),
        "waiting": WAITING,
        "sigma": SIGMA,
        "rounds": ROUNDS,
        "micro_batches_per_round": MICRO_BATCHES,
    }
