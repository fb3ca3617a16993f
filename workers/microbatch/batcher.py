"""Micro-batching: items of any jobs, collected by model, run in one forward pass.

Three bounded stages with a thread each: *load* (the ledger's work, artifacts), *run* (the model), *store* (artifacts,
then one `Ledger.advance` for the whole micro-batch, then the acknowledgements). The slot is free after ``run``, so
that the device never waits for storage. Batching is work-conserving: an idle worker starts after a few milliseconds;
a busy one collects items. Each item ends by itself: one bad item fails alone.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from core.errors import ChorusError, InternalError, ModelFailed, Poisoned, Unavailable
from core.failpoints import reach
from core.names import Role
from core.work import WHOLE_JOB, ItemRef
from models.base import Bounds, Item, Model, Output
from models.shared.failures import failure, is_out_of_memory
from pipelines.connections import Connections
from storage.ledger.records import Outcome, Work
from storage.metrics import Count
from workers.microbatch.formation import form
from workers.microbatch.pieces import Pieces
from workers.microbatch.suspects import Verdict, judge
from workers.outcomes import record
from workers.retry import as_chorus_error, failed, retry_until_available
from workers.steps.base import ModelStep, SourceMissing, Stored

log = logging.getLogger(__name__)

#: Seconds that an idle worker waits for company after the first item.
LINGER = 0.005

#: Seconds after a suspect's arrival in which others run before it, and that it waits until they are stored.
COMPANY, STORING = 1.0, 5.0

#: An item runs between the pieces of another that costs at least this many times as much.
LONG = 8


@dataclass(slots=True)
class Entry:
    """One item in this process; ``messages`` are settled once it has ended (more than one if redelivered)."""

    ref: ItemRef
    station: str
    messages: list[object]
    work: Work = field(default_factory=Work)
    role: Role = Role.SYNTHESIZE
    item: Item = field(default_factory=lambda: Item(inputs={}))
    cost: int = 1
    arrived: float = field(default_factory=time.monotonic)

    @property
    def suspect(self) -> bool:
        """Whether a process died, or was given up, while this item ran in it."""
        return self.work.starts > 0

    def judged(self) -> tuple[Verdict, float]:
        """The verdict from the deaths in which it was alone: see `workers.microbatch.suspects.judge`."""
        return judge(self.work.starts_alone, time.time() - self.work.last_start)


@dataclass(slots=True, kw_only=True)
class Served:
    """One model that this process serves."""

    model: Model
    bounds: Bounds  #: the model's own, narrowed where memory ran out
    ready: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Finished:
    """A micro-batch that has run: its entries and an outcome each."""

    served: Served
    entries: list[Entry]
    outputs: list[Output | ChorusError]
    run_seconds: float


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
        self._connections = connections
        self._served = served
        self._steps = steps
        self._settle = settle
        self._arrived: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._finished: queue.Queue[Finished | None] = queue.Queue(maxsize=2)
        self._held: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._busy_since: float | None = None
        self._busy_counted = 0.0
        self._pieces = Pieces(self._stopping, self._let_through)
        for one in served.values():
            one.model.pause = self._pieces.between
        self._storing = 0  #: micro-batches that have run and are not recorded
        self.pace: dict[str, float] = {}  #: by model: seconds an item takes, as of late
        self._io = ThreadPoolExecutor(store_threads, thread_name_prefix="io")
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
        """Add an item. If this process has it already, it does not run twice: its message is settled with the first."""
        name = str(ref)
        with self._lock:
            if (held := self._held.get(name)) is not None:
                held.messages.append(message)
                return
            entry = self._held[name] = Entry(ref, station, [message])
            if self._busy_since is None:
                self._busy_since = time.monotonic()
        self._arrived.put(entry)

    def stop(self, timeout: float) -> bool:
        """Finish and store the running items; others are left to other workers. False if time ran out."""
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

    def _load(self, entries: list[Entry]) -> None:
        works = retry_until_available(lambda: self._take(entries), self._stopping)
        unwanted = [entry for entry, work in zip(entries, works, strict=True) if work is None]
        wanted = []
        for entry, work in zip(entries, works, strict=True):
            if work is not None:
                entry.work = work
                entry.role = self._role(entry)
                wanted.append(entry)
        self._end(unwanted)
        wanted = self._without_early(wanted)
        loaded = list(self._io.map(self._load_one, wanted)) if len(wanted) > 1 else [*map(self._load_one, wanted)]
        with self._ready:
            for entry, answer in zip(wanted, loaded, strict=True):
                if answer is None:
                    self._served[entry.station].ready.append(entry)
            self._ready.notify()
        over = [(entry, answer) for entry, answer in zip(wanted, loaded, strict=True) if answer is not None]
        if over:
            self._record([e for e, _ in over], [self._outcome(e, answer) for e, answer in over])

    def _without_early(self, entries: list[Entry]) -> list[Entry]:
        """The entries without suspects whose next attempt is not due: those wait in the ledger, while others run."""
        waits = {}
        for entry in entries:
            verdict, seconds = entry.judged()
            if verdict is Verdict.WAIT:
                waits[id(entry)] = seconds
        early = [entry for entry in entries if id(entry) in waits]
        if early:
            self._record(early, [Outcome(ref=e.ref, station=e.station, again_in=waits[id(e)]) for e in early])
        return [entry for entry in entries if id(entry) not in waits]

    def _take(self, entries: list[Entry]) -> list[Work | None]:
        found: dict[int, Work | None] = {}
        for station in {entry.station for entry in entries}:
            of_station = [entry for entry in entries if entry.station == station]
            works = self._connections.ledger.take(station, [entry.ref for entry in of_station])
            found.update((id(entry), work) for entry, work in zip(of_station, works, strict=True))
        if None in found.values():
            self._connections.ledger.release({entry.station for entry in entries})
        return [found[id(entry)] for entry in entries]

    def _role(self, entry: Entry) -> Role:
        """The role of the step: a model may serve more than its family's own role."""
        if entry.ref.index == WHOLE_JOB:
            return entry.work.plan.steps[entry.ref.step].role
        return self._served[entry.station].model.spec.role

    def _load_one(self, entry: Entry) -> Stored | ChorusError | None:
        """Prepare an entry to run (None), or end it: its work is already done, or it failed."""
        model = self._served[entry.station].model
        if entry.judged()[0] is Verdict.POISONED:
            return Poisoned(step=entry.role.value)
        try:
            loaded = retry_until_available(lambda: self._steps[entry.role].load(model.spec, entry.work), self._stopping)
            if isinstance(loaded, Stored):
                return loaded
            entry.item = loaded
            entry.cost = max(1, model.cost(loaded))
        except Unavailable:
            raise
        except Exception as error:
            if not isinstance(error, ChorusError):
                log.exception("Loading %s failed", entry.ref)
            return as_chorus_error(error, InternalError, entry.role.value)
        return None

    # -- run ----------------------------------------------------------------------------------------------

    def _run_loop(self) -> None:
        while not self._stopping.is_set():
            with self._ready:
                idle = not self._waiting()
                while not self._waiting() and not self._stopping.is_set():
                    self._ready.wait()
            if idle:
                self._stopping.wait(LINGER)
            if not self._stopping.is_set() and (chosen := self._choose()):
                served, taken = chosen
                self._guard(taken, self._run, served, taken)
        self._finished.put(None)

    def _waiting(self) -> list[Served]:
        return [served for served in self._served.values() if served.ready]

    def _choose(self) -> tuple[Served, list[Entry]] | None:
        """The model whose oldest item has waited longest, and its next micro-batch."""
        with self._lock:
            waiting = self._waiting()
            if not waiting:
                return None
            served = min(waiting, key=lambda s: s.ready[0].arrived)
            taken = next_batch(served)
            chosen = set(map(id, taken))
            served.ready[:] = [entry for entry in served.ready if id(entry) not in chosen]
            return served, taken

    def _let_through(self, running: str, cost: int) -> None:
        """Run a micro-batch of short items without suspects, between two pieces of the running item."""
        with self._lock:
            found = {}
            for name, served in self._served.items():
                most = min(served.bounds.cost, cost) if name == running else served.bounds.cost
                if short := [e for e in served.ready if not e.suspect and e.cost <= most]:
                    found[name] = short
            if not found:
                return
            name = min(found, key=lambda n: found[n][0].arrived)
            taken = form(found[name], self._served[name].bounds)
            chosen = set(map(id, taken))
            ready = self._served[name].ready
            ready[:] = [entry for entry in ready if id(entry) not in chosen]
        self._guard(taken, self._run, self._served[name], taken)

    def _run(self, served: Served, taken: list[Entry]) -> None:
        if taken[0].suspect:
            with self._ready:
                self._ready.wait_for(lambda: not self._storing or self._stopping.is_set(), STORING)
        refs = [entry.ref for entry in taken]
        name, alone = served.model.spec.name, taken[0].suspect
        wanted = retry_until_available(lambda: self._connections.ledger.start(name, refs, alone=alone), self._stopping)
        self._end([entry for entry, still in zip(taken, wanted, strict=True) if not still])
        entries = [entry for entry, still in zip(taken, wanted, strict=True) if still]
        if not entries:
            return
        reach("model.started")
        yields_to = entries[0].cost // LONG if len(entries) == 1 else 0
        try:
            with self._pieces.running(name, served.model.spec.batch_timeout, yields_to=yields_to, alone=alone) as run:
                outputs = bisect(served, [entry.item for entry in entries])
                seconds = self._pieces.seconds(run)
        except Unavailable:  # it was told to stop between two pieces, and did not die of them
            self._connections.ledger.clear_started([entry.ref for entry in entries])
            raise
        with contextlib.suppress(Unavailable):  # a mark that stays costs its item no more than a run alone
            self._connections.ledger.clear_started([entry.ref for entry in entries])
        reach("model.ran")
        with self._lock:
            self._storing += 1
        self._finished.put(Finished(served, entries, outputs, seconds))

    # -- store --------------------------------------------------------------------------------------------

    def _store_loop(self) -> None:
        while (finished := self._finished.get()) is not None:
            self._guard(finished.entries, self._store, finished)
            with self._ready:
                self._storing -= 1
                self._ready.notify_all()

    def _store(self, finished: Finished) -> None:
        served = finished.served
        stored = list(self._io.map(lambda pair: self._store_one(served, *pair), zip(
            finished.entries, finished.outputs, strict=True)))  # fmt: skip
        reach("model.stored")
        outcomes = [self._outcome(e, s) for e, s in zip(finished.entries, stored, strict=True)]
        name = (served.model.spec.name,)
        seconds = sum(s.seconds for s in stored if isinstance(s, Stored))
        counts: list[Count] = [
            ("chorus_microbatches_total", name, 1.0),
            ("chorus_microbatch_items_total", name, float(len(outcomes))),
            ("chorus_run_seconds_total", name, finished.run_seconds),
            ("chorus_busy_seconds_total", name, self._busy_seconds()),
            ("chorus_audio_seconds_total", name, seconds),
        ]
        self._note_pace(served.model.spec.name, finished.run_seconds / len(outcomes))
        self._record(finished.entries, outcomes, counts)

    def _note_pace(self, model: str, seconds: float) -> None:
        """Update a moving average, which smooths single micro-batches."""
        self.pace[model] = seconds if model not in self.pace else 0.8 * self.pace[model] + 0.2 * seconds

    def _store_one(self, served: Served, entry: Entry, output: Output | ChorusError) -> Stored | ChorusError:
        step, spec = entry.role.value, served.model.spec
        if isinstance(output, ChorusError):
            return as_chorus_error(output, ModelFailed, step)
        station = self._steps[entry.role]
        try:
            return retry_until_available(lambda: station.store(spec, entry.work, entry.item, output), self._stopping)
        except Unavailable:
            raise
        except Exception as error:
            if not isinstance(error, ChorusError):
                log.exception("Storing %s failed", entry.ref)
            return as_chorus_error(error, InternalError, step)

    def _record(self, entries: Sequence[Entry], outcomes: Sequence[Outcome], counts: Sequence[Count] = ()) -> None:
        retry_until_available(lambda: record(self._connections, outcomes, counts), self._stopping)
        reach("model.recorded")
        self._end(entries)

    # -- ends ---------------------------------------------------------------------------------------------

    def _outcome(self, entry: Entry, stored: Stored | ChorusError) -> Outcome:
        if isinstance(stored, SourceMissing):
            return Outcome(ref=entry.ref, station=entry.station, error=stored, back=True)
        if isinstance(stored, ChorusError):
            return failed(entry.ref, entry.station, stored)
        if entry.ref.index != WHOLE_JOB:
            return Outcome(ref=entry.ref, station=entry.station)
        result = stored.result if entry.ref.step == len(entry.work.plan.steps) - 1 else None
        return Outcome(ref=entry.ref, station=entry.station, outputs=stored.outputs, result=result, plan=stored.plan)

    def _end(self, entries: Sequence[Entry], *, ended: bool = True) -> None:
        messages: list[object] = []
        with self._lock:
            for entry in entries:
                if self._held.pop(str(entry.ref), None) is not None:
                    messages.extend(entry.messages)
            if not self._held and self._busy_since is not None:
                self._busy_counted += time.monotonic() - self._busy_since
                self._busy_since = None
        if messages:
            self._settle(messages, ended)

    def _busy_seconds(self) -> float:
        """Seconds in which at least one item was being processed, since the last call."""
        with self._lock:
            busy, self._busy_counted = self._busy_counted, 0.0
            if self._busy_since is not None:
                now = time.monotonic()
                busy, self._busy_since = busy + now - self._busy_since, now
            return busy

    def _guard(self, entries: Sequence[Entry], stage: Callable[..., None], *arguments: object) -> None:
        """A stage never ends its thread: items that it could not carry on are delivered again."""
        try:
            stage(*arguments)
        except Exception as error:
            if not (isinstance(error, Unavailable) and self._stopping.is_set()):
                log.exception("%d items are delivered again", len(entries))
                self._stopping.wait(1.0)
            self._end(entries, ended=False)


