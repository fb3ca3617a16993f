"""The part of a long recording with the most sound, used when several recordings of a voice share a time limit."""

from __future__ import annotations

import numpy as np

from audio.samples import Samples

#: Seconds of a block, whose level is measured.
_BLOCK = 0.1

#: Seconds of the loudest blocks that are ignored as a reference level: a click is not the voice.
_LOUD = 0.5

#: A block is sound if its level is within this many dB of the louder blocks, and above quantization noise.
_BELOW_LOUD, _LEAST = 30.0, 1e-4

#: Blocks before the first sound that are included.
_LEAD = 2

#: The first part with this share of the best part's sound is used: ordinary recordings start at their beginning.
_ENOUGH = 0.8


def fullest_part(samples: Samples, seconds: float, rate: int) -> Samples:
    """``seconds`` of a recording, float32 [n] at ``rate`` Hz, from where its sound is; all of it if it is shorter."""
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
