"""Of a long take the part that has most sound in it, where several takes share the time that a voice is heard."""

from __future__ import annotations

import numpy as np

from audio.samples import Samples

#: Seconds of the blocks whose level is looked at.
_BLOCK = 0.1

#: Seconds that are louder than what the level is compared with: a click is not the voice.
_LOUD = 0.5

#: A block is sound where its level is within so many dB of the take's louder blocks, and above the last bits.
_BELOW_LOUD, _LEAST = 30.0, 1e-4

#: Blocks in front of the first sound that are heard with it.
_LEAD = 2

#: The first part is taken that has so much of the sound that the best one has: ordinary takes are heard from the start.
_ENOUGH = 0.8


def fullest_part(samples: Samples, seconds: float, rate: int) -> Samples:
    """``seconds`` of a take, float32 [n] at ``rate`` Hz, from where its sound is; all of a shorter one."""
    size, wanted = round(_BLOCK * rate), round(seconds * rate)
    if len(samples) <= wanted:
        return samples
    levels = np.sqrt(np.square(samples[: len(samples) // size * size].reshape(-1, size)).mean(axis=1))
    loud = np.sort(levels)[-min(len(levels), round(_LOUD / _BLOCK))]
    sounds = levels > max(_LEAST, loud * 10 ** (-_BELOW_LOUD / 20))
    sums = np.concatenate([[0], np.cumsum(sounds)])
    width = min(wanted // size, len(levels))
    inside = sums[width:] - sums[:-width]
    first = int(np.argmax(inside >= _ENOUGH * inside.max()))
    begin = max(first, first + int(np.argmax(sounds[first:])) - _LEAD) * size
    return samples[begin:][:wanted] if begin + wanted <= len(samples) else samples[-wanted:]
