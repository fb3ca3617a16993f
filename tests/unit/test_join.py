"""`audio.join`: lengths, loudness over the whole, no clicks, constant memory."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.join import CEILING, FADE, Piece, join, level_to, pause_length
from audio.loudness import Meter

RATE = 22_050


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """Noise of ``level`` as standard deviation."""
    count = round(seconds * RATE)
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def reader(samples: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: samples


def measured(samples: np.ndarray) -> Meter:
    meter = Meter(RATE)
    meter.add(samples)
    return meter


def normalised(pieces: list[Piece], target: float) -> np.ndarray:
    return np.concatenate(list(join(pieces, RATE, level=level_to(target, pieces, RATE))))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 3)), max_size=6), st.booleans())
def test_nothing_changes_in_length(shape: list[tuple[int, float]], louder: bool) -> None:
    pieces = [(reader(np.full(count, 0.5, np.float32)), pause) for count, pause in shape]
    level = level_to(-10.0, pieces, RATE) if louder else None
    chunks = list(join(iter(pieces), RATE, level=level))
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 for chunk in chunks)
    pauses = sum(pause_length(pause, RATE) for _, pause in shape[:-1])  # the last piece has none behind it
    assert sum(map(len, chunks)) == sum(count for count, _ in shape) + pauses


def test_pieces_stand_where_they_should_with_their_samples() -> None:
    one, two = noise(0.5, 0.1), noise(0.3, 0.1, 1)
    whole = np.concatenate(list(join([(reader(one), 0.25), (reader(two), 0.0)], RATE)))
    edge, gap = round(FADE * RATE), pause_length(0.25, RATE)
    np.testing.assert_array_equal(whole[edge : len(one) - edge], one[edge:-edge])
    assert not whole[len(one) : len(one) + gap].any()
    np.testing.assert_array_equal(whole[len(one) + gap + edge : -edge], two[edge:-edge])
    assert one[0] != 0  # what was given is not changed


def test_joins_do_not_click() -> None:
    high = np.ones(2000, np.float32)
    whole = np.concatenate(list(join([(reader(high), 0.1), (reader(-high), 0.0)], RATE)))
    assert np.abs(np.diff(whole)).max() < 0.05
    assert whole[0] == whole[-1] == 0
    assert whole[1000] == 1


@pytest.mark.parametrize("target", [-30.0, -20.0])
def test_loudness_is_over_the_whole(target: float) -> None:
    loud, soft = noise(2, 0.05), noise(2, 0.025, 1)
    whole = normalised([(reader(loud), 0.5), (reader(soft), 0.0)], target)
    assert measured(whole).integrated() == pytest.approx(target, abs=0.1)
    ratio = whole[1000 : len(loud) - 1000].std() / whole[-len(soft) + 1000 : -1000].std()
    assert ratio == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("target", [-20.0, -14.0])
def test_peaks_are_held_and_the_loudness_is_reached(target: float) -> None:
    """Noise with a peak now and then: one gain would leave it 15 LU softer than it is to be."""
    samples = noise(4, 0.01)
    samples[:: RATE // 2] = 0.9
    whole = normalised([(reader(samples), 0.0)], target)
    assert len(whole) == len(samples)
    assert measured(whole).integrated() == pytest.approx(target, abs=0.5)
    assert measured(whole).true_peak() <= CEILING + 0.05


def test_what_cannot_be_reached_comes_near_without_being_crushed() -> None:
    samples = np.where(np.random.default_rng(0).random(4 * RATE) < 0.001, 0.9, 0.0).astype(np.float32)
    level = level_to(-5.0, [(reader(samples), 0.0)], RATE)
    whole = np.concatenate(list(join([(reader(samples), 0.0)], RATE, level=level)))
    assert level.limited and measured(whole).true_peak() <= CEILING + 0.05
    assert -40 < measured(whole).integrated() < -5.5


def test_a_long_job_is_searched_in_part_and_reached_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audio.join.SEARCHED", 4.0)
    reads: list[int] = []

    def read(seed: int) -> np.ndarray:
        reads.append(seed)
        samples = noise(1, 0.01 * (1 + seed % 3), seed)
        samples[:: RATE // 4] = 0.9
        return samples

    pieces = [(partial(read, seed), 0.1) for seed in range(16)]
    level = level_to(-18.0, pieces, RATE)
    assert len(reads) < 16 + 4 * 8
    whole = np.concatenate(list(join(pieces, RATE, level=level)))
    assert measured(whole).integrated() == pytest.approx(-18.0, abs=0.5)


def test_silence_and_nothing() -> None:
    whole = normalised([(reader(np.zeros(RATE, np.float32)), 1.0), (reader(np.zeros(0, np.float32)), 9.0)], -18.0)
    assert len(whole) == 2 * RATE
    assert not whole.any()
    assert list(join([], RATE, level=level_to(-18.0, [], RATE))) == []


def test_memory_is_constant() -> None:
    def pieces(count: int) -> Iterator[tuple[Callable[[], np.ndarray], float]]:
        for seed in range(count):
            yield partial(noise, 1, 0.1, seed), 30.0

    found = list(pieces(12))
    tracemalloc.start()
    level = level_to(-12.0, found, RATE)
    assert level.limited
    seconds = sum(len(chunk) for chunk in join(found, RATE, level=level)) / RATE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert math.isclose(seconds, 12 * 31 - 30)
    assert peak < 4e6  # the whole would be 33 MB
