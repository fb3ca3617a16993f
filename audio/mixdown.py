"""Mixes several channels to one: their mean, or the strongest of them if they would cancel each other out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples

#: Seconds of a block. The decision for a block applies from its first sample.
BLOCK = 1.0
#: Weight of the previous blocks against the next one.
MEMORY = 0.1
#: The mean's energy over that of channels that have nothing in common: below the first it cancels, above the
#: second it does no more. Ordinary stereo is far above both, and one channel alone is at 1.
CANCELS, SOUNDS = 0.05, 0.2
#: Seconds of the passage from one to the other.
FADE = 0.05


class Mixdown:
    """Mixes frames as they arrive. Buffers at most `BLOCK` seconds, and nothing for a single channel.

    If nothing cancels out, each sample is exactly the mean of its channels.
    """

    def __init__(self) -> None:
        self._kind: tuple[int, int] | None = None
        self._frames: list[Samples] = []
        self._means: list[Samples] = []
        self._held = 0
        self._energies = np.zeros(0)
        self._energy = 0.0
        self._chosen: int | None = None  # the channel that is heard alone

    def add(self, frame: NDArray[np.floating], rate: int) -> Iterator[tuple[Samples, int]]:
        """Add a frame [channels, n] at ``rate`` Hz; return the samples decided so far, float32 [n], and their rate."""
        mean = frame.mean(axis=0).astype(np.float32)
        kind = len(frame), rate
        if kind != self._kind:
            yield from self.finish()
            self._kind, self._energies, self._energy, self._chosen = kind, np.zeros(len(frame)), 0.0, None
        if len(frame) == 1:
            yield mean, rate
            return
        self._frames.append(frame.astype(np.float32))
        self._means.append(mean)
        self._held += len(mean)
        if self._held >= BLOCK * rate:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[Samples, int]]:
        """The remaining samples."""
        if self._kind is None or not self._held:
            return
        rate = self._kind[1]
        first = not self._energies.any()
        before, self._chosen = self._chosen, self._choice()
        before = self._chosen if first else before  # nothing has been heard that it could differ from
        if before is self._chosen is None:
            yield from ((mean, rate) for mean in self._means)
        else:
            yield self._alone(before, rate), rate
        self._frames, self._means, self._held = [], [], 0

    def _choice(self) -> int | None:
        """The channel to use alone, or None for the mean of all."""
        self._energies = MEMORY * self._energies + sum(np.einsum("cn,cn->c", f, f) for f in self._frames)
        self._energy = MEMORY * self._energy + sum(float(mean @ mean) for mean in self._means)
        apart = self._energies.sum() / len(self._energies) ** 2
        if self._energy < (CANCELS if self._chosen is None else SOUNDS) * apart:
            return int(self._energies.argmax()) if self._chosen is None else self._chosen
        return None

    def _alone(self, before: int | None, rate: int) -> Samples:
        """The buffered samples, with a transition from the channel (or mean) used before."""
        frames, mean = np.concatenate(self._frames, axis=1), np.concatenate(self._means)
        old = mean if before is None else frames[before]
        new = mean if self._chosen is None else frames[self._chosen]
        share = np.minimum(np.arange(1, len(mean) + 1, dtype=np.float32) / np.float32(FADE * rate), np.float32(1))
        return new if old is new or before == self._chosen else old + (new - old) * share
