"""`audio.trim`: silence around the whole goes, sound and everything between sounds stays."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.join import Piece, join, pause_length
from audio.trim import MARGIN, trim
from tests.shared_data import data_path

RATE = 8_000
KEPT = round(MARGIN * RATE)


def tone(count: int, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 800 * (np.arange(count) + 0.5) / RATE)).astype(np.float32)


def silence(count: int) -> np.ndarray:
    return np.zeros(count, np.float32)


def whole(pieces: list[Piece]) -> np.ndarray:
    return np.concatenate([*join(pieces, RATE), silence(0)])


def pieces_of(parts: list[tuple[int, int, int, float]]) -> list[Piece]:
    """Silence, sound, silence and the pause behind, for each piece."""
    return [
        (partial(np.concatenate, [silence(before), tone(sound), silence(after)]), pause)
        for before, sound, after, pause in parts
    ]


PART = st.tuples(
    st.integers(0, 2_000), st.sampled_from([0, 0, 800, 4_000]), st.integers(0, 2_000), st.sampled_from([0.0, 0.25, 1.0])
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PART, max_size=5))
def test_what_is_left_is_a_part_of_the_whole_with_all_its_sound(parts: list[tuple[int, int, int, float]]) -> None:
    pieces = pieces_of(parts)
    before, found = whole(pieces), trim(pieces, RATE)
    after = whole(list(found.pieces))
    heard = np.flatnonzero(np.abs(before) > 0.01)
    if not len(heard):
        assert found.offset == 0 and np.array_equal(before, after)
        return
    moved = heard - found.offset
    assert moved[0] >= 0 and moved[-1] < len(after)
    assert np.array_equal(np.flatnonzero(np.abs(after) > 0.01), moved)
    window = 80 + 40  # a window, and what the fade makes quiet
    assert moved[0] <= KEPT + window and len(after) - moved[-1] <= KEPT + window


def test_the_offset_counts_silent_pieces_and_their_pauses() -> None:
    parts = [(500, 0, 0, 0.5), (0, 0, 0, 0.25), (1_000, 4_000, 700, 0.1), (900, 0, 0, 0.0)]
    found = trim(pieces_of(parts), RATE)
    assert found.offset == 500 + pause_length(0.5, RATE) + pause_length(0.25, RATE) + 1_000 - 40 - KEPT
    assert len(found.pieces) == 1


def test_only_the_pieces_at_the_ends_are_read() -> None:
    reads: list[int] = []

    def read(index: int) -> np.ndarray:
        reads.append(index)
        return tone(800)

    trim([(partial(read, index), 0.1) for index in range(100)], RATE)
    assert sorted(reads) == [0, 99]


def test_weak_sounds_at_the_ends_stay() -> None:
    sound = np.concatenate([silence(4_000), tone(400, 0.003), tone(4_000, 0.5), tone(400, 0.003), silence(4_000)])
    found = trim([(lambda: sound, 0.0)], RATE)
    assert 4_000 - KEPT - 80 <= found.offset <= 4_000 - KEPT
    assert whole(list(found.pieces)).size == pytest.approx(4_800 + 2 * KEPT, abs=160)


def test_noise_without_speech_before_it_is_no_silence() -> None:
    """The background of a recording, 30 dB below the voice."""
    noise = (0.01 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    sound = np.concatenate([noise, tone(RATE), noise])
    assert trim([(lambda: sound, 0.0)], RATE).offset == 0


def test_speech_loses_its_silence_and_nothing_else() -> None:
    speech, rate = soundfile.read(data_path("speakers/lj_linda/LJ001-0001.flac"), dtype="float32")
    quiet = np.zeros(rate, np.float32)
    padded = np.concatenate([quiet, speech, quiet])
    found = trim([(lambda: padded, 0.0)], rate)
    left = np.concatenate(list(join(found.pieces, rate)))
    assert abs(found.offset - rate) < 0.08 * rate
    assert abs(len(left) - len(speech)) < 0.16 * rate
    assert (left.astype(float) ** 2).sum() == pytest.approx((speech.astype(float) ** 2).sum(), rel=1e-3)
