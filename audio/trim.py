"""Silence at the start and the end of joined pieces: found by reading as few pieces as possible, and cut off.

A window of 10 ms is silent if its level (RMS) is more than `DEPTH` below that of the loudest window of its piece; a
piece is silent if all its windows are below `FLOOR`. `MARGIN` of the silence stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from audio.join import Piece, pause_length
from audio.samples import Samples

WINDOW = 0.01  #: seconds
DEPTH = 50.0  #: decibels below the loudest window, lower than the weakest sounds of speech
FLOOR = -70.0  #: dBFS
MARGIN = 0.05  #: seconds


@dataclass(frozen=True, slots=True)
class Trimmed:
    """``pieces`` without the silence around them, and the samples ``offset`` by which everything is earlier then. What
    lay within the silence is at 0 or at the end now."""

    pieces: Sequence[Piece]
    offset: int


def trim(pieces: Sequence[Piece], rate: int) -> Trimmed:
    """Cut the silence before the first sound and behind the last one; ``rate`` in Hz. Without any sound all stays.

    Reads the pieces from both ends up to those that sound. Raises what reading a piece raises.
    """
    first, found, offset = 0, None, 0
    while first < len(pieces):
        read, pause = pieces[first]
        samples = read()
        found = sounding(samples, rate)
        if found is not None:
            break
        offset += len(samples) + pause_length(pause, rate)
        first += 1
    if found is None:
        return Trimmed(pieces, 0)
    begin, end = found
    last = first
    for index in range(len(pieces) - 1, first, -1):
        behind = sounding(pieces[index][0](), rate)
        if behind is not None:
            last, end = index, behind[1]
            break
    kept = list(pieces[first : last + 1])
    kept[-1] = partial(_cut, kept[-1][0], 0, end), kept[-1][1]
    kept[0] = partial(_cut, kept[0][0], begin, None), kept[0][1]
    return Trimmed(kept, offset + begin)


def sounding(samples: Samples, rate: int) -> tuple[int, int] | None:
    """Where the sound of one piece begins and ends, in samples and with its margin; None if it has none."""
    window = max(1, round(WINDOW * rate))
    if not len(samples):
        return None
    levels = 10 * np.log10(np.maximum(_powers(samples, window), 1e-20))
    if levels.max() < FLOOR:
        return None
    heard = np.flatnonzero(levels >= levels.max() - DEPTH)
    margin = round(MARGIN * rate)
    begin, end = int(heard[0]) * window - margin, (int(heard[-1]) + 1) * window + margin
    return max(0, begin), min(len(samples), end)


def _powers(samples: Samples, window: int) -> NDArray[np.float64]:
    """The mean square of each window; what is missing of the last one counts as silence."""
    count = len(samples) // window
    whole, rest = samples[: count * window].reshape(count, window), samples[count * window :]
    powers = np.einsum("nw,nw->n", whole, whole, dtype=np.float64)
    if len(rest):
        powers = np.append(powers, np.dot(rest, rest))
    scaled: NDArray[np.float64] = powers / window
    return scaled


def _cut(read: Callable[[], Samples], begin: int, end: int | None) -> Samples:
    return read()[begin:end]
