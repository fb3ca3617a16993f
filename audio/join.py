"""Joins utterances into one stream of samples, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from audio.limiter import Limiter
from audio.loudness import Meter
from audio.samples import Samples

#: one utterance, read when its turn comes, and the silence between it and the next in seconds
Piece: TypeAlias = tuple[Callable[[], Samples], float]

FADE = 0.005  #: seconds at both edges of a piece, against clicks
CEILING = -1.0  #: dBTP that the peaks may come to with a loudness (EBU R 128)
TRIES = 6  #: at the gain of what is limited
SEARCHED = 600.0  #: seconds of pieces that the gain is looked for with, evenly taken
NEAR = 0.15  #: LU that a try may miss the loudness asked for, to be good enough
MOST_MORE = 15.0  #: decibels more than without a limiter, at most
LEAST_SLOPE = 0.05  #: LU that one decibel more has to bring, to be worth the sound that it costs
SILENCE = 0.5  #: seconds of silence where a failed utterance is left out with ``on_error: silence``


def left_out(rate: int) -> Samples:
    """The audio in place of an utterance that was left out, at ``rate`` Hz."""
    return np.zeros(round(SILENCE * rate), np.float32)


def pause_length(pause: float, rate: int) -> int:
    """The number of samples of a pause of ``pause`` seconds at ``rate`` Hz, as `join` uses it."""
    return max(0, round(pause * rate))


def starts_of(lengths: Sequence[int], pauses: Sequence[float], rate: int) -> list[int]:
    """The first sample of each piece as `join` lays them, and the length of all: ``lengths`` in samples, ``pauses`` in
    seconds. Whole samples, so that no rounding adds up."""
    starts = [0]
    for number, (length, pause) in enumerate(zip(lengths, pauses, strict=True), 1):
        silence = pause_length(pause, rate) if number < len(lengths) else 0
        starts.append(starts[-1] + length + silence)
    return starts


@dataclass(frozen=True, slots=True)
class Level:
    """How the joined pieces reach a loudness: with ``gain`` (a factor) and, if ``limited``, with their peaks limited to
    `CEILING`."""

    gain: float
    limited: bool


def join(pieces: Iterable[Piece], rate: int, *, level: Level | None = None) -> Iterator[Samples]:
    """The pieces with their pauses, as chunks of float32 [n] at ``rate`` Hz, with ``level`` as `level_to` found it;
    nothing changes in length. Silence stays silence. Raises what reading a piece raises."""
    chunks = _joined(pieces, rate)
    if level is None:
        return chunks
    return _limited(chunks, rate, level.gain) if level.limited else _louder(chunks, level.gain)


def level_to(target: float, pieces: Sequence[Piece], rate: int) -> Level:
    """The level for the joined pieces to reach ``target`` LUFS, integrated over the whole by BS.1770-4.

    One gain, if the true peak stays below `CEILING`. Otherwise a limiter holds the peaks there, and a search finds
    the gain that compensates for it, over pieces of `SEARCHED` seconds in total. The target can then be missed,
    especially with extreme peaks. Every piece is read once, and some up to `TRIES` more times.
    """
    meter = Meter(rate)
    seconds = 0.0
    for chunk in _joined(pieces, rate):
        meter.add(chunk)
        seconds += len(chunk) / rate
    loudness = meter.integrated()
    if not math.isfinite(loudness):
        return Level(1.0, limited=False)
    needed = target - loudness
    if needed <= CEILING - meter.true_peak():
        return Level(_factor(needed), limited=False)
    return Level(_factor(_limited_gain(needed, pieces[:: math.ceil(seconds / SEARCHED)], rate)), limited=True)


def _limited_gain(needed: float, pieces: Sequence[Piece], rate: int) -> float:
    """The gain, in decibels, with which the pieces become louder by ``needed`` decibels though limited, or as near to
    that as more gain still helps."""
    target = _loudness(_joined(pieces, rate), rate) + needed
    gain, tried = needed, []  # gains, and by how much each missed
    for _ in range(TRIES):
        missed = target - _loudness(_limited(_joined(pieces, rate), rate, _factor(gain)), rate)
        tried.append((gain, missed))
        if abs(missed) <= NEAR or not math.isfinite(missed):
            break
        slope = 1.0
        if len(tried) > 1:
            (before, then), (now, after) = tried[-2:]
            slope = (then - after) / (now - before)
            if slope < LEAST_SLOPE:
                return before
        gain = min(gain + missed / min(slope, 1.0), needed + MOST_MORE)
        if gain == tried[-1][0]:
            break
    return min(tried, key=lambda found: abs(found[1]))[0]


def _loudness(chunks: Iterable[Samples], rate: int) -> float:
    meter = Meter(rate, peaks=False)
    for chunk in chunks:
        meter.add(chunk)
    return meter.integrated()


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _louder(chunks: Iterable[Samples], gain: float) -> Iterator[Samples]:
    for chunk in chunks:
        yield chunk * np.float32(gain)


def _limited(chunks: Iterable[Samples], rate: int, gain: float) -> Iterator[Samples]:
    limiter = Limiter(rate, gain, CEILING)
    for chunk in chunks:
        yield limiter.add(chunk)
    yield limiter.finish()


def _joined(pieces: Iterable[Piece], rate: int) -> Iterator[Samples]:
    left = 0  # samples of the pause before the next piece
    for read, pause in pieces:
        while left > 0:
            yield np.zeros(min(left, rate), np.float32)
            left -= rate
        samples = read()
        if len(samples):
            yield _faded(samples, rate)
        left = pause_length(pause, rate)


def _faded(samples: Samples, rate: int) -> Samples:
    """A copy with half-cosine fades at both ends."""
    samples = samples.astype(np.float32)
    length = min(round(FADE * rate), len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))).astype(np.float32)
    samples[:length] *= ramp
    samples[len(samples) - length :] *= ramp[::-1]
    return samples
