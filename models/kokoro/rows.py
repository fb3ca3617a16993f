"""Items of Kokoro, checked: what they say, in which style and how fast. Imports no runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ModelFailed
from models.base import Item, Option, Speech
from models.kokoro import MAX_TOKENS
from models.kokoro.styles import Styles
from models.shared.noise import noise_of
from models.shared.options import numbers

RATE = 24_000
HOP = 600  #: samples per frame
MAX_SECONDS = 150.0  #: of one utterance: the decoder takes about 20 MB a second

_PAD = 0


@dataclass(slots=True)
class Row:
    """One item that is being processed, and then its durations."""

    item: Item
    tokens: NDArray[np.int64]  #: with the pads at both ends
    style: Samples  #: float32 [256]
    speed: float
    durations: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  #: frames per token

    @property
    def frames(self) -> int:
        return int(self.durations.sum())

    def noise(self) -> Samples:
        """The noise of the source, float32 [samples], standard normal: the same each time."""
        return noise_of(self.item).standard_normal(self.frames * HOP, np.float32)

    def last(self, frames: NDArray[np.floating]) -> None:
        """Set the durations: ``frames`` per token, to be rounded.

        Raises `core.errors.ModelFailed` (``utterance_too_long``) above `MAX_SECONDS`, or for what is not finite."""
        rounded = np.maximum(np.rint(frames), 1)
        if not float(rounded.sum()) * HOP <= MAX_SECONDS * RATE:  # nor is it NaN
            raise ModelFailed(f"The utterance is longer than {MAX_SECONDS:.0f} s.", code="utterance_too_long")
        self.durations = rounded.astype(np.int64)

    def speech(self, samples: Samples) -> Speech:
        """The utterance with seconds per token; the pads at both ends count to the tokens beside them. ``samples`` are
        kept: they must not be a part of a larger array. Raises `core.errors.ModelFailed` for what is not finite."""
        if not samples.size or not np.isfinite(samples).all():
            raise ModelFailed("The audio is not finite.")
        if samples.size != self.frames * HOP:
            raise ModelFailed("The length of the audio does not match its durations.")
        inner = self.durations[1:-1].copy()
        inner[0] += self.durations[0]
        inner[-1] += self.durations[-1]
        seconds = [round(n * HOP / RATE, 6) for n in inner.tolist()]
        return Speech(samples=samples, rate=RATE, durations=seconds)


def read_row(item: Item, styles: Styles, known: Collection[int], options: Mapping[str, Option]) -> Row:
    """The item, checked: ``tokens`` (ids that are ``known``, without pads), ``voice`` (a name or a mix) and the
    family's ``options``. Raises `core.errors.ModelFailed`, `core.errors.InvalidRequest` for an unknown voice."""
    tokens = item.inputs.get("tokens")
    if not isinstance(tokens, list | tuple) or not 1 <= len(tokens) <= MAX_TOKENS:
        raise ModelFailed(f"An item must have 1 to {MAX_TOKENS} tokens.")
    if not all(type(token) is int and token in known for token in tokens):
        raise ModelFailed("Tokens must be ids of the model's vocabulary.")
    voice = item.inputs.get("voice")
    if not isinstance(voice, str):
        raise ModelFailed("An item must have a voice.")
    speed = numbers(options, item.options).get("speed", 1.0)
    padded = np.array([_PAD, *tokens, _PAD], np.int64)
    return Row(item, padded, styles.of(voice, len(tokens)), speed)
