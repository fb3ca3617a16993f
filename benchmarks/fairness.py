"""Latency of short jobs while another owner's long job and 1,000 short ones keep the worker busy."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from benchmarks.support.service import Site, percentile, say, site, wait_until, works
from core.work import ItemRef

ROUNDS = 3

#: The backlog of one owner: a book, and a flood of jobs of one utterance.
BOOK, FLOOD = 3_000, 1_000

#: Short jobs of another owner: how many, of how many utterances.
SHORT = ((20, 1), (20, 5))

#: Seconds between two short jobs where they come one after another.
APART = 0.1


def lay_short(here: Site) -> list[ItemRef]:
    """The short jobs, those of one utterance and those of five in turns; laid down and not opened."""
    counts = [utterances for pair in zip(*([size] * many for many, size in SHORT), strict=True) for utterances in pair]
    refs = [here.lay("short", "sim", works("short", utterances)) for utterances in counts]
    here.forget_messages()
    return refs


def latencies(here: Site, refs: Sequence[ItemRef], apart: float) -> list[float]:
    """Seconds that each short job took, opened ``apart`` seconds from each other."""
    begin = time.time()
    due = [begin + number * apart for number in range(len(refs))]
    for ref, when in zip(refs, due, strict=True):
        time.sleep(max(0.0, when - time.time()))
        here.open([ref], "sim")
    return [end - when for end, when in zip(here.wait_ended(refs), due, strict=True)]


def lay_backlog(here: Site) -> None:
    """The book and the flood, all of which wait from now on."""
    refs = [here.lay("long", "sim", works("long", BOOK))]
    refs += [here.lay("long", "sim", works("long", 1)) for _ in range(FLOOD)]
    here.forget_messages()
    here.open(refs, "sim")


def backlog_left(here: Site) -> int:
    """Utterances of the backlog that are not recorded yet."""
    return int(here.client.hget("ch:load", "long") or 0)


def measure(here: Site, apart: float) -> list[list[float]]:
    """The short jobs' latencies, by round."""
    rounds = []
    for _ in range(ROUNDS):
        refs = lay_short(here)
        rounds.append(latencies(here, refs, apart))
    return rounds


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """The same short jobs on an idle worker and on a busy one; the ratio of the medians of their p95."""
    figures: dict[str, float | int | str] = {}
    p95: dict[str, float] = {}
    with site() as here, here.worker("sim", stored=False):
        measure_all(here, "idle", p95)
        lay_backlog(here)
        first = backlog_left(here)
        wait_until("the busy worker", lambda: backlog_left(here) < first - 200)
        measure_all(here, "busy", p95)
        left = backlog_left(here)
    for how in ("together", "apart"):
        figures[f"short_p95_s_idle_{how}"] = round(p95[f"idle {how}"], 3)
        figures[f"short_p95_s_busy_{how}"] = round(p95[f"busy {how}"], 3)
    return {
        "short_p95_ratio": round(p95["busy together"] / p95["idle together"], 2),
        "short_p95_ratio_apart": round(p95["busy apart"] / p95["idle apart"], 2),
        **figures,
        "backlog_left": left,
        "rounds": ROUNDS,
    }


def measure_all(here: Site, state: str, p95: dict[str, float]) -> None:
    """Adds the p95 of ``state`` to the figures, for jobs that come together and apart."""
    for how, apart in (("together", 0.0), ("apart", APART)):
        rounds = [percentile(one, 0.95) for one in measure(here, apart)]
        say(f"{state} {how}: p95 {rounds}")
        p95[f"{state} {how}"] = statistics.median(rounds)
