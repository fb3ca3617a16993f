"""Pieces of recordings that are converted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.recordings.cuts import LONGEST, SHORTEST, cuts

RATE = 1000


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70_000), st.integers(0, 2**32 - 1))
def test_pieces_are_all_of_a_recording(length: int, seed: int) -> None:
    recording = np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    pieces = cuts(recording, RATE)
    assert not pieces or pieces[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert (pieces[-1][1] if pieces else 0) == length
    assert all(SHORTEST * RATE <= end - start <= LONGEST * RATE for start, end in pieces[:-1])
    assert all(0 < end - start <= LONGEST * RATE for start, end in pieces)


def test_a_recording_is_cut_where_it_is_quietest() -> None:
    recording = np.ones(30_000, np.float32)
    recording[14_000:14_200] = 0.01
    [(start, end), last] = cuts(recording, RATE)
    assert start == 0 and 14_000 <= end <= 14_200 and last == (end, 30_000)
