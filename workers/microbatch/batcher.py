"""Micro-batching: items of any jobs, gathered by model, run in one forward pass.

Three bounded stages with a thread each: *load* (the ledger's work, artifacts), *run* (the model), *store*
(artifacts, then one `Ledger.advance` for the whole micro-batch, then the acknowledgements). The slot is free
after ``run``, so that the device never waits for storage. It is work-conserving: idle, it goes after a few
milliseconds; busy, it gathers. Each item ends by itself: one bad item fails alone.

What each stage does is in ``loading.py``, ``running.py`` and ``storing.py``; here is what moves entries between them.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from core.errors import Unavailable
from core.failpoints import reach
from core.names import Role
from core.work import ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome
from storage.metrics import Count
from workers.microbatch.entries import Entry, Finished, Served, take_next, take_short
from workers.microbatch.loading import Loader, due_and_early
from workers.microbatch.pace import Pace
from workers.microbatch.pieces import Pieces
from workers.microbatch.running import Runner
from workers.microbatch.storing import Storer, counts_of, outcome_of
from workers.outcomes import record
from workers.retry import retry_until_available
from workers.steps.base import ModelStep

log = logging.getLogger(__name__)

#: Seconds that an idle worker waits for company after the first item.
LINGER = 0.005

#: Seconds that a suspect waits for others to be stored before it runs.
STORING = 5.0


class MicroBatcher:
    """Runs the items of this process's models.

    ``settle`` gets the messages of items that have ended, or, with False, of those to be delivered again.
    """

    def __init__(
        self,
        connections: Connections,
        served: Mapping[str, Served],
        steps: Mapping[Role, ModelStep],
        settle: Callable[[list[object], bool], None],
        *,
        store_threads: int = 8,
    ) -> None:
        self.pace = Pace()
        self._connections = connections
        self._served = served
        self._settle = settle
        self._arrived: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._finished: queue.Queue[Finished | None] = queue.Queue(maxsize=2)
        self._held: dict[str, Entry] = {}
        self._storing = 0  #: micro-batches that have run and are not recorded
        self._lock = threading.Lock()  #: of ``_held``, ``_storing`` and what is ready
        self._ready = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._pieces = Pieces(self._stopping, self._let_through)
        for one in served.values():
            one.model.pause = self._pieces.between
        io = ThreadPoolExecutor(store_threads, thread_name_prefix="io")
        self._loader = Loader(connections.ledger, served, steps, io, self._stopping)
        self._runner = Runner(connections.ledger, self._pieces, self._stopping)
        self._storer = Storer(steps, io, self._stopping)
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (
                ("load", self._load_loop),
                ("run", self._run_loop),
                ("store", self._store_loop),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def add(self, station: str, ref: ItemRef, message: object) -> None:
        """Takes an item in. One that is held already is not run twice: its message is settled with it."""
        name = str(ref)
        with self._lock:
            if (held := self._held.get(name)) is not None:
                held.messages.append(message)
                return
            if not self._held:
                self.pace.begin()
            entry = self._held[name] = Entry(ref, station, [message])
        self._arrived.put(entry)

    def stop(self, timeout: float) -> bool:
        """Finishes what runs and stores it; what has not begun is left to others. False if time ran out."""
        self._stopping.set()
        with self._ready:
            self._ready.notify_all()
        self._arrived.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def overdue(self) -> bool:
        """Whether the present micro-batch, or piece of one, has run longer than its model may."""
        return self._pieces.overdue

    # -- load ---------------------------------------------------------------------------------------------

    def _load_loop(self) -> None:
        while not self._stopping.is_set():
            first = self._arrived.get()
            entries = [] if first is None else [first]
            while not self._arrived.empty():
                if (entry := self._arrived.get()) is not None:
                    entries.append(entry)
            if entries and not self._stopping.is_set():
                self._guard(entries, self._load, entries)

    def _load(self, arrived: list[Entry]) -> None:
        wanted, unwanted = self._loader.take(arrived)
        self._end(unwanted)
        entries, early, waits = due_and_early(wanted)
        if early:
            self._record(early, waits)
        answers = list(zip(entries, self._loader.load(entries), strict=True))
        with self._ready:
            for entry, answer in answers:
                if answer is None:
                    self._served[entry.station].ready.append(entry)
            self._ready.notify()
        over = [(entry, answer) for entry, answer in answers if answer is not None]
        if over:
            self._record([entry for entry, _ in over], [outcome_of(*pair) for pair in over])

    # -- run ----------------------------------------------------------------------------------------------

    def _run_loop(self) -> None:
        while not self._stopping.is_set():
            with self._ready:
                idle = not self._waiting()
                while not self._waiting() and not self._stopping.is_set():
                    self._ready.wait()
            if idle:
                self._stopping.wait(LINGER)
            if self._stopping.is_set():
                break
            with self._lock:
                chosen = take_next(self._served.values())
            if chosen:
                served, taken = chosen
                self._guard(taken, self._run, served, taken)
        self._finished.put(None)

    def _waiting(self) -> bool:
        return any(served.ready for served in self._served.values())

    def _let_through(self, running: str, cost: int) -> None:
        """Runs a micro-batch of what is short and above suspicion, between two pieces of what runs."""
        with self._lock:
            chosen = take_short(self._served, running, cost)
        if chosen:
            served, taken = chosen
            self._guard(taken, self._run, served, taken)

    def _run(self, served: Served, taken: list[Entry]) -> None:
        if taken[0].suspect:
            with self._ready:
                self._ready.wait_for(lambda: not self._storing or self._stopping.is_set(), STORING)
        entries, unwanted = self._runner.start(served, taken)
        self._end(unwanted)
        if not entries:
            return
        finished = self._runner.run(served, entries)
        with self._lock:
            self._storing += 1
        self._finished.put(finished)

    # -- store --------------------------------------------------------------------------------------------

    def _store_loop(self) -> None:
        while (finished := self._finished.get()) is not None:
            self._guard(finished.entries, self._store, finished)
            with self._ready:
                self._storing -= 1
                self._ready.notify_all()

    def _store(self, finished: Finished) -> None:
        stored = self._storer.store(finished)
        reach("model.stored")
        outcomes = [outcome_of(entry, one) for entry, one in zip(finished.entries, stored, strict=True)]
        counts = counts_of(finished, stored, self.pace.busy_seconds())
        self.pace.note(finished.served.model.spec.name, finished.run_seconds / len(outcomes))
        self._record(finished.entries, outcomes, counts)

    # -- ends ---------------------------------------------------------------------------------------------

    def _record(self, entries: Sequence[Entry], outcomes: Sequence[Outcome], counts: Sequence[Count] = ()) -> None:
        retry_until_available(lambda: record(self._connections, outcomes, counts), self._stopping)
        reach("model.recorded")
        self._end(entries)

    def _end(self, entries: Sequence[Entry], *, ended: bool = True) -> None:
        messages: list[object] = []
        with self._lock:
            for entry in entries:
                if self._held.pop(str(entry.ref), None) is not None:
                    messages.extend(entry.messages)
            if not self._held:
                self.pace.rest()
        if messages:
            self._settle(messages, ended)

    def _guard(self, entries: Sequence[Entry], stage: Callable[..., None], *arguments: object) -> None:
        """A stage never ends its thread: items that it could not carry on are delivered again."""
        try:
            stage(*arguments)
        except Exception as error:
            if not (isinstance(error, Unavailable) and self._stopping.is_set()):
                log.exception("%d items are delivered again", len(entries))
                self._stopping.wait(1.0)
            self._end(entries, ended=False)
