"""Items of a VITS synthesizer, checked: what they say and how, and the noise that is their own. Imports no runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed
from models.base import Item, Option, Speech
from models.shared.noise import noise_of
from models.shared.options import numbers

MAX_TOKENS = 3072  #: of one utterance, pads or blanks counted; attention takes memory by its square
MAX_SECONDS = 60.0  #: of one utterance: the decoder takes about 20 MB a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """What the items of a model may have, and what applies where they say nothing."""

    symbols: int  #: tokens that there are
    speakers: int  #: 1 where the network has no table of speakers
    max_tokens: int  #: of one item
    rate: int  #: Hz
    length_scale: float = 1.0
    noise_scale: float = 0.667
    noise_w: float = 0.8
    share: float = 1.0  #: of the stochastic duration predictor, where there are two


@dataclass(slots=True)
class Context:
    """What a network with tones, languages and a BERT knows of a row beside its tokens."""

    tones: NDArray[np.int64]  #: [tokens]
    languages: NDArray[np.int64]
    sentence: tuple[int, ...]  #: the ids of BERT's pieces
    pieces: NDArray[np.int64]  #: the piece of each token
    features: Any = None  #: BERT's, a tensor float32 [pieces, n], once they are there


@dataclass(slots=True)
class Row:
    """One item that is being processed: its options, and then its durations."""

    tokens: NDArray[np.int64]
    speaker: int
    length_scale: float
    noise_scale: float
    noise_w: float
    noise: np.random.Generator
    context: Context | None = None
    durations: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  #: frames per token
    _rhythm: Samples | None = None
    _after_rhythm: Any = None  #: the state of the generator: an item that runs again draws the same noise again

    @property
    def frames(self) -> int:
        return int(self.durations.sum())

    def rhythm_noise(self) -> Samples:
        """The noise of the durations, float32 [2, tokens]: drawn first."""
        if self._rhythm is None:
            self._rhythm = self.noise.standard_normal((self.tokens.size, 2), np.float32).T * np.float32(self.noise_w)
        return self._rhythm

    def prior_noise(self, channels: int) -> Samples:
        """The noise of the prior, float32 [frames, channels]: drawn after the durations, frame by frame."""
        if self._after_rhythm is None:
            self._after_rhythm = self.noise.bit_generator.state
        self.noise.bit_generator.state = self._after_rhythm
        return self.noise.standard_normal((self.frames, channels), np.float32)

    def last(self, frames: NDArray[np.floating], hop: int, rate: int) -> None:
        """Set the durations: ``frames`` per token at the network's own pace.

        Raises `core.errors.ModelFailed` (``utterance_too_long``) above `MAX_SECONDS`, or for what is not finite."""
        scaled = np.ceil(frames * self.length_scale)
        total = float(scaled.sum())
        if not total * hop <= MAX_SECONDS * rate:  # nor is it NaN
            raise ModelFailed(f"The utterance is longer than {MAX_SECONDS:.0f} s.", code="utterance_too_long")
        self.durations = scaled.astype(np.int64)
        if total < 1:
            self.durations[0] = 1  # as upstream's lower bound does

    def speech(self, samples: Samples, hop: int, rate: int) -> Speech | ChorusError:
        """The utterance with seconds per token. ``samples`` are kept: they must not be a part of a larger array."""
        if not np.isfinite(samples).all():
            return ModelFailed("The audio is not finite.")
        seconds = [round(n * hop / rate, 6) for n in self.durations.tolist()]
        return Speech(samples=samples, rate=rate, durations=seconds)


def read_row(item: Item, voices: Voices, options: Mapping[str, Option]) -> Row:
    """The item, checked: ``tokens`` (list of int), ``speaker`` (int, 0 if it has none) and the family's ``options``.

    Raises `core.errors.ModelFailed`."""
    try:
        tokens = np.asarray(item.inputs["tokens"], np.int64)
        speaker = int(item.inputs.get("speaker", 0))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFailed(f"The item's inputs cannot be read: {error}") from error
    if tokens.ndim != 1 or not 1 <= tokens.size <= voices.max_tokens:
        raise ModelFailed(f"An item must have 1 to {voices.max_tokens} tokens.")
    if tokens.min() < 0 or tokens.max() >= voices.symbols:
        raise ModelFailed(f"Tokens must be between 0 and {voices.symbols - 1}.")
    if not 0 <= speaker < voices.speakers:
        raise ModelFailed(f"Speakers must be between 0 and {voices.speakers - 1}.")
    given = numbers(options, item.options)
    return Row(
        tokens=tokens,
        speaker=speaker,
        length_scale=voices.length_scale / given.get("speed", 1.0),
        noise_scale=given.get("noise_scale", voices.noise_scale),
        noise_w=given.get("noise_w", voices.noise_w),
        noise=noise_of(item),
    )
