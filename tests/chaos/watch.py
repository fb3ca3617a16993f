"""Watches ledger and broker while processes die: what was orphaned, and how long until somebody else had it.

A delivery tag names its holder: what a worker held when it was killed is known, and is an orphan until another delivery
of it is held, or it is recorded. What the child of a worker ran is not known: of all messages that were held at that
moment, those whose lease is never renewed again, and which leave the held ones before they were recorded, were its own.
Seconds in which Redis or the storage was away do not count.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from broker.app import queue_name
from broker.queued import item_of
from core.names import JobState

#: Seconds between two looks.
LOOK = 0.2

#: Seconds after which a living holder has renewed its lease for certain.
RENEWED = 3.0


@dataclass(slots=True)
class Look:
    """What Redis held at one moment."""

    at: float
    held: dict[str, str]  #: delivery tag -> item
    renewed: dict[str, float]  #: delivery tag -> when its lease was last renewed
    queued: set[str]
    out: set[str]  #: items that were released and are not recorded

    @property
    def at_work(self) -> set[str]:
        return set(self.held.values())

    def held_by(self, holder: str) -> list[tuple[str, str]]:
        """Tags and items that a worker holds and that are not recorded."""
        return [(tag, item) for tag, item in self.held.items() if tag.startswith(f"{holder}/") and item in self.out]


@dataclass(slots=True)
class Orphan:
    """An item that may have been held by a process that was killed, or stopped."""

    item: str
    tag: str
    killed: float
    kind: str
    sure: bool = False
    known: bool = False  #: that process held it: its tag says so
    done: str = "killed"
    freed: float = 0.0  #: when its lease had run out and it was seen in its queue, or nowhere


@dataclass(frozen=True, slots=True, order=True)
class Recovery:
    """An item that somebody else had after ``seconds``; ``since`` in Unix seconds."""

    seconds: float
    item: str
    since: float
    how: str
    waited: str = ""  #: for what, and how long each

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"{self.seconds:.1f} s: {self.item} ({_station(self.item)}), {self.how} at {clock}: {self.waited}"


def _station(item: str) -> str:
    return "CPU" if item.endswith("/-1") else "model"


@dataclass(slots=True)
class Watch:
    """Started with `watching`; its figures are read afterwards."""

    client: redis.Redis
    stations: Sequence[str]
    orphans: list[Orphan] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    missing: dict[str, float] = field(default_factory=dict)  #: released and nowhere -> since when
    outages: list[list[float]] = field(default_factory=list)
    ends: dict[str, tuple[Any, ...]] = field(default_factory=dict)  #: by job: how it was first seen to have ended
    changed: set[str] = field(default_factory=set)  #: jobs whose end was another one later
    _jobs: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    # -- from outside

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def follow(self, job: str) -> None:
        """Takes note of how and when ``job`` ends."""
        with self._lock:
            self._jobs.add(job)

    def killed(
        self, kind: str, moment: float, done: str = "killed", holder: str = "", before: Look | None = None
    ) -> None:
        """A process was killed (or stopped) at ``moment`` (Unix seconds).

        Where it holds messages as ``holder``, its orphans are those that it held ``before`` and that are not recorded;
        else what is held now may have been its own."""
        with contextlib.suppress(redis.RedisError):
            look = self.look()
            held = before.held_by(holder) if holder and before else list(look.held.items())
            ours = [(tag, item) for tag, item in held if item in look.out]
            with self._lock:
                self.orphans += [Orphan(i, t, moment, kind, known=bool(holder), done=done) for t, i in ours]

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Seconds in here are nobody's fault."""
        span = [time.time(), float("inf")]
        self.outages.append(span)
        try:
            yield
        finally:
            span[1] = time.time()

    @property
    def ended(self) -> int:
        return len(self.ends)

    # -- looking

    def look(self) -> Look:
        pipe = self.client.pipeline(transaction=True)
        pipe.hgetall("unacked")
        pipe.zrange("unacked_index", 0, -1, withscores=True)
        for station in self.stations:
            pipe.lrange(queue_name(station), 0, -1)
            pipe.zrange(f"ch:out:{station}", 0, -1)
        held, renewed, *rest = pipe.execute()
        return Look(
            at=time.time(),
            held={tag.decode(): item_of(json.loads(entry)[0]) for tag, entry in held.items()},
            renewed={tag.decode(): score for tag, score in renewed},
            queued={item_of(message) for queue in rest[::2] for message in queue},
            out={item.decode() for out in rest[1::2] for item in out},
        )

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            with contextlib.suppress(redis.RedisError):
                look = self.look()
                with self._lock:
                    self.orphans = [orphan for orphan in self.orphans if self._still(orphan, look)]
                    self._see_missing(look)
                self.see_ends()

    def _still(self, orphan: Orphan, look: Look) -> bool:
        """Whether there is more to learn about an orphan."""
        elsewhere = [tag for tag, item in look.held.items() if item == orphan.item and tag != orphan.tag]
        recorded = orphan.item not in look.out
        if orphan.sure:
            if not (elsewhere or recorded):
                return True
            self._recovered(orphan, look.at)
            return False
        if orphan.known and recorded:
            self._recovered(orphan, look.at)
            return False
        if orphan.tag in look.held:
            if orphan.known:
                return True
            alive = look.renewed.get(orphan.tag, 0.0) > orphan.killed + 0.05
            return not (alive or recorded)
        if recorded:
            if look.at - orphan.killed > RENEWED:
                self._recovered(orphan, look.at)
            return False
        orphan.sure, orphan.freed = True, look.at
        return self._still(orphan, look)

    def _see_missing(self, look: Look) -> None:
        missing = look.out - look.queued - look.at_work
        for item in list(self.missing):
            if item not in missing:
                since = self.missing.pop(item)
                if look.at - since > 5 * LOOK:
                    seconds = self._without_outages(since, look.at)
                    waited = f"{seconds:.1f} s for the reaper"
                    self.recoveries.append(Recovery(seconds, item, since, "lost on its way", waited))
        for item in missing:
            self.missing.setdefault(item, look.at)

    def _recovered(self, orphan: Orphan, at: float) -> None:
        freed = orphan.freed or at
        lease, queued = self._without_outages(orphan.killed, freed), self._without_outages(freed, at)
        waited = f"{lease:.1f} s for its lease to end, {queued:.1f} s for a {_station(orphan.item)} worker"
        how = f"held by a {orphan.kind} that was {orphan.done}"
        self.recoveries.append(Recovery(lease + queued, orphan.item, orphan.killed, how, waited))

    def _without_outages(self, start: float, end: float) -> float:
        away = sum(max(0.0, min(end, b) - max(start, a)) for a, b in self.outages)
        return max(0.0, end - start - away)

    def see_ends(self) -> None:
        """Looks at every job: one that has ended must stay as it is."""
        with self._lock:
            jobs = sorted(self._jobs)
        pipe = self.client.pipeline(transaction=False)
        for job in jobs:
            pipe.hmget(f"ch:job:{job}", "state", "gen", "ended")
            pipe.get(f"ch:end:{job}")
        answers = pipe.execute()
        for number, job in enumerate(jobs):
            record, end = answers[2 * number : 2 * number + 2]
            ended = record[0] is not None and JobState(record[0].decode()).ended
            if ended and self.ends.setdefault(job, (*record, end)) != (*record, end):
                self.changed.add(job)
