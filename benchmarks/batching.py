"""Micro-batching under a steady load: throughput and latency at 60 and 100 utterances per second."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from benchmarks.support.processes import PLAIN_SIM
from benchmarks.support.service import Plain, Site, percentile, say, site, works
from core.work import ItemRef

RATES = (60, 100)
ROUNDS = 2

#: Seconds of load, and those at its beginning that are not counted: the worker is not busy yet.
SECONDS, WARM_UP = 15.0, 2.0

#: Utterances per second that no worker keeps up with, and for how many seconds.
OVERLOAD, OVERLOAD_SECONDS = 200, 12.0


def arrive(here: Site, refs: Sequence[ItemRef], rate: float) -> list[float]:
    """Opens one job after another, evenly, whatever the worker does; when each was due (Unix seconds)."""
    begin = time.time() + 0.1
    due = [begin + number / rate for number in range(len(refs))]
    for ref, when in zip(refs, due, strict=True):
        time.sleep(max(0.0, when - time.time()))
        here.open([ref], "sim")
    return due


def jobs(here: Site, count: int) -> list[ItemRef]:
    """So many jobs of one utterance, laid down and not opened."""
    refs = [here.lay("owner", "sim", works("owner", 1)) for _ in range(count)]
    here.forget_messages()
    return refs


def steady(here: Site, rate: int) -> dict[str, float]:
    """One load: latency from when an utterance was due to open until it was recorded."""
    refs = jobs(here, round(rate * SECONDS))
    batches, items = here.counts("sim")
    due = arrive(here, refs, rate)
    ended = here.wait_ended(refs)
    batches, items = (b - a for a, b in zip((batches, items), here.counts("sim"), strict=True))
    counted = (due[0] + WARM_UP, due[-1])
    offered = sum(counted[0] <= when <= counted[1] for when in due)
    done = sum(counted[0] <= when <= counted[1] for when in ended)
    latencies = [end - when for end, when in zip(ended, due, strict=True) if when >= counted[0]]
    return {
        "done_over_offered": done / offered,
        "p50_s": statistics.median(latencies),
        "p95_s": percentile(latencies, 0.95),
        "mean_batch": items / batches,
    }


def overload(here: Site) -> float:
    """Utterances per second that one worker gets done when more arrive than it can take."""
    refs = jobs(here, round(OVERLOAD * OVERLOAD_SECONDS))
    due = arrive(here, refs, OVERLOAD)
    begin, end = due[0] + WARM_UP, due[-1]
    rate = sum(begin <= when <= end for when in here.ended(refs) if when is not None) / (end - begin)
    for ref in refs:
        here.ledger.cancel(ref.job)
    return rate


def overload_plain(here: Site) -> float:
    """The same load as one plain Celery task for each utterance."""
    plain = Plain(here, results=False, number=1)
    count, first = round(OVERLOAD * OVERLOAD_SECONDS), round(OVERLOAD * WARM_UP)
    done, since = 0, 0.0
    with plain.worker():
        for number in plain.send(PLAIN_SIM, count, OVERLOAD):
            if number + 1 == first:
                done, since = first - plain.left(), time.monotonic()
        return (count - plain.left() - done) / (time.monotonic() - since)


def loads(here: Site, *, stored: bool) -> dict[str, float]:
    """Every steady load on one worker; medians over the rounds."""
    figures: dict[str, float] = {}
    with here.worker("sim", stored=stored):
        for rate in RATES:
            rounds = [steady(here, rate) for _ in range(1 if stored else ROUNDS)]
            say(f"{rate}/s, {'with' if stored else 'without'} storage: {rounds}")
            for name in rounds[0]:
                figures[f"{name}_{rate}"] = round(statistics.median(one[name] for one in rounds), 3)
    return figures


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Every load on one worker, then more than it can take, then that as one-by-one Celery tasks."""
    with site(storage=True) as here:
        figures = loads(here, stored=False)
        with here.worker("sim", stored=False):
            batched = overload(here)
        plain = overload_plain(here)
        with_storage = loads(here, stored=True)
    return {
        **figures,
        "throughput_ratio": round(batched / plain, 2),
        "overload_per_s": round(batched, 1),
        "overload_plain_per_s": round(plain, 1),
        **{f"{name}_stored": value for name, value in with_storage.items()},
        "rounds": ROUNDS,
        "seconds": SECONDS,
    }
