"""Joins of real speech: none is heard as a click."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import soundfile

from audio.join import FADE, join
from tests.shared_data import data_path

#: Of the voices that were recorded at the same rate.
_SPEAKERS = ("ls_1688", "ls_19", "ls_1998", "ls_2033", "ls_2414", "ls_3080", "ls_3331")
JOINS = 100


@pytest.fixture(scope="module")
def utterances() -> tuple[list[np.ndarray], int]:
    """A hundred and one stretches of 1.5 s, cut from recordings in the middle of speech, the worst place for a join."""
    found, rates = [], set()
    files = [path for speaker in _SPEAKERS for path in sorted(data_path(f"speakers/{speaker}").glob("*.flac"))]
    for path in files:
        samples, rate = soundfile.read(path, dtype="float32")
        rates.add(rate)
        length = round(1.5 * rate)
        for at in range(length // 2, len(samples) - length, length):
            found.append(samples[at : at + length])
    assert len(rates) == 1
    return found[: JOINS + 1], rates.pop()


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_no_step_at_a_join_is_larger_than_those_of_speech(
    utterances: tuple[list[np.ndarray], int], pause: float
) -> None:
    pieces, rate = utterances
    assert len(pieces) == JOINS + 1
    whole = np.concatenate(list(join([(partial(np.asarray, piece), pause) for piece in pieces], rate)))
    steps = np.abs(np.diff(whole))
    within = max(float(np.abs(np.diff(piece)).max()) for piece in pieces)
    edge = round(FADE * rate)
    length, at, at_joins = len(pieces[0]) + round(pause * rate), 0, []
    for piece, following in zip(pieces, pieces[1:], strict=False):
        at += length
        step = float(steps[at - round(pause * rate) - edge : at + edge].max())
        own = max(float(np.abs(np.diff(piece)).max()), float(np.abs(np.diff(following)).max()))
        assert step <= own  # than those of the two that meet
        at_joins.append(step)
    assert len(at_joins) == JOINS and max(at_joins) <= within
    jumps = max(abs(float(b[0] - a[-1])) for a, b in zip(pieces, pieces[1:], strict=False))
    assert jumps > 5 * np.median(at_joins)  # without fades it would be heard
