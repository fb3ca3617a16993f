"""Chaos: jobs through a whole stack while its processes are killed and what it stands on goes away."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from cli.local.home import free_ports, is_alive
from core.redis import connect
from core.work import CPU
from tests.chaos.proxy import FaultProxy
from tests.chaos.report import Report, examine
from tests.chaos.stack import ChaosStack
from tests.chaos.watch import Look, Watch
from tests.stack_access import StackAccess
from tests.waiting import wait_for

#: Seconds that the storage is away when it is stopped.
S3_STOP = 10.0

#: Seconds that a process is stopped, and after which a client gives up a connection that is half open.
STOP = 20.0
GIVES_UP = 5.0

#: Seconds for which a worker that is to be killed may take to hold something.
IDLE = 1.0

#: Jobs under way before the first kill, and seconds in which all must have ended after the last.
AHEAD = 60
PATIENCE = 240.0

#: Who is killed how often: model workers, CPU workers, one of their children, the reaper.
VICTIMS = {"sim": 60, "cpu": 20, "child": 15, "reaper": 5}

#: Who is stopped how often.
STOPPED = {"sim": 60, "cpu": 25, "reaper": 15}

WORDS = ["river", "stone", "lantern", "quiet", "morning", "harbour", "copper", "window", "orchard", "winter", "paper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is done; the same seed kills the same kinds of processes after the same pauses."""

    jobs: int = 2000
    kills: int = 200
    redis_kills: int = 5
    s3_stops: int = 2
    stops: int = 4
    half_open: int = 4
    survivors: int = 1  #: workers of a kind that serve on: who kills each as it becomes ready measures its start
    seed: int = 1
    gap: float = 1.5  #: mean seconds between kills
    model_workers: int = 3
    cpu_workers: int = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that goes wrong: ``pause`` seconds after the one before."""

    kind: str  #: a key of `VICTIMS`, "redis", "s3", "stop" or "half_open"
    pause: float
    pick: float  #: which of the processes of that kind, 0 to 1


def planned(options: Options) -> list[Event]:
    """Everything that goes wrong, in order; it follows from the options alone."""
    chance = random.Random(options.seed)
    kinds = chance.choices(list(VICTIMS), weights=list(VICTIMS.values()), k=options.kills)
    events = [Event(kind, options.gap * chance.uniform(0.3, 1.7), chance.random()) for kind in kinds]
    others = {
        "redis": options.redis_kills,
        "s3": options.s3_stops,
        "stop": options.stops,
        "half_open": options.half_open,
    }
    extra = [(kind, n, count) for kind, count in others.items() for n in range(count)]
    places = [(round((n + 0.5) / of * options.kills), kind) for kind, n, of in extra]
    for place, kind in sorted(places, reverse=True):
        events.insert(place, Event(kind, chance.uniform(0.1, 1.0), chance.random()))
    return events


#: One in so many jobs has so many sentences: a text of more than one portion.
LONG_EVERY, MANY = 15, 32


def body(options: Options, number: int) -> dict[str, Any]:
    """Job ``number``: one to four sentences that no other job has; now and then many, in portions."""
    chance = random.Random(f"{options.seed}.{number}")
    sentences = []
    count = MANY if number % LONG_EVERY == LONG_EVERY - 1 else chance.randint(1, 4)
    for place in range(count):
        words = " ".join(chance.choices(WORDS, k=chance.randint(8, 16)))
        sentences.append(f"Sentence {place} of job {number} is about the {words}.")
    return {
        "pipeline": "sim",
        "text": "\n\n".join(sentences) if count == MANY else " ".join(sentences),
        "priority": chance.choice(["interactive", "normal", "bulk"]),
        "options": {"batch_seconds": 0.05, "item_seconds": 0.002},
        "metadata": {"number": str(number)},
    }


@dataclass(slots=True)
class Chaos:
    """One run."""

    options: Options
    stack: ChaosStack
    access: StackAccess
    proxy: FaultProxy
    redis_proxy: FaultProxy
    watch: Watch
    say: Callable[[str], None] = print
    accepted: dict[str, int] = field(default_factory=dict)  #: job id -> number
    kills: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    _killed_at: float = field(default_factory=time.monotonic)
    _stops: Iterator[Callable[[], None]] = field(init=False)
    _cuts: Iterator[FaultProxy] = field(init=False)
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        self._stops = itertools.cycle([self.proxy.refuse, self.proxy.black_hole])
        self._cuts = itertools.cycle([self.redis_proxy, self.proxy])

    def run(self) -> Report:
        began = time.monotonic()
        submitting = threading.Thread(target=self._submit_all, name="submit", daemon=True)
        submitting.start()
        stopping: list[threading.Thread] = []
        beside = {"s3": self._stop_s3, "stop": self._stop, "half_open": self._half_open}
        for number, event in enumerate(planned(self.options), 1):
            time.sleep(event.pause)
            if event.kind in beside:
                stopping.append(threading.Thread(target=beside[event.kind], args=(event,), daemon=True))
                stopping[-1].start()
            elif event.kind == "redis":
                self._kill_redis()
            else:
                self._kill(event)
            if number % 20 == 0:
                self.say(f"{sum(self.kills.values())} kills, {len(self.accepted)} jobs in, {self.watch.ended} ended")
        for thread in [*stopping, submitting]:
            thread.join(PATIENCE)
        if self._failure is not None:
            raise self._failure
        self._wait_for_the_end()
        return examine(self, time.monotonic() - began)

    @property
    def workers_killed(self) -> int:
        return sum(count for kind, count in self.kills.items() if kind in VICTIMS)

    # -- the client

    def _submit_all(self) -> None:
        """As many jobs ahead as the kills have reached: they are spread over the whole run, and between kills."""
        try:
            with httpx.Client(base_url=self.stack.url, headers={"X-API-Key": self.stack.api_key}, timeout=20) as client:
                for number in range(self.options.jobs):
                    while number > AHEAD + self.options.jobs * self._reached():
                        time.sleep(0.05)
                    self._submit(client, number)
        except BaseException as error:
            self._failure = error

    def _reached(self) -> float:
        """How far the run has come, 0 to 1: in kills, and the time since the last."""
        since = min(1.0, (time.monotonic() - self._killed_at) / self.options.gap)
        return (self.workers_killed + since) / max(1, self.options.kills)

    def _submit(self, client: httpx.Client, number: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                answer = client.post("/v1/jobs", json=body(self.options, number))
                if answer.status_code == 202:
                    job_id = answer.json()["id"]
                    self.accepted[job_id] = number
                    self.watch.follow(job_id)
                    return
                if answer.status_code != 503:
                    raise AssertionError(f"{answer.status_code} for a job: {answer.text[:500]}")
                assert int(answer.headers["Retry-After"]) >= 1
            self.retries += 1
            time.sleep(0.2)
        raise AssertionError("the API does not come back")

    # -- what goes wrong

    def _kill(self, event: Event) -> None:
        """SIGKILL for a process of that kind, as soon as one is ready."""
        left = self.options.survivors if event.kind in ("sim", "cpu") else 0
        self._send(signal.SIGKILL, event.kind, event.pick, left)
        self.kills[event.kind] += 1
        self._killed_at = time.monotonic()

    def _stop(self, event: Event) -> None:
        """SIGSTOP for a process, and SIGCONT much later: its leases have run out, and it knows nothing of it."""
        kind = random.Random(event.pick).choices(list(STOPPED), weights=list(STOPPED.values()))[0]
        left = self.options.survivors if kind != "reaper" else 0
        process = self._send(signal.SIGSTOP, kind, event.pick, left, done="stopped")
        self.kills["stopped"] += 1
        time.sleep(STOP)
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have been killed meanwhile
            process.resume()

    def _half_open(self, _: Event) -> None:
        """Connections to Redis or the storage that are open lead nowhere from now on, and nobody is told."""
        self.kills["half_open"] += 1
        with self.watch.outage():
            next(self._cuts).half_open()
            time.sleep(GIVES_UP)

    def _send(self, number: signal.Signals, kind: str, pick: float, left: int, done: str = "killed") -> psutil.Process:
        """A signal for one of the processes of a kind, as soon as more than ``left`` are ready."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if len(found := self._ready(kind)) > left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    name, process = found[int(pick * len(found))]
                    before = self._at_work(name)
                    moment = time.time()
                    process.send_signal(number)
                    self.watch.killed(kind, moment, done, holder=name, before=before)
                    return process
            time.sleep(0.05)
        raise AssertionError(f"no {kind} came to be ready: {self.stack.processes()}")

    def _at_work(self, holder: str) -> Look | None:
        """What Redis holds once ``holder`` holds something, or has held nothing for a while."""
        look, end = None, time.monotonic() + IDLE
        while holder and time.monotonic() < end:
            with contextlib.suppress(redis.RedisError):
                look = self.watch.look()
                if look.held_by(holder):
                    break
            time.sleep(0.01)
        return look

    def _ready(self, kind: str) -> list[tuple[str, psutil.Process]]:
        """Processes that serve, with the names they hold messages under; children and reapers hold none."""
        prefix = "cpu" if kind == "child" else kind
        entries = [(n, e) for n, e in sorted(self.stack.processes().items()) if n.startswith(prefix)]
        found: list[tuple[str, psutil.Process]] = []
        for name, entry in entries:
            if entry["state"] != "ready" or not _goes_on(entry):
                continue
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(entry["pid"])
                if kind == "child":
                    found += [("", child) for child in sorted(process.children(), key=lambda child: child.pid)]
                else:
                    found.append(("" if kind == "reaper" else name, process))
        return found

    def _kill_redis(self) -> None:
        with self.watch.outage():
            entry = self.stack.processes()["valkey"]
            os.kill(entry["pid"], signal.SIGKILL)
            self.kills["redis"] += 1
            time.sleep(0.2)
            wait_for(self._redis_serves, 60, "Redis to come back")

    def _redis_serves(self) -> bool:
        try:
            return bool(self.access.redis.ping())
        except Exception:
            return False

    def _stop_s3(self, _: Event) -> None:
        with self.watch.outage():
            next(self._stops)()
            self.kills["s3"] += 1
            time.sleep(S3_STOP)
            self.proxy.pass_on()

    def _wait_for_the_end(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.watch.ended < len(self.accepted) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1.0)


