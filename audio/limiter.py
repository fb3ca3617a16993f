"""A look-ahead limiter of true peaks, for a stream of samples in constant memory.

The gain falls before a peak and recovers slowly after it, so that limited audio becomes softer instead of distorted.
Peaks between samples count too; they are found by four times oversampling, as in ITU-R BS.1770-4, annex 2.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples

LOOK_AHEAD = 0.005  #: seconds in which the gain falls
RELEASE = 120.0  #: decibels a second by which it rises again
MARGIN = 0.3  #: decibels that stay free for what four times the rate does not show

_TIMES = 4  #: oversampling
_REACH = 12  #: samples on either side that one between two samples is worked out from
_AROUND = 4  #: samples on either side of a peak that share its reduction, so that none rises between them


class Limiter:
    """Multiplies samples at ``rate`` Hz by ``gain`` and keeps their true peak at ``ceiling`` dBTP or below.

    Call `add` repeatedly, then `finish`. Together they return as many samples as they received. Audio that stays
    ``margin`` decibels below the ceiling is only multiplied; with a gain of 1 its samples stay as they are.
    """

    def __init__(self, rate: int, gain: float, ceiling: float, *, margin: float = MARGIN) -> None:
        self._gain = np.float32(gain)
        self._ceiling = ceiling - margin
        self._loudest = 10 ** (self._ceiling / 20)  #: a true peak up to here stays as it is
        self._soft = self._loudest / _overshoot()  #: samples up to here cannot have a louder one
        self._half = max(2, round(LOOK_AHEAD * rate / 2))
        self._window = 2 * self._half - 1  #: samples that one mean goes over
        self._slope = RELEASE / rate
        self._recent: Samples = np.zeros(_REACH, np.float32)  #: begins `_REACH` before the next peak to be looked at
        self._delayed: Samples = np.zeros(0, np.float32)  #: samples that wait for their gain
        #: Decibels; before the first sample there is silence, in which the gain may fall already.
        self._reductions = np.zeros(_AROUND + self._window - 1)
        self._largest = np.zeros(0)
        self._last = 0.0

    def add(self, samples: Samples) -> Samples:
        """Add float32 [n], finite; return the samples that are ready."""
        louder = samples * self._gain
        self._delayed = np.concatenate([self._delayed, louder])
        self._recent = np.concatenate([self._recent, louder])
        soft = float(np.abs(self._recent).max(initial=0.0)) <= self._soft
        peaks = np.zeros(max(0, len(self._recent) - 2 * _REACH)) if soft else _true_peaks(self._recent)
        self._recent = self._recent[len(peaks) :]
        self._reductions = np.concatenate([self._reductions, self._released(peaks)])
        return self._ready()

    def finish(self) -> Samples:
        """The rest."""
        left = len(self._delayed)
        return self.add(np.zeros(_REACH + _AROUND + self._window, np.float32))[:left]

    def _released(self, peaks: NDArray[np.float64]) -> NDArray[np.float64]:
        """The minimum reduction of each sample in decibels: immediate at a peak, and decreasing after it."""
        if not len(peaks):
            return peaks
        if not self._last and peaks.max() <= self._loudest:
            return np.zeros(len(peaks))
        needed = np.maximum(20 * np.log10(np.maximum(peaks, 1e-9)) - self._ceiling, 0.0)
        rise = self._slope * np.arange(1, len(peaks) + 1)
        released: NDArray[np.float64] = np.maximum(
            np.maximum.accumulate(np.maximum(needed + rise, self._last)) - rise, 0.0
        )
        self._last = float(released[-1])
        return released

    def _ready(self) -> Samples:
        # The maximum within reach, smoothed twice: never below the reduction that the sample itself needs.
        found = _sliding_maximum(self._reductions, self._window + 2 * _AROUND)
        self._reductions = self._reductions[len(found) :]
        largest = np.concatenate([self._largest, found])
        count = max(0, len(largest) - (self._window - 1))
        self._largest = largest[count:]
        if not count:
            return np.zeros(0, np.float32)
        ready, self._delayed = self._delayed[:count], self._delayed[count:]
        if not largest.any():
            return ready
        smooth = _sliding_mean(_sliding_mean(largest, self._half), self._half)
        return (ready * 10 ** (-smooth / 20)).astype(np.float32)


def _true_peaks(samples: Samples) -> NDArray[np.float64]:
    """The largest magnitude from each sample to the next; none for the `_REACH` at either end."""
    if len(samples) <= 2 * _REACH:
        return np.zeros(0)
    peaks = np.abs(samples[_REACH:-_REACH]).astype(np.float64)
    for taps in _between():
        np.maximum(peaks, np.abs(np.convolve(samples, taps, "valid")), out=peaks)
    return peaks


@cache
def _overshoot() -> float:
    """How far a true peak can lie above all samples around it, as a factor."""
    return max(float(np.abs(taps).sum()) for taps in _between())


@cache
def _between() -> list[NDArray[np.float32]]:
    """Windowed sinc filters that interpolate at a quarter, a half and three quarters of the way to the next sample."""
    at = np.arange(-_REACH, _REACH + 1)
    found = []
    for part in range(1, _TIMES):
        distance = at - part / _TIMES
        taps = np.sinc(distance) * np.where(np.abs(distance) < _REACH, np.cos(np.pi * distance / (2 * _REACH)) ** 2, 0)
        found.append((taps / taps.sum())[::-1].astype(np.float32))
    return found


def _sliding_maximum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The largest of each ``window`` values in a row, none of them below zero."""
    if len(values) < window:
        return np.zeros(0)
    if not values.any():
        return values[window - 1 :]
    reach = 1
    while 2 * reach <= window:
        values = np.maximum(values[:-reach], values[reach:])
        reach *= 2
    rest = window - reach
    return np.maximum(values[: len(values) - rest], values[rest:]) if rest else values


def _sliding_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of each ``window`` values in a row."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: NDArray[np.float64] = (sums[window:] - sums[:-window]) / window
    return means
