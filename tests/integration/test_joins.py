"""Joins of real speech: none is heard as a click."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from audio.join import join
from tests.shared_data import data_path

#: Voices that were recorded at the same rate.
_SPEAKERS = ("ls_1688", "ls_19", "ls_1998", "ls_2033", "ls_2414", "ls_3080", "ls_3331")
JOINS = 100


@pytest.fixture(scope="module")
def utterances() -> tuple[list[np.ndarray], int]:
    """A hundred and one stretches of speech, cut where joining is worst: from a trough to a crest."""
    found: list[np.ndarray] = []
    rates = set()
    for speaker in _SPEAKERS:
        for path in sorted(data_path(f"speakers/{speaker}").glob("*.flac")):
            samples, rate = soundfile.read(path, dtype="float32")
            rates.add(rate)
            length = round(1.5 * rate)
            found += [worst(samples[at : at + length], rate) for at in range(0, len(samples) - length, length)]
    assert len(rates) == 1
    loudest = sorted(found, key=lambda piece: float(piece[-1] - piece[0]))[-JOINS - 1 :]
    return loudest, rates.pop()


def worst(piece: np.ndarray, rate: int) -> np.ndarray:
    near = rate // 5
    return piece[int(piece[:near].argmin()) : len(piece) - near + int(piece[-near:].argmax()) + 1]


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_no_step_at_a_join_is_larger_than_those_of_speech(
    utterances: tuple[list[np.ndarray], int], pause: float
) -> None:
    pieces, rate = utterances
    assert len(pieces) == JOINS + 1
    whole = np.concatenate(list(join([(partial(np.asarray, piece), pause) for piece in pieces], rate)))
    steps = np.abs(np.diff(whole))
    within = [float(np.abs(np.diff(piece)).max()) for piece in pieces]
    gap, edge, at = round(pause * rate), round(0.01 * rate), 0
    clicks = 0
    for number, (piece, following) in enumerate(pairwise(pieces)):
        at += len(piece)
        own = max(within[number : number + 2])
        assert steps[at - edge : at + gap + edge].max() <= own  # of the two that meet
        clicks += abs(float(following[0] - piece[-1])) > own
        at += gap
    assert clicks > JOINS / 2  # as they would be without fades
