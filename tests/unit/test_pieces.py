"""Long work in pieces: its clock, a stop, and who goes first."""

from __future__ import annotations

import threading
import time

import pytest

from core.errors import Unavailable
from workers.microbatch.pieces import Pieces


class Slot:
    """Pieces of runs, and who was let through."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.stopping = threading.Event()
        self.let: list[tuple[str, int]] = []
        self.seconds = seconds
        self.pieces = Pieces(self.stopping, self.others)

    def others(self, model: str, cost: int) -> None:
        self.let.append((model, cost))
        with self.pieces.running("short", 60, yields_to=0, alone=False):
            time.sleep(self.seconds)
            self.pieces.between()


def test_each_piece_has_the_whole_time() -> None:
    pieces = Slot().pieces
    with pieces.running("long", 0.2, yields_to=9, alone=False):
        for _ in range(4):
            time.sleep(0.1)
            assert not pieces.overdue
            pieces.between()
        time.sleep(0.25)
        assert pieces.overdue
    assert not pieces.overdue


def test_others_go_first_once_and_their_time_is_theirs() -> None:
    slot = Slot(seconds=0.3)
    with slot.pieces.running("long", 0.2, yields_to=9, alone=False) as run:
        slot.pieces.between()
        assert not slot.pieces.overdue, "the clock begins anew"
        assert slot.pieces.seconds(run) < 0.1
    assert slot.let == [("long", 9)], "not again within that"


def test_short_work_lets_only_other_models_through_and_a_suspect_nobody() -> None:
    slot = Slot()
    with slot.pieces.running("short", 1, yields_to=0, alone=False):
        slot.pieces.between()
    with slot.pieces.running("long", 1, yields_to=9, alone=True):
        slot.pieces.between()
    assert slot.let == [("short", 0)]


def test_a_stop_is_followed_between_two_pieces() -> None:
    slot = Slot()
    slot.pieces.between()  # outside of a run nothing happens
    with pytest.raises(Unavailable), slot.pieces.running("long", 1, yields_to=9, alone=False):
        slot.stopping.set()
        slot.pieces.between()
    assert not slot.let
