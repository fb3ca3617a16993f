"""The reaper: compares the ledger with the queues and recovers what was lost, whatever the broker did.

An item that was released but is neither in its queue nor held by a worker was lost, for example by a process that
died between the two; it is enqueued again. To avoid running live items twice, an item only counts as lost if two
rounds, some seconds apart, did not find it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from broker.publish import publish_many
from broker.queued import items_held
from core import ids
from core.errors import ChorusError
from core.failpoints import reach
from core.work import CPU
from pipelines.connections import Connections
from storage.objects.job_objects import folder, outlived
from workers.upkeep.sweep import sweep_when_due

log = logging.getLogger(__name__)

#: Seconds between two rounds, and that an item may be between release and queue.
INTERVAL = 1.0
GRACE = 2.0

#: Seconds after a reaper's last round from which a standby does them: it was killed, is stopped, or hangs.
SILENCE = 3.0

#: Seconds between two searches for expired jobs.
EXPIRY_INTERVAL = 2.0

#: Seconds between two looks whether a sweep is due.
SWEEP_INTERVAL = 60.0


class Reaper:
    """Any number of reapers may run: each round is safe beside another."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._missing: dict[str, set[str]] = {}

    def round(self) -> int:
        """End overdue jobs, wake delayed items, recover lost items, release waiting ones; return how many were lost."""
        ledger = self._connections.ledger
        if overdue := ledger.upkeep.end_overdue():
            log.warning("%d jobs were past their deadline", overdue)
        ledger.upkeep.wake_due()
        stations = [CPU, *self._connections.catalog.models]
        lost = sum(self._find_lost(station) for station in stations)
        ledger.release(stations)
        return lost

    def delete_expired(self) -> None:
        """Deletes jobs past their retention, results first, and artifacts that no job needs any more."""
        upkeep, objects = self._connections.ledger.upkeep, self._connections.objects
        while upkeep.tidy():  # before anything is deleted: it says which artifacts are needed still
            pass
        for owner, job, expires in upkeep.expired():
            if ids.BATCH.begins(job):
                objects.delete(*objects.names(f"{owner}/batches/{job}/"))
            else:
                self._drop_results(owner, job, expires)
            upkeep.delete_expired(owner, job)
        for owner in upkeep.owners():
            objects.delete(*upkeep.collect_unused(owner))

    def _drop_results(self, owner: str, job: str, expires: float) -> None:
        """Delete what is left of a job past its retention. Another job may have its id by now, whose objects are
        kept."""
        aged = list(self._connections.objects.ages(folder(owner, job)))
        # Read after listing, so that the listed objects belong to this job or to earlier ones of the same id.
        found = self._connections.ledger.get(job)
        if found is None or (found.expires is not None and found.expires <= expires):
            self._connections.objects.delete(*outlived(aged, expires))

    def _find_lost(self, station: str) -> int:
        upkeep = self._connections.ledger.upkeep
        released = upkeep.released_before(station, time.time() - GRACE)
        if not released:
            self._missing.pop(station, None)
            return 0
        missing = released - items_held(self._connections.redis, station)
        lost = missing & self._missing.get(station, set())
        self._missing[station] = missing - lost
        for item in sorted(lost):
            # Its time of release is renewed, so that another reaper does not enqueue it too.
            if upkeep.renew_release(station, item):
                log.warning("%s was lost on its way to %s and is enqueued again", item, station)
                reach("reaper.found")
                publish_many(self._connections.redis, [(station, item)])
        return len(lost)


def run_reaper(connections: Connections, stop: threading.Event) -> None:
    """Run rounds until ``stop``, the first one at once.

    Work that needs the storage runs in parallel: while the storage is unavailable, it takes longer than lost items
    may wait.
    """
    reaper = Reaper(connections)
    sweep_every = min(SWEEP_INTERVAL, connections.settings.sweep_interval)
    beside: dict[str, tuple[float, Callable[[], object]]] = {
        "expiry": (EXPIRY_INTERVAL, reaper.delete_expired),
        "sweep": (sweep_every, lambda: sweep_when_due(connections)),
    }
    for name, (seconds, work) in beside.items():
        threading.Thread(target=_repeat, args=(name, work, seconds, seconds, stop), name=name, daemon=True).start()

    def round_() -> None:
        reaper.round()
        connections.ledger.upkeep.note_round(SILENCE)

    _repeat("round", round_, 0.0, INTERVAL, stop)


def run_standby(connections: Connections, stop: threading.Event) -> None:
    """Run rounds while no reaper does, until ``stop``. So what is lost does not wait for a reaper to be replaced."""
    reaper = Reaper(connections)

    def round_() -> None:
        if not connections.ledger.upkeep.round_is_recent():
            reaper.round()

    _repeat("standby's round", round_, SILENCE, INTERVAL, stop)


def _repeat(name: str, work: Callable[[], object], first: float, then: float, stop: threading.Event) -> None:
    """Does ``work`` after ``first`` seconds and every ``then`` seconds from there on, until ``stop``."""
    pause = first
    while not stop.wait(pause):
        pause = then
        try:
            work()
        except ChorusError as error:
            log.warning("this %s failed: %s", name, error)
