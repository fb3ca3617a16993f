"""`audio.limiter`: no true peak above the ceiling, no sample lost, the same in any portions, soft parts untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.limiter import LOOK_AHEAD, RELEASE, Limiter
from audio.loudness import Meter

RATE = 22_050


def limited(samples: np.ndarray, gain: float, portion: int = RATE) -> np.ndarray:
    limiter = Limiter(RATE, gain, -1.0)
    parts = [limiter.add(samples[at : at + portion]) for at in range(0, len(samples), portion)]
    return np.concatenate([*parts, limiter.finish()])


def true_peak(samples: np.ndarray) -> float:
    meter = Meter(RATE)
    meter.add(samples)
    return meter.true_peak()


def tone(frequency: float, level: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * frequency * time + 0.4)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(1, 500), st.floats(0.1, 30), st.integers(0, 99))
def test_as_many_samples_in_any_portions(count: int, portion: int, gain: float, seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    parts = limited(samples, gain, portion)
    assert len(parts) == count
    np.testing.assert_allclose(parts, limited(samples, gain), atol=1e-6)


@pytest.mark.parametrize(
    "samples",
    [
        tone(220, 0.3),
        tone(RATE / 4, 0.9),  # whose peaks lie between its samples
        tone(4_000, 0.2) * np.hanning(RATE).astype(np.float32),
        np.eye(1, RATE, 9_000, dtype=np.float32)[0],
        np.random.default_rng(3).standard_normal(RATE).astype(np.float32) * 0.1,
    ],
)
def test_no_true_peak_above_the_ceiling(samples: np.ndarray) -> None:
    fade = np.minimum(1, np.arange(RATE) / 100) * np.minimum(1, np.arange(RATE)[::-1] / 100)
    samples = (samples * fade).astype(np.float32)  # as all pieces of a job are
    for gain in (2.0, 10.0):
        assert true_peak(limited(samples, gain)) <= -1.0 + 0.05
    loud = limited(samples, 10.0)
    assert true_peak(loud) > -2.5


def test_what_is_soft_stays_as_it_is() -> None:
    samples = tone(220, 0.1, 3.0)
    samples[RATE] = 1.0
    out = limited(samples, 4.0)
    before, behind = RATE - round(2 * LOOK_AHEAD * RATE), RATE + round(RATE * 15 / RELEASE)
    np.testing.assert_allclose(out[:before], 4 * samples[:before], rtol=1e-6)
    np.testing.assert_allclose(out[behind:], 4 * samples[behind:], rtol=1e-6)
    around = np.abs(out[RATE - 20 : RATE + 20])
    assert around.max() < 0.9


def test_nothing_is_nothing() -> None:
    assert len(limited(np.zeros(0, np.float32), 3.0)) == 0
    assert not limited(np.zeros(1000, np.float32), 3.0).any()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 600), st.sampled_from([0.0, 0.01, 0.4, 0.9, 3.0])), min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_soft_and_loud_passages_in_any_portions(passages: list[tuple[int, float]], portion: int) -> None:
    """What cannot be too loud takes a shorter way through the limiter."""
    samples = np.concatenate([tone(700, level)[:count] for count, level in passages])
    parts = limited(samples, 1.0, portion)
    np.testing.assert_allclose(parts, limited(samples, 1.0), atol=1e-6)
    assert np.abs(parts).max() <= 10 ** (-1.3 / 20) + 1e-6
    if max(level for _, level in passages) < 0.4:
        assert np.array_equal(parts, samples)


def test_without_a_margin_what_reaches_the_ceiling_stays_as_it_is() -> None:
    samples = tone(220, 0.9999)
    limiter = Limiter(RATE, 1.0, 0.0, margin=0.0)
    assert np.array_equal(np.concatenate([limiter.add(samples), limiter.finish()]), samples)
