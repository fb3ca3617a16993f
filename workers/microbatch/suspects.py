"""Suspects: whether an item killed the process that ran it, or was only present when that process was killed.

A single death is no evidence. A worker can be killed by an operator, by its supervisor, by a kernel that is short of
memory (with the same SIGKILL, whoever used the memory), or with its machine; and outside of ``chorus up`` nothing
could tell these apart. So the number of deaths decides: an item that was in a process when it died runs alone from
then on, and only deaths in which it was alone count. If processes are killed for other reasons, the probability that
one dies during a run of a second is a few per cent, and that eight runs in a row die is negligible; an item that
kills its process does so every time. The attempts are further and further apart, so that a bad minute of the machine
affects only one or two of them, and so that other items run in between.
"""

from __future__ import annotations

from enum import StrEnum

#: Deaths of processes in which an item ran alone, after which it is not run again. With the one that made it a
#: suspect, an item that always ends its process has ended nine.
LONE_DEATHS = 8

#: Seconds between the second lone try and the third; each gap is twice the one before, up to the longest.
FIRST_GAP, LONGEST_GAP = 0.5, 30.0

#: Seconds too short to wait for.
SOON = 0.001


class Verdict(StrEnum):
    """What to do with an item now."""

    RUN = "run"
    WAIT = "wait"
    POISONED = "poisoned"


def gap(lone_deaths: int) -> float:
    """Seconds between the start of an item's last lone attempt and the next one; zero before the second."""
    return 0.0 if lone_deaths < 2 else min(LONGEST_GAP, FIRST_GAP * 2.0 ** (lone_deaths - 2))  # noqa: PLR2004


def judge(lone_deaths: int, since: float) -> tuple[Verdict, float]:
    """The verdict, and the seconds to wait if it is ``WAIT``.

    ``since``: seconds since the item's last attempt started.
    """
    if lone_deaths >= LONE_DEATHS:
        return Verdict.POISONED, 0.0
    left = gap(lone_deaths) - since
    return (Verdict.WAIT, left) if left > SOON else (Verdict.RUN, 0.0)
