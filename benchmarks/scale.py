"""Scaling: throughput of two model workers over one, on the simulated model."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time

from benchmarks.support.service import Site, say, site, works

ROUNDS = 3
JOBS, UTTERANCES = 8, 120


def drain(here: Site, workers: int) -> float:
    """Utterances per second of ``workers`` workers over a backlog of several jobs and owners."""
    with contextlib.ExitStack() as running:
        for number in range(1, workers + 1):
            running.enter_context(here.worker("sim", stored=False, number=number))
        owners = [f"owner{number % 4}" for number in range(JOBS)]
        refs = [here.lay(owner, "sim", works(owner, workers * UTTERANCES)) for owner in owners]
        here.forget_messages()
        begin = time.time()
        here.open(refs, "sim")
        return JOBS * workers * UTTERANCES / (max(here.wait_ended(refs)) - begin)


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """One worker and two in turns, each with as much work a worker; medians over the rounds."""
    one, two = [], []
    with site() as here:
        for _ in range(ROUNDS):
            one.append(drain(here, 1))
            two.append(drain(here, 2))
            say(f"one: {one[-1]:.1f}/s, two: {two[-1]:.1f}/s")
    return {
        "two_over_one": round(statistics.median(two) / statistics.median(one), 3),
        "one_per_s": round(statistics.median(one), 1),
        "two_per_s": round(statistics.median(two), 1),
        "rounds": ROUNDS,
    }