def next_batch(served: Served) -> list[Entry]:
    """The next micro-batch of a model that has ready items.

    A suspect runs alone, so that it cannot kill other items with it, and after those that arrived with it, which
    would otherwise wait for a lease each time it kills a process.
    """
    first, fine = served.ready[0], [entry for entry in served.ready if not entry.suspect]
    if first.suspect:
        fine = [entry for entry in fine if entry.arrived < first.arrived + COMPANY]
    return form(fine, served.bounds) if fine else [first]


def bisect(served: Served, items: Sequence[Item]) -> list[Output | ChorusError]:
    """Run items together; if that fails, in halves, so that a bad item fails alone.

    If memory runs out, the limit on items is halved permanently; an item that does not fit alone fails.
    """
    model = served.model
    try:
        outputs = model.run(items)
        if len(outputs) != len(items):
            raise ModelFailed(f"{model.spec.name} returned {len(outputs)} outputs for {len(items)} items.")
        return list(outputs)
    except Unavailable:
        raise
    except Exception as error:
        no_memory = is_out_of_memory(error)
        if len(items) == 1:
            log.warning("Model %s failed on an item", model.spec.name, exc_info=error)
            return [failure(error)]
        half = len(items) // 2
        if no_memory and half < served.bounds.items:
            log.warning("%s ran out of memory on %d items: at most %d from now on", model.spec.name, len(items), half)
            served.bounds = replace(served.bounds, items=half)
    # Outside of the handler, so that the exception's traceback no longer references memory.
    return bisect(served, items[:half]) + bisect(served, items[half:])
