"""The simulated model: sleeps, and returns a tone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from core.errors import ChorusError, ModelFailed
from models.base import Item, Model, Output, Speech
from models.simulated.frontend import SECONDS_PER_TOKEN

RATE = 8_000  #: Hz


class SimulatedModel(Model):
    """Sleeps, and returns a tone."""

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
