"""VITS in torch on a CPU: a micro-batch against one by one, and against ONNX Runtime."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.support.networks import random_network, recordings, rows_of, utterances, voices_on
from benchmarks.support.recordings import say
from core.names import Precision, Runtime
from models.base import Item, Speech
from models.openvoice.tone import Spectrum, ToneNetwork
from models.shared.torch import open_device
from models.vits.speaking import TorchVoices

ITEMS = 16  #: ragged utterances of one micro-batch
SEGMENTS = 32  #: ragged segments of recordings that are embedded
ROUNDS = 3
THREADS = 2

SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish, and nobody knows quite why that should be so.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
)


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``speedup_piper`` and ``speedup_openvoice_v1`` (one by one over a micro-batch, same network),
    ``forwards_alone_NAME`` and ``forwards_batched_NAME``, ``speedup_tone_embedding``, ``torch_over_onnx`` (the speed of
    the one over that of the other, for a Piper voice): CPU seconds, medians of rounds in turns."""
    torch.set_num_threads(THREADS)
    open_device("cpu")
    figures: dict[str, float | int | str] = {"threads": THREADS, "rounds": ROUNDS}
    for name in ("piper", "openvoice_v1"):
        say(f"{name}: {ITEMS} utterances")
        figures |= synthesis(name)
    say(f"tone embedding: {SEGMENTS} segments")
    figures |= embedding()
    say("Piper on torch and on ONNX Runtime")
    figures |= runtimes()
    return figures


def synthesis(name: str) -> dict[str, float | int]:
    """A micro-batch of ragged utterances against the same ones after each other."""
    voices = voices_on(random_network(name), torch.device("cpu"))
    items = utterances(ITEMS, 2.0)
    alone, batched = [], []
    gain = in_turns(
        lambda: alone.append(_forwards(voices, [[item] for item in items])),
        lambda: batched.append(_forwards(voices, [items])),
    )
    return {f"speedup_{name}": gain, f"forwards_alone_{name}": alone[0], f"forwards_batched_{name}": batched[0]}


def _forwards(voices: TorchVoices, companies: Sequence[Sequence[Item]]) -> int:
    """The passes that it takes to speak these companies after each other."""
    before = voices.forwards
    for company in companies:
        spoken = voices.speak(rows_of(company, voices))
        assert all(isinstance(outcome, Speech) for outcome in spoken)
    return voices.forwards - before


def embedding() -> dict[str, float]:
    """Segments of recordings embedded together against one by one."""
    device = torch.device("cpu")
    network = ToneNetwork(random_network("tone_converter").settle(device, Precision.FLOAT32), Spectrum(), device)
    segments = recordings(SEGMENTS, network.rate, 6.0)
    gain = in_turns(
        lambda: [network.embed([segment]) for segment in segments],
        lambda: network.embed(segments),
    )
    return {"speedup_tone_embedding": gain}


def runtimes() -> dict[str, float]:
    """A Piper voice on torch against the same on ONNX Runtime, a micro-batch of sentences on each."""
    from dataclasses import replace

    from core.settings import settings
    from models.catalog import load_catalog
    from models.piper.frontend import PiperFrontend
    from models.piper.model import PiperModel
    from models.weights import WeightsCache, files_of

    spec = load_catalog().get("piper-joe")
    files = files_of(spec, WeightsCache(settings().cache))
    frontend = PiperFrontend(spec, files)
    items = [Item(frontend.inputs(text, "joe", "en-US"), seed=i) for i, text in enumerate(SENTENCES)]
    on_torch, on_onnx = (PiperModel(replace(spec, runtime=runtime), files) for runtime in (Runtime.TORCH, Runtime.ONNX))
    for model in (on_torch, on_onnx):
        model.load("cpu")
    return {"torch_over_onnx": in_turns(lambda: on_onnx.run(items), lambda: on_torch.run(items))}


def in_turns(first: Callable[[], Any], second: Callable[[], Any]) -> float:
    """CPU seconds of ``first`` over those of ``second``: the median over rounds in which each runs once."""
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for call in (first, second):
            begin = time.process_time()
            call()
            seconds.append(time.process_time() - begin)
        ratios.append(seconds[0] / seconds[1])
    return round(statistics.median(ratios), 3)
