"""Kokoro on a CPU: a micro-batch against one by one, and torch against ONNX Runtime."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from benchmarks.support.recordings import say
from benchmarks.vits import ROUNDS, SENTENCES
from core.names import Runtime
from core.settings import settings
from models.base import Item, Speech
from models.catalog import load_catalog
from models.kokoro import FAMILY
from models.kokoro.frontend import KokoroFrontend
from models.kokoro.model import KokoroModel
from models.weights import WeightsCache, files_of

ITEMS = 16  #: ragged sentences of one micro-batch
THREADS = 2


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run took."""

    seconds: float
    cpu_seconds: float


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``speedup_batched``: CPU seconds of torch, one by one over those of a micro-batch. ``chosen_over_other``: seconds
    of a micro-batch in the other runtime over those in the one that is chosen on a CPU, both as in a worker: torch on
    `THREADS` threads, ONNX Runtime on one. ``chosen_over_other_one_thread``: their CPU seconds, both on one thread. The
    published weights, medians of rounds in turns."""
    spec = load_catalog().get("kokoro")
    files = files_of(spec, WeightsCache(settings().cache))
    frontend = KokoroFrontend(spec, files)
    items = [Item(frontend.inputs(text, "jf_alpha", "en-US"), seed=i) for i, text in enumerate(ragged(ITEMS))]
    on_torch, on_onnx = (
        KokoroModel(replace(spec, runtime=runtime), files) for runtime in (Runtime.TORCH, Runtime.ONNX)
    )
    for model in (on_torch, on_onnx):
        model.load("cpu")
    torch.set_num_threads(THREADS)
    rounds = []
    for number in range(ROUNDS):
        say(f"{ITEMS} sentences, round {number + 1} of {ROUNDS}")
        rounds.append((taken(on_torch, [[item] for item in items]), taken(on_torch, [items]), taken(on_onnx, [items])))
    torch.set_num_threads(1)  # once, at the end: torch is slower for a while after each change
    singles = []
    for number in range(ROUNDS):
        say(f"one thread, round {number + 1} of {ROUNDS}")
        singles.append((taken(on_torch, [items]), taken(on_onnx, [items])))
    chosen = [onnx.seconds / batched.seconds for _, batched, onnx in rounds]
    one_thread = [onnx.cpu_seconds / single.cpu_seconds for single, onnx in singles]
    if FAMILY.runtime is Runtime.ONNX:
        chosen, one_thread = [1 / ratio for ratio in chosen], [1 / ratio for ratio in one_thread]
    return {
        "threads": THREADS,
        "rounds": ROUNDS,
        "chosen": str(FAMILY.runtime),
        "speedup_batched": _median([alone.cpu_seconds / batched.cpu_seconds for alone, batched, _ in rounds]),
        "chosen_over_other": _median(chosen),
        "chosen_over_other_one_thread": _median(one_thread),
    }


def ragged(count: int) -> list[str]:
    """Phrases of two to five words."""
    words = [SENTENCES[i % len(SENTENCES)].split() for i in range(count)]
    return [" ".join(some[: 2 + i % 4]) for i, some in enumerate(words)]


def taken(model: KokoroModel, companies: Sequence[Sequence[Item]]) -> Taken:
    """What it takes to speak these companies after each other."""
    begin, cpu = time.perf_counter(), time.process_time()
    for items in companies:
        assert all(isinstance(outcome, Speech) for outcome in model.run(items))
    return Taken(time.perf_counter() - begin, time.process_time() - cpu)


def _median(ratios: Sequence[float]) -> float:
    return round(statistics.median(ratios), 3)
