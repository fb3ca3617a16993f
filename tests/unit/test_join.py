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

from audio.join import CEILING, FADE, join, pause_length
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


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 3)), max_size=6), st.booleans())
def test_nothing_changes_in_length(shape: list[tuple[int, float]], louder: bool) -> None:
    pieces = [(reader(np.full(count, 0.5, np.float32)), pause) for count, pause in shape]
    chunks = list(join(iter(pieces), RATE, loudness=-20.0 if louder else None))
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 for chunk in chunks)
    assert sum(map(len, chunks)) == sum(count + pause_length(pause, RATE) for count, pause in shape)


def test_pieces_stand_where_they_should_with_their_samples() -> None:
    one, two = noise(0.5, 0.1), noise(0.3, 0.1, 1)
    whole = np.concatenate(list(join([(reader(one), 0.25), (reader(two), 0.0)], RATE, loudness=None)))
    edge, gap = round(FADE * RATE), pause_length(0.25, RATE)
    np.testing.assert_array_equal(whole[edge : len(one) - edge], one[edge:-edge])
    assert not whole[len(one) : len(one) + gap].any()
    np.testing.assert_array_equal(whole[len(one) + gap + edge : -edge], two[edge:-edge])
    assert one[0] != 0  # what was given is not changed


def test_joins_do_not_click() -> None:
    high = np.ones(2000, np.float32)
    whole = np.concatenate(list(join([(reader(high), 0.1), (reader(-high), 0.0)], RATE, loudness=None)))
    assert np.abs(np.diff(whole)).max() < 0.05
    assert whole[0] == whole[-1] == 0
    assert whole[1000] == 1


@pytest.mark.parametrize("target", [-30.0, -20.0])
def test_loudness_is_over_the_whole(target: float) -> None:
    loud, soft = noise(2, 0.05), noise(2, 0.025, 1)
    whole = np.concatenate(list(join([(reader(loud), 0.5), (reader(soft), 0.0)], RATE, loudness=target)))
    assert measured(whole).integrated() == pytest.approx(target, abs=0.1)
    ratio = whole[1000 : len(loud) - 1000].std() / whole[-len(soft) + 1000 : -1000].std()
    assert ratio == pytest.approx(2, rel=0.05)


def test_the_peak_stays_below_the_ceiling() -> None:
    samples = noise(2, 0.01)
    samples[RATE] = 0.9
    whole = np.concatenate(list(join([(reader(samples), 0.0)], RATE, loudness=-10.0)))
    assert CEILING - 0.1 < measured(whole).true_peak() <= CEILING + 0.01
    assert measured(whole).integrated() < -20


def test_silence_and_nothing() -> None:
    whole = np.concatenate(list(join([(reader(np.zeros(RATE, np.float32)), 1.0)], RATE, loudness=-18.0)))
    assert len(whole) == 2 * RATE
    assert not whole.any()
    assert list(join([], RATE, loudness=-18.0)) == []


def test_memory_is_constant() -> None:
    def pieces(count: int) -> Iterator[tuple[Callable[[], np.ndarray], float]]:
        for seed in range(count):
            yield partial(noise, 1, 0.1, seed), 30.0

    tracemalloc.start()
    seconds = sum(len(chunk) for chunk in join(pieces(12), RATE, loudness=-20.0)) / RATE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert math.isclose(seconds, 12 * 31)
    assert peak < 4e6  # the whole would be 33 MB
