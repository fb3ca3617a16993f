"""From probabilities to segments: the same as the package's own, to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelFailed
from models.base import Item, Segment
from models.shared.recordings import RATE
from models.silero import FAMILY
from models.silero.model import SileroModel, _samples
from models.silero.segments import WINDOW, Parameters, segments

PROBABILITIES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.34, 0.35, 0.36, 0.49, 0.5, 0.51, 0.9]), max_size=400)


def in_samples(found: tuple[Segment, ...]) -> list[tuple[int, int]]:
    return [(round(s.start * RATE), round(s.end * RATE)) for s in found]


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.9]), st.integers(1, 60)), max_size=20),
    noise=PROBABILITIES,
    short=st.integers(0, WINDOW - 1),
    threshold=st.sampled_from([0.1, 0.35, 0.5, 0.77]),
    least_speech=st.integers(0, 1500),
    least_silence=st.integers(0, 1500),
    pad=st.integers(0, 600),
    longest=st.one_of(st.just(0.0), st.integers(1, 8000).map(lambda ms: ms / 1000)),
)
def test_segments_are_those_of_the_package(
    pieces: list[tuple[float, int]],
    noise: list[float],
    short: int,
    threshold: float,
    least_speech: int,
    least_silence: int,
    pad: int,
    longest: float,
) -> None:
    package = pytest.importorskip("silero_vad.utils_vad")
    flat = [value for value, count in pieces for _ in range(count)] + noise
    probabilities = np.array(flat, np.float32)
    samples = max(0, len(flat) * WINDOW - short)
    theirs = package.get_speech_timestamps_from_probs(
        probabilities.tolist(),
        threshold=threshold,
        min_speech_duration_ms=least_speech,
        min_silence_duration_ms=least_silence,
        speech_pad_ms=pad,
        max_speech_duration_s=longest or float("inf"),
        audio_length_samples=samples,
    )
    ours = segments(
        probabilities,
        samples,
        Parameters(
            threshold=threshold,
            min_speech_duration=least_speech / 1000,
            min_silence_duration=least_silence / 1000,
            speech_pad=pad / 1000,
            max_speech_duration=longest,
        ),
    )
    assert in_samples(ours) == [(speech["start"], speech["end"]) for speech in theirs]


def test_defaults_are_those_of_the_family() -> None:
    given = {name: option.default for name, option in FAMILY.options.items()}
    assert Parameters(**given) == Parameters()


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"samples": np.zeros(WINDOW, np.float32), "rate": 8000}, {}),
        ({"samples": np.zeros((2, WINDOW), np.float32), "rate": RATE}, {}),
        ({"samples": np.zeros(WINDOW, np.int16), "rate": RATE}, {}),
        ({"samples": np.full(WINDOW, np.inf, np.float32), "rate": RATE}, {}),
        ({"samples": np.zeros(WINDOW, np.float32), "rate": RATE}, {"threshold": 1.5}),
        ({"samples": np.zeros(WINDOW, np.float32), "rate": RATE}, {"speech_pad": "long"}),
    ],
)
def test_a_bad_item_fails(inputs: dict[str, object], options: dict[str, object]) -> None:
    model = SileroModel.__new__(SileroModel)  # no weights: bad items never reach the network
    outcome = model.run([Item(inputs, options)])[0]
    assert isinstance(outcome, ModelFailed)


def test_good_samples_pass() -> None:
    assert len(_samples(Item({"samples": np.zeros(3, np.float32), "rate": RATE}))) == 3
