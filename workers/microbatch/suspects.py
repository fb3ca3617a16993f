"""Suspects: whether an item ended the process that ran it, or was merely there when that process was ended.

A death says little. A worker is killed by an operator, by its supervisor, by a kernel that is short of memory (by the
same SIGKILL, whoever used the memory), with its machine; and outside of ``chorus up`` nobody is there who could tell.
So what counts is how often: an item that was in a process as it died runs alone from then on, and only deaths in
which it was alone count. Where processes die of something else, one of them dies in a run of a second by a chance of a
few per cent, and eight times in a row by none; what ends its process does so each time. The tries lie ever further
apart, so that a bad minute of the machine is one or two of them, and so that others run in between.
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
    """What is done with an item now."""

    RUN = "run"
    WAIT = "wait"
    POISONED = "poisoned"


def gap(lone_deaths: int) -> float:
    """Seconds from the begin of an item's last lone try to its next one; none before the second."""
    return 0.0 if lone_deaths < 2 else min(LONGEST_GAP, FIRST_GAP * 2.0 ** (lone_deaths - 2))  # noqa: PLR2004


def judge(lone_deaths: int, since: float) -> tuple[Verdict, float]:
    """The verdict, and the seconds to wait where it is ``WAIT``.

    ``since``: seconds since the item's last try began."""
    if lone_deaths >= LONE_DEATHS:
        return Verdict.POISONED, 0.0
    left = gap(lone_deaths) - since
    return (Verdict.WAIT, left) if left > SOON else (Verdict.RUN, 0.0)
