"""What the parity test of Kokoro compares with: the inputs of `kokoro_parity.npz` and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import Item
from tests.checkpoints.kokoro import CONFIG, VOICES

PATH = Path(__file__).parent / "kokoro_parity.npz"


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: its tokens without pads, its voice, and how fast it is."""

    tokens: tuple[int, ...]
    voice: str
    speed: float
    seed: int

    def item(self) -> Item:
        return Item({"tokens": list(self.tokens), "voice": self.voice}, {"speed": self.speed}, seed=self.seed)


def _tokens(count: int, step: int) -> tuple[int, ...]:
    return tuple(1 + (step * i * i + 3 * i) % (CONFIG["n_token"] - 1) for i in range(count))


LINES = (
    Line(_tokens(3, 5), VOICES[0], 1.0, seed=1),
    Line(_tokens(17, 7), VOICES[1], 1.0, seed=2),
    Line(_tokens(31, 11), VOICES[0], 0.8, seed=3),
)


def figures() -> Mapping[str, NDArray[Any]]:
    """What upstream gave: see `tests.checkpoints.make_kokoro_parity` for the names."""
    with np.load(PATH) as stored:
        return dict(stored)
