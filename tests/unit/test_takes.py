"""Which part of a take is heard."""

from __future__ import annotations

import numpy as np
import pytest

from workers.recordings.takes import fullest_part

RATE = 16_000


def sound(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """Words of 0.4 s with pauses of 0.2 s."""
    count = round(seconds * RATE)
    found = level * np.random.default_rng(seed).standard_normal(count) * (np.arange(count) % 9_600 < 6_400)
    return found.astype(np.float32)


def silence(seconds: float, level: float = 0.0) -> np.ndarray:
    found = level * np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return found.astype(np.float32)


def energy(samples: np.ndarray) -> float:
    return float(np.square(samples).sum())


@pytest.mark.parametrize("front", [11.0, 300.0])
@pytest.mark.parametrize("floor", [0.0, 1e-3])
@pytest.mark.parametrize("level", [0.3, 0.05])
def test_silence_in_front_is_left_out(front: float, floor: float, level: float) -> None:
    take = np.concatenate([silence(front, floor), sound(15.0, level)])
    heard = fullest_part(take, 10.0, RATE)
    assert len(heard) == 10 * RATE
    assert energy(heard) > 0.75 * energy(sound(10.0, level))


def test_a_click_is_not_the_voice() -> None:
    take = np.concatenate([silence(1.0), np.full(100, 0.9, np.float32), silence(20.0), sound(5.0, 0.02), silence(20.0)])
    assert energy(fullest_part(take, 10.0, RATE)) >= 0.75 * energy(sound(5.0, 0.02))


def test_an_ordinary_take_is_heard_from_its_start() -> None:
    take = sound(60.0)
    np.testing.assert_array_equal(fullest_part(take, 10.0, RATE), take[: 10 * RATE])


def test_what_is_short_or_silent_is_taken_as_it_is() -> None:
    short = sound(7.0)
    assert fullest_part(short, 10.0, RATE) is short
    assert len(fullest_part(silence(30.0), 10.0, RATE)) == 10 * RATE
    assert len(fullest_part(sound(10.04), 10.0, RATE)) == 10 * RATE
