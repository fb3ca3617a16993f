"""Long decoding in turns: beside it there is always a CPU process for what is short."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from broker.turns import LEASE, Turns
from core.errors import Unavailable
from core.work import CPU, ItemRef
from workers.services import Services, patiently

#: Seconds of sound, and samples of all channels together, above which decoding is long.
LONG, MANY_SAMPLES = 600.0, 600 * 48_000 * 2

_LONG = {"duration": LONG, "samples": MANY_SAMPLES}

#: Mean seconds until an item that found no turn asks again.
ASK_AGAIN = 2.0

#: Of the room that CPU workers state, which is two items for each process: half of the processes.
_SHARE = 0.25


class NoTurn(Exception):
    """An item is to come again: others of its owner, or enough others, decode long recordings now."""

    def __init__(self) -> None:
        super().__init__()
        self.again_in = ASK_AGAIN * random.uniform(0.5, 1.5)


def is_long(recordings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it takes long to decode recordings, by what was found in them as they were taken in."""
    return any(sum(part.get(what, 0) for part in recordings) > most for what, most in _LONG.items())


@contextmanager
def turn(services: Services, owner: str, ref: ItemRef, *, long: bool) -> Iterator[Callable[[], None]]:
    """The item's turn to decode what is ``long``; what keeps it, to be called now and then. Raises `NoTurn`."""
    if not long:
        yield lambda: None
        return
    turns, item = Turns(services.redis, CPU, _SHARE), str(ref)
    if not patiently(lambda: turns.take(owner, item)):
        raise NoTurn
    kept = time.monotonic()

    def keep() -> None:
        nonlocal kept
        if time.monotonic() - kept > LEASE / 6:
            kept = time.monotonic()
            with contextlib.suppress(Unavailable):
                turns.take(owner, item)

    try:
        yield keep
    finally:
        with contextlib.suppress(Unavailable):
            turns.give_back(owner, item)
