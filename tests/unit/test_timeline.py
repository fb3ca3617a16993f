"""Where utterances are in the audio, and what their times are from."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.artifact import pack
from audio.join import join, starts_of
from core.errors import ArtifactMissing
from core.names import Markup, TimingMethod
from core.work import StageWork, UtteranceWork, WordPlaces
from storage.objects.objects import Objects
from workers.timing.timeline import Timeline

RATE = 8000
TEXT = "Hello there."
PLACES = WordPlaces(4, True, ((0, 5, 0, 1), (6, 6, 1, 4)))
SPOKEN = np.full(RATE, 0.5, np.float32)


class Stored:
    """Objects by name."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def get(self, name: str) -> bytes:
        if name not in self.objects:
            raise ArtifactMissing
        return self.objects[name]


def timeline(stored: Stored, *stages: str) -> Timeline:
    works = tuple(StageWork(inputs={}, options={}, seed=0, artifact=name) for name in stages)
    work = UtteranceWork(stages=works, pause=0.25, source=(0, 0, len(TEXT)), words=PLACES)
    return Timeline(cast(Objects, stored), [work], RATE)


def starts(noted: Timeline) -> list[int]:
    [one] = noted.utterances([TEXT], Markup.NONE, "en")
    return [word.start for word in one.words]


DURATIONS = {"durations": [0.1, 0.2, 0.3, 0.4]}


def test_speech_that_is_converted_keeps_the_times_that_it_was_spoken_with() -> None:
    noted = timeline(Stored(spoken=pack(SPOKEN, RATE, DURATIONS)), "spoken", "converted")
    noted.note(0, SPOKEN, {"seed": 0})
    assert (noted.method, starts(noted)) == (TimingMethod.DURATIONS, [0, 800])


@pytest.mark.parametrize(
    ("stages", "facts"),
    [
        (("spoken", "converted"), {}),  # the first stage's artifact is gone
        (("spoken",), {}),
        (("spoken",), {"durations": [1.0]}),
        (("spoken",), {"durations": [0.1, 0.2, 0.3, -0.4]}),
        (("spoken",), {"durations": [0.1, 0.2, 0.3, float("inf")]}),
        (("spoken",), {"durations": "long"}),
    ],
)
def test_times_without_durations_are_estimated(stages: tuple[str, ...], facts: dict[str, Any]) -> None:
    noted = timeline(Stored(), *stages)
    noted.note(0, SPOKEN, facts)
    assert (noted.method, starts(noted)) == (TimingMethod.ESTIMATED, [0, 2000])


def test_what_is_trimmed_shifts_words() -> None:
    noted = timeline(Stored(), "spoken")
    noted.note(0, SPOKEN, DURATIONS)
    noted.cut(300, 7000)
    assert starts(noted) == [0, 500]
    [one] = noted.utterances([TEXT], Markup.NONE, "en")
    assert (one.start, one.end, one.words[-1].end, noted.starts) == (0, 7000, 7000, [0, 7000])


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 0.05)), max_size=20), st.sampled_from([8000, 22_050, 24_000])
)
def test_starts_are_where_pieces_are_joined(drawn: list[tuple[int, float]], rate: int) -> None:
    pieces = [(lambda number=number, size=size: np.full(size, number + 1.0, np.float32), pause)
              for number, (size, pause) in enumerate(drawn)]  # fmt: skip
    joined = np.concatenate([np.zeros(0, np.float32), *join(pieces, rate)])
    found = starts_of([size for size, _ in drawn], [pause for _, pause in drawn], rate)
    assert found[-1] == len(joined)
    for number, (size, _) in enumerate(drawn):
        middle = joined[found[number] + size // 2 : found[number] + size // 2 + 1]
        assert size < 100 or round(float(middle[0])) == number + 1  # shorter ones are all fade
