"""The part of a recording that a speaker encoder uses: the speech within its segments, or all of it.

The stretches of speech are concatenated, as in Resemblyzer and most speaker verification recipes, so that many short
segments still form windows that are long enough to identify a voice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from audio.samples import Samples
from core.errors import ModelFailed, NoSpeech
from models.base import Item, Recording

RATE = 16_000  #: Hz, if a model does not hear another

MAX_SPEECH = 60.0  #: seconds that are heard: a voice is known long before
MIN_SPEECH = 0.5  #: seconds below which nothing is said of a voice
MAX_GAP = 0.3  #: seconds of silence between two segments that are heard as one
SILENCE = 1e-4  #: root mean square below which there is nothing to hear: -80 dBFS

MAX_SEGMENTS = 100_000


def frames_heard(item: Item, rate: int = RATE) -> int:
    """The maximum number of frames of 10 ms that are used, computed without reading the recording; at least 1."""
    return max(1, math.ceil(min(MAX_SPEECH, len(item.inputs["samples"]) / rate) * 100))


def speech(item: Item, rate: int = RATE) -> Samples:
    """The speech of an item as float32 [n] mono at ``rate`` Hz, between `MIN_SPEECH` and `MAX_SPEECH` seconds.

    The item's ``inputs``: ``samples`` float32 [n] mono, that ``rate`` and optionally ``segments``, a list of
    ``[start, end]`` in seconds in any order. Segments may overlap and exceed the recording; gaps up to `MAX_GAP` are
    kept, longer ones are cut out. Without ``segments`` the recording is used from its start.

    Raises `core.errors.NoSpeech` if there are no segments or only silence (``no_speech``) or less than `MIN_SPEECH`
    (``too_little_speech``), `core.errors.ModelFailed` for invalid inputs.
    """
    samples = recording_of(item, "A speaker encoder", rate)
    given = item.inputs.get("segments")
    spans = [(0, len(samples))] if given is None else _merged(_spans(given, len(samples), rate), rate)
    if not spans:
        raise NoSpeech()
    heard = np.concatenate([samples[start:end] for start, end in _first(spans, int(MAX_SPEECH * rate))])
    if len(heard) < MIN_SPEECH * rate:
        raise NoSpeech(
            f"The recording contains {len(heard) / rate:.2f} s of speech; the minimum is {MIN_SPEECH} s.",
            code="too_little_speech",
        )
    if not np.isfinite(heard).all():
        raise ModelFailed("Samples must be finite numbers.")
    if np.sqrt(np.mean(np.square(heard, dtype=np.float64))) < SILENCE:
        raise NoSpeech("The recording is silent.")
    return heard


def recording_of(item: Item, who: str, rate: int = RATE) -> Recording:
    """The item's ``samples``. Raises `core.errors.ModelFailed` if they are not a recording at ``rate`` Hz; ``who``
    names the model."""
    given, samples = item.inputs.get("rate"), item.inputs.get("samples")
    if given != rate:
        raise ModelFailed(f"{who} requires {rate} Hz, not {given}.")
    if isinstance(samples, np.ndarray | list | tuple | int | float | str | bytes | None):
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ModelFailed("Samples must be a one-dimensional float32 array.")
    return cast(Recording, samples)


def _spans(segments: Iterable[Sequence[float]], length: int, rate: int) -> list[tuple[int, int]]:
    """First and last sample of each segment within the recording, in order of time."""
    try:
        times = np.asarray(list(segments), np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise ModelFailed("Segments must be pairs of start and end in seconds.") from error
    if len(times) > MAX_SEGMENTS or not np.isfinite(times).all():
        raise ModelFailed(f"Segments must be at most {MAX_SEGMENTS} pairs of finite seconds.")
    limits = np.clip(np.rint(times * rate), 0, length).astype(np.int64).tolist()
    return sorted((start, end) for start, end in limits if end > start)


def _merged(spans: Iterable[tuple[int, int]], rate: int) -> list[tuple[int, int]]:
    """Spans in order of time, merged if they overlap or are at most `MAX_GAP` apart."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start - merged[-1][1] <= MAX_GAP * rate:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _first(spans: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The spans, cut off after ``most`` samples in total."""
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if most <= 0:
            break
        kept.append((start, min(end, start + most)))
        most -= end - start
    return kept


def windows(samples: Samples, count: int) -> list[Samples]:
    """``count`` windows of one length; a last few samples may be left over."""
    length = len(samples) // count
    return [samples[i * length : (i + 1) * length] for i in range(count)]


def hum(rate: int = RATE) -> Samples:
    """A second of a low tone, to warm a model up with."""
    time = np.arange(rate, dtype=np.float32) / rate
    return (0.1 * np.sin(2 * np.pi * 150 * time)).astype(np.float32)
