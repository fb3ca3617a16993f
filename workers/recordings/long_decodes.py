"""Long decoding in turns, so that some CPU processes are always free for short recordings."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from core.errors import Unavailable
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.documents import RecordingDocument
from storage.ledger.turns import LEASE, Turns
from workers.retry import retry_until_available

#: Seconds of sound, and samples of all channels together, above which decoding is long.
LONG, MANY_SAMPLES = 600.0, 600 * 48_000 * 2

#: Mean seconds until an item that found no turn asks again.
ASK_AGAIN = 2.0

#: Of the capacity that CPU workers state, which is two items for each process: half of the processes.
_SHARE = 0.25


class NoTurn(Exception):
    """An item is to come again: others of its owner, or enough others, decode long recordings now."""

    def __init__(self) -> None:
        super().__init__()
        self.again_in = ASK_AGAIN * random.uniform(0.5, 1.5)


def is_long(recordings: Sequence[RecordingDocument]) -> bool:
    """Whether recordings take long to decode, according to their probes."""
    duration, samples = sum(part.duration for part in recordings), sum(part.samples for part in recordings)
    return duration > LONG or samples > MANY_SAMPLES


@contextmanager
def turn(connections: Connections, owner: str, ref: ItemRef, *, long: bool) -> Iterator[Callable[[float], None]]:
    """Take the item's turn to decode a ``long`` recording, or one that turns out to be long.

    Returns a function to call with the seconds decoded so far: it extends the turn, or takes one if the file contains
    more than it stated. Both raise `NoTurn`.
    """
    turns, item = Turns(connections.redis, CPU, _SHARE), str(ref)
    kept: float | None = None

    def take() -> None:
        nonlocal kept
        if not retry_until_available(lambda: turns.take(owner, item)):
            raise NoTurn
        kept = time.monotonic()

    def keep(seconds: float) -> None:
        nonlocal kept
        if kept is None and seconds > LONG:
            take()
        elif kept is not None and time.monotonic() - kept > LEASE / 6:
            kept = time.monotonic()
            with contextlib.suppress(Unavailable):
                turns.take(owner, item)

    if long:
        take()
    try:
        yield keep
    finally:
        if kept is not None:
            with contextlib.suppress(Unavailable):
                turns.give_back(owner, item)
