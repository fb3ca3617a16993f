"""From probabilities to segments: the rules of ``get_speech_timestamps_from_probs`` in the package's
``utils_vad.py`` (MIT), in samples, so that the segments are the same to the sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from audio.samples import Samples
from models.base import Segment
from models.shared.recordings import RATE

WINDOW = 512  #: samples of one probability: 32 ms

_NEGATIVE_MARGIN = 0.15  #: speech ends where the probability falls this far below the threshold
_SILENCE_TO_CUT_AT = 0.098 * RATE  #: samples: overlong speech is cut at the longest silence above this


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How probabilities become segments; durations in seconds, ``max_speech_duration`` 0 for no limit."""

    threshold: float = 0.5
    min_speech_duration: float = 0.25
    min_silence_duration: float = 0.1
    speech_pad: float = 0.03
    max_speech_duration: float = 0.0


def segments(probabilities: Samples, samples: int, parameters: Parameters) -> tuple[Segment, ...]:
    """Speech in a recording of ``samples`` samples at 16 kHz, whose windows of 512 samples have these
    probabilities (float32 [windows])."""
    pad = _in_samples(parameters.speech_pad)
    speeches = list(_speeches(probabilities, samples, parameters))
    _widen(speeches, pad, samples)
    return tuple(Segment(start / RATE, end / RATE) for start, end in speeches)


def _in_samples(seconds: float) -> float:
    return RATE * round(seconds * 1000, 6) / 1000


@dataclass(slots=True)
class _Speech:
    """Speech that has begun: its first sample, where a silence began in it, and the silences it got over."""

    start: int
    silent_since: int | None = None
    silences: list[tuple[int, int]] = field(default_factory=list)  #: length, first sample


def _speeches(probabilities: Samples, samples: int, parameters: Parameters) -> Iterator[list[int]]:
    """``[start, end]`` of each stretch of speech, before widening."""
    threshold = parameters.threshold
    falls_below = max(threshold - _NEGATIVE_MARGIN, 0.01)
    least_speech = _in_samples(parameters.min_speech_duration)
    least_silence = _in_samples(parameters.min_silence_duration)
    longest = RATE * (parameters.max_speech_duration or math.inf) - WINDOW - 2 * _in_samples(parameters.speech_pad)
    speech: _Speech | None = None
    for window, probability in enumerate(probabilities.tolist()):
        now = window * WINDOW
        if speech is None:
            if probability >= threshold:
                speech = _Speech(now)
            continue
        if probability >= threshold and speech.silent_since is not None:
            if now - speech.silent_since > _SILENCE_TO_CUT_AT:
                speech.silences.append((now - speech.silent_since, speech.silent_since))
            speech.silent_since = None
        if now - speech.start > longest:
            if not speech.silences:
                yield [speech.start, now]
                speech = None
                continue
            length, since = max(speech.silences, key=lambda silence: silence[0])
            yield [speech.start, since]
            speech = _Speech(since + length)
        if probability < falls_below:
            if speech.silent_since is None:
                speech.silent_since = now
            if now - speech.silent_since >= least_silence:
                if speech.silent_since - speech.start > least_speech:
                    yield [speech.start, speech.silent_since]
                speech = None
    if speech is not None and samples - speech.start > least_speech:
        yield [speech.start, samples]


def _widen(speeches: list[list[int]], pad: float, samples: int) -> None:
    """Widen each stretch by ``pad`` samples; neighbours that would meet share the silence between them."""
    for i, speech in enumerate(speeches):
        if i == 0:
            speech[0] = int(max(0, speech[0] - pad))
        if i + 1 == len(speeches):
            speech[1] = int(min(samples, speech[1] + pad))
            continue
        following = speeches[i + 1]
        silence = following[0] - speech[1]
        if silence < 2 * pad:
            speech[1] += silence // 2
            following[0] = max(0, following[0] - silence // 2)
        else:
            speech[1] = int(min(samples, speech[1] + pad))
            following[0] = int(max(0, following[0] - pad))
