"""Joins utterances into one stream of samples, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from audio.loudness import Meter

Samples: TypeAlias = NDArray[np.float32]

#: one utterance, read when its turn comes, and the silence after it in seconds
Piece: TypeAlias = tuple[Callable[[], Samples], float]

FADE = 0.005  #: seconds at both edges of a piece, against clicks
CEILING = -1.0  #: dBTP that a gain may bring the peak to (EBU R 128)
SILENCE = 0.5  #: seconds of silence where a failed utterance is left out with ``on_error: silence``


def left_out(rate: int) -> Samples:
    """What stands for an utterance that is left out, at ``rate`` Hz."""
    return np.zeros(round(SILENCE * rate), np.float32)


def pause_length(pause: float, rate: int) -> int:
    """Samples of a pause of ``pause`` seconds at ``rate`` Hz, as `join` lays it."""
    return max(0, round(pause * rate))


def join(pieces: Iterable[Piece], rate: int, *, loudness: float | None) -> Iterator[Samples]:
    """The pieces with their pauses, as chunks of float32 [n] at ``rate`` Hz; nothing changes in length.

    With ``loudness`` (LUFS, integrated over the whole by BS.1770-4) the pieces are read twice: measured, then
    given one gain. The gain stops where the true peak reaches `CEILING`; a speech of high peaks then stays
    below the loudness asked for. Silence stays silence. Raises what reading a piece raises.
    """
    if loudness is None:
        yield from _joined(pieces, rate)
        return
    pieces = list(pieces)
    gain = np.float32(gain_to(loudness, pieces, rate))
    for chunk in _joined(pieces, rate):
        yield chunk * gain


def gain_to(loudness: float, pieces: Sequence[Piece], rate: int) -> float:
    """The factor that brings the joined pieces to ``loudness`` LUFS, or as near as `CEILING` allows."""
    meter = Meter(rate)
    for chunk in _joined(pieces, rate):
        meter.add(chunk)
    measured = meter.integrated()
    if not math.isfinite(measured):
        return 1.0
    decibels = min(loudness - measured, CEILING - meter.true_peak())
    return float(10 ** (decibels / 20))


def _joined(pieces: Iterable[Piece], rate: int) -> Iterator[Samples]:
    for read, pause in pieces:
        samples = read()
        if len(samples):
            yield _faded(samples, rate)
        left = pause_length(pause, rate)
        while left > 0:
            yield np.zeros(min(left, rate), np.float32)
            left -= rate


def _faded(samples: Samples, rate: int) -> Samples:
    """A copy whose edges rise from and fall to zero, along half a cosine."""
    samples = samples.astype(np.float32)
    length = min(round(FADE * rate), len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))).astype(np.float32)
    samples[:length] *= ramp
    samples[len(samples) - length :] *= ramp[::-1]
    return samples