def _goes_on(entry: dict[str, Any]) -> bool:
    """Whether a process lives and is not stopped."""
    if not is_alive(entry["pid"], entry["created"]):
        return False
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(entry["pid"]).status() != psutil.STATUS_STOPPED)
    return False


def run(options: Options, home: Path, say: Callable[[str], None] = print) -> Report:
    """Starts a stack in ``home``, brings the chaos upon it, and says what came of it."""
    port, redis_port = free_ports(2)

    def storage() -> tuple[str, int]:
        address = httpx.URL(stack.home.environment()["CHORUS_S3_ENDPOINT"])
        return address.host, int(address.port or 80)

    def ledger() -> tuple[str, int]:
        address = httpx.URL(stack.redis_url)
        return address.host, int(address.port or 6379)

    with FaultProxy(storage, port) as proxy, FaultProxy(ledger, redis_port) as redis_proxy:
        stack = ChaosStack(
            home,
            model_workers=options.model_workers,
            cpu_workers=options.cpu_workers,
            redis_port=redis_proxy.port,
            s3_port=proxy.port,
        )
        with stack:
            stack.wait_ready()
            with StackAccess(stack) as access:
                client = connect(stack.redis_url)
                watch = Watch(client, [CPU, "sim"])
                with watch.watching():
                    report = Chaos(options, stack, access, proxy, redis_proxy, watch, say).run()
                client.close()
                return report
