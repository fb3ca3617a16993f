"""What speaker encoders hear of a recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ModelFailed, NoSpeech
from models.base import Item
from models.shared.recordings import MAX_SPEECH, MIN_SPEECH, RATE, speech

COUNT = np.arange(1, 10 * RATE + 1, dtype=np.float32) / (10 * RATE)  # every sample tells its place


def heard(segments: object = None, samples: np.ndarray = COUNT) -> np.ndarray:
    inputs = {"samples": samples, "rate": RATE}
    return speech(Item(inputs if segments is None else {**inputs, "segments": segments}))


def seconds(start: float, end: float) -> np.ndarray:
    return COUNT[round(start * RATE) : round(end * RATE)]


def test_without_segments_the_whole_recording_is_heard() -> None:
    assert np.array_equal(heard(), COUNT)


def test_segments_are_heard_in_order_of_time() -> None:
    both = np.concatenate([seconds(1, 2), seconds(5, 6)])
    assert np.array_equal(heard([[5.0, 6.0], [1.0, 2.0]]), both)
    assert np.array_equal(heard([(5.0, 6.0), (1.0, 2.0)]), both)


def test_a_short_gap_is_kept_and_a_long_one_cut_out() -> None:
    assert np.array_equal(heard([[1.0, 2.0], [2.3, 3.0]]), seconds(1, 3))
    assert np.array_equal(heard([[1.0, 2.0], [2.31, 3.0]]), np.concatenate([seconds(1, 2), seconds(2.31, 3)]))


def test_overlapping_segments_are_heard_once() -> None:
    assert np.array_equal(heard([[1.0, 4.0], [2.0, 3.0], [3.5, 5.0]]), seconds(1, 5))


def test_segments_may_reach_out_of_the_recording() -> None:
    assert np.array_equal(heard([[-3.0, 1.0], [9.0, 99.0]]), np.concatenate([seconds(0, 1), seconds(9, 10)]))


def test_the_first_minute_of_speech_is_heard() -> None:
    long = np.ones(100 * RATE, np.float32)
    long[70 * RATE :] = 0.5
    assert np.array_equal(heard(samples=long), long[: int(MAX_SPEECH) * RATE])
    late = heard([[0.0, 50.0], [80.0, 100.0]], long)
    assert len(late) == MAX_SPEECH * RATE
    assert (late[50 * RATE :] == 0.5).all()


@pytest.mark.parametrize("segments", [[], [[3.0, 3.0]], [[5.0, 4.0]], [[20.0, 30.0]]])
def test_no_segment_is_no_speech(segments: list[list[float]]) -> None:
    with pytest.raises(NoSpeech) as caught:
        heard(segments)
    assert caught.value.code == "no_speech"


def test_too_little_speech_has_its_own_code() -> None:
    assert len(heard([[1.0, 1.0 + MIN_SPEECH]])) == MIN_SPEECH * RATE
    for segments, samples in ([[[1.0, 1.4]], COUNT], [None, COUNT[: RATE // 4]], [None, COUNT[:0]]):
        with pytest.raises(NoSpeech) as caught:
            heard(segments, samples)
        assert caught.value.code == "too_little_speech"


def test_silence_is_no_speech() -> None:
    with pytest.raises(NoSpeech) as caught:
        heard(samples=np.full(RATE, 5e-5, np.float32))
    assert caught.value.code == "no_speech"


@pytest.mark.parametrize(
    "inputs",
    [
        {"samples": COUNT, "rate": 8000},
        {"rate": RATE},
        {"samples": COUNT.astype(np.float64), "rate": RATE},
        {"samples": np.stack([COUNT, COUNT]), "rate": RATE},
        {"samples": np.full(RATE, np.nan, np.float32), "rate": RATE},
        {"samples": COUNT, "rate": RATE, "segments": [[0.0, np.inf]]},
        {"samples": COUNT, "rate": RATE, "segments": [[0.0]]},
        {"samples": COUNT, "rate": RATE, "segments": "speech"},
        {"samples": COUNT, "rate": RATE, "segments": [[0.0, 1.0]] * 100_001},
    ],
)
def test_what_is_no_recording_fails(inputs: dict[str, object]) -> None:
    with pytest.raises(ModelFailed):
        speech(Item(inputs))


TIMES = st.floats(-5, 15, allow_nan=False)


@given(st.lists(st.tuples(TIMES, TIMES), max_size=20))
def test_any_segments_give_speech_in_order_or_a_clear_error(segments: list[tuple[float, float]]) -> None:
    try:
        found = heard([list(pair) for pair in segments])
    except NoSpeech:
        return
    assert MIN_SPEECH * RATE <= len(found) <= len(COUNT)
    assert (np.diff(found) > 0).all()
