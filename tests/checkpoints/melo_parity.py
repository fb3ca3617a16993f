"""What the parity tests of MeloTTS compare with: the inputs of `melo_parity.npz` and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import Item
from tests.checkpoints.melo import SPECIAL, bert, melo

PATH = Path(__file__).parent / "melo_parity.npz"
SPEEDS = (1.0, 0.8)
SYMBOLS = tuple(f"s{number}" for number in range(218))  # as many as upstream's
WORDS = tuple(f"w{number}" for number in range(300))
ENGLISH, FIRST_TONE = 2, 7


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: how many phones each word has, and its speaker's number."""

    words: tuple[int, ...]
    speaker: int

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs of an item, phones with blanks between them."""
        counts = [1, *self.words, 1]
        phones = [0, *(1 + (11 * i * i + 5 * i) % 218 for i in range(sum(self.words))), 0]
        tones = [FIRST_TONE + phone % 4 for phone in phones]
        word2ph = [2 * count for count in counts]
        word2ph[0] += 1
        words = range(len(self.words))
        return {
            "tokens": _spread(phones),
            "tones": _spread(tones),
            "language": ENGLISH,
            "speaker": self.speaker,
            "pieces": [2, *(len(SPECIAL) + (17 * i + 3 * self.speaker) % len(WORDS) for i in words), 3],
            "word2ph": word2ph,
        }

    def item(self, **options: float) -> Item:
        return Item(self.inputs, options)


def _spread(values: list[int]) -> list[int]:
    return [0, *(each for value in values for each in (value, 0))]


LINES = (
    Line((2, 3), speaker=0),
    Line((3, 1, 4, 2, 5, 1, 2), speaker=4),
    Line((4, 3, 2, 5, 1, 1, 6, 2, 3, 4, 1, 2, 3), speaker=2),
)


def voice(folder: Path) -> Path:
    """The voice of the figures."""
    return melo(folder, SYMBOLS)


def network(folder: Path) -> Path:
    """Its BERT, of full size but for the vocabulary."""
    return bert(folder, WORDS)


def figures() -> Mapping[str, NDArray[Any]]:
    """What upstream gave: see `tests.checkpoints.make_melo_parity` for the names."""
    with np.load(PATH) as stored:
        return dict(stored)
