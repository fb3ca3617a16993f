"""A synthesizer that only takes time: for load tests, benchmarks and tests of what goes wrong.

A micro-batch takes the largest ``batch_seconds`` of its items and the sum of their ``item_seconds``, and each
item gives a quiet tone as long as its text. ``fail`` makes an item go wrong on purpose. No entry of the
product's ``models.yaml`` uses it; ``benchmarks/models.yaml`` does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ChorusError, InvalidText, ModelFailed
from core.names import ModelType, Role
from models.base import Family, Frontend, Item, Model, Option, Output, Speech

#: Hz of what it gives, and seconds of tone for each character.
RATE = 8_000
SECONDS_PER_TOKEN = 0.01

FAMILY = Family(
    type=ModelType.SIMULATED,
    role=Role.SYNTHESIZE,
    model="models.simulated:SimulatedModel",
    frontend="models.simulated:SimulatedFrontend",
    options={
        "batch_seconds": Option(default=0.1, minimum=0.0, maximum=3600.0, description="Of every micro-batch"),
        "item_seconds": Option(default=0.005, minimum=0.0, maximum=3600.0, description="Of every item in it"),
        "fail": Option(
            default="no",
            choices=("no", "error", "crash", "memory", "exit"),
            description="error: this item; crash: its whole micro-batch; memory: out of memory; exit: the process",
        ),
    },
)


class SimulatedFrontend(Frontend):
    """One token a character."""

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        if not text.strip():
            raise InvalidText
        return {"tokens": list(text.encode()[:500]), "voice": voice}


class SimulatedModel(Model):
    """Sleeps, and gives a tone."""

    def load(self, device: str) -> None:
        """There is nothing to load."""

    def cost(self, item: Item) -> int:
        return len(item.inputs["tokens"])

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        options = [{name: o.default for name, o in self.spec.options.items()} | dict(i.options) for i in items]
        fails = {str(o["fail"]) for o in options}
        if "exit" in fails:
            os.kill(os.getpid(), signal.SIGKILL)
        if "memory" in fails:
            raise MemoryError
        if "crash" in fails:
            raise ModelFailed("The simulated model crashed.")
        time.sleep(max(float(o["batch_seconds"]) for o in options) + sum(float(o["item_seconds"]) for o in options))
        return [self._speak(item, o["fail"] == "error") for item, o in zip(items, options, strict=True)]

    def _speak(self, item: Item, fails: bool) -> Output | ChorusError:
        if fails:
            return ModelFailed("The simulated model failed on this item.")
        tokens = item.inputs["tokens"]
        time_axis = np.arange(round(len(tokens) * SECONDS_PER_TOKEN * RATE), dtype=np.float32) / RATE
        tone = 0.01 * np.sin(2 * np.pi * 220 * time_axis)
        return Speech(samples=tone.astype(np.float32), rate=RATE, durations=[SECONDS_PER_TOKEN] * len(tokens))
