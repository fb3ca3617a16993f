"""Where a recording is cut into pieces, none of which is long: at its quietest places."""

from __future__ import annotations

import numpy as np

from models.base import Recording

LONGEST = 20.0  #: seconds of a piece at most
SHORTEST = 10.0  #: seconds after which a piece may end
_WINDOW = 0.05  #: seconds whose loudness is compared


def cuts(recording: Recording, rate: int) -> list[tuple[int, int]]:
    """The pieces of a recording at ``rate`` Hz: first sample, and the one after the last. Together they are all of it.

    It is read piece by piece, so its length costs no memory."""
    pieces: list[tuple[int, int]] = []
    start, total = 0, len(recording)
    while total - start > LONGEST * rate:
        end = start + _quietest(recording, start, rate)
        pieces.append((start, end))
        start = end
    if total > start:
        pieces.append((start, total))
    return pieces


def _quietest(recording: Recording, start: int, rate: int) -> int:
    """The middle of the quietest window between `SHORTEST` and `LONGEST` after ``start``, in samples after it."""
    first, last, window = round(SHORTEST * rate), round(LONGEST * rate), round(_WINDOW * rate)
    energy = np.square(recording[start + first : start + last], dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    return first + int(np.argmin(sums[window:] - sums[:-window])) + window // 2
