"""What benchmarks stand on: Chorus's own servers and workers as processes, load, and CPU time."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

from benchmarks.support.processes import PLAIN_QUEUE, plain_app
from broker.app import queue_name, wake_key
from broker.publish import publish_many
from cli.local.embedded import SEAWEEDFS_PORTS, SeaweedFS, Valkey
from cli.local.home import Home
from cli.local.layout import program, source_path
from cli.local.supervisor import kill_session, spawn, tail
from core.errors import ConfigurationError
from core.names import Priority
from core.redis import connect
from core.work import CPU, ItemRef, Plan, UtteranceWork
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob, Outcome
from storage.ledger.registry import live_workers
from storage.metrics import read_counters

FOLDER = Path(__file__).parents[1]

#: What every process of a benchmark finds in its environment, beside where the servers are.
ENVIRONMENT = {
    "CHORUS_MODELS_FILE": str(FOLDER / "models.yaml"),
    "CHORUS_PIPELINES_FILE": str(FOLDER / "pipelines.yaml"),
    "CHORUS_LOG_LEVEL": "WARNING",
    "CHORUS_DEVICE": "cpu",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}

#: Seconds that a server, a worker or the end of a load is waited for.
PATIENCE = 180.0

DAY = 86_400.0


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def wait_until(what: str, ready: Callable[[], bool], *, every: float = 0.02) -> None:
    """Waits for ``ready``. Raises `ConfigurationError` that names ``what`` after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise ConfigurationError(f"{what}: not within {PATIENCE:.0f} s.", code="benchmark_stuck")
        time.sleep(every)


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that processes and their descendants have taken so far, user and system together."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
            total += cpu_seconds(child.pid for child in process.children())
    return total


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` (0 to 1) of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


class Site:
    """A Valkey of our own, perhaps a SeaweedFS; workers as processes, and load laid into the ledger."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.redis_url = env["CHORUS_REDIS_URL"]
        self.client = connect(self.redis_url, timeout=30)
        self.ledger = Ledger(self.client, partial(publish_many, self.client))
        self.servers: dict[str, int] = {}  #: pids by name

    # -- processes

    @contextlib.contextmanager
    def process(self, name: str, command: Sequence[str], ready: Callable[[], bool]) -> Iterator[int]:
        """Runs ``command`` until the end of the block; its pid once it is ``ready``."""
        log = self.folder / f"{name}.log"
        child = spawn(command, env={**self.env, "CHORUS_WORKER_NAME": name}, log=log)
        try:
            wait_until(name, lambda: child.poll() is not None or ready())
            if child.poll() is not None:
                raise ConfigurationError(f"{name} ended:\n{tail(log, 20)}", code="benchmark_stuck")
            yield child.pid
        finally:
            child.terminate()
            with contextlib.suppress(Exception):
                child.wait(10)
            kill_session(child.pid)
            child.wait()

    @contextlib.contextmanager
    def worker(self, model: str, *, stored: bool = True, number: int = 1) -> Iterator[int]:
        """``chorus worker MODEL``, or one that keeps no artifacts; its pid once it is registered."""
        name = f"{model}-{number}"
        own = [sys.executable, "-P", "-m", "benchmarks.support.processes", "unstored", model]

        def registered() -> bool:
            return any(worker["name"] == name for worker in live_workers(self.client))

        with self.process(name, program("worker", model) if stored else own, registered) as pid:
            yield pid

    # -- load

    def lay(self, owner: str, station: str, works: Sequence[UtteranceWork]) -> ItemRef:
        """A job up to the end of its ``prepare``: its utterances are laid down and nothing waits yet."""
        job = f"job_{secrets.token_hex(12)}"
        plan = Plan.parse(f"prepare:{CPU} *synthesize:{station}")
        document = JobDocument(owner=owner, pipeline="sim", characters=60 * len(works))
        self.ledger.create(
            NewJob(
                id=job,
                owner=owner,
                priority=Priority.NORMAL,
                plan=plan,
                document=document,
                deadline=DAY,
                keep=DAY,
                load=len(works),
            )
        )
        # released to this process, which is the CPU worker here
        found = self.ledger.get(job)
        assert found is not None
        ref = ItemRef(job, found.generation, 0)
        self.ledger.take(CPU, [ref])
        self.ledger.enqueue_utterances(ref, 1, works, [False] * len(works))
        return ref

    def open(self, refs: Sequence[ItemRef], station: str) -> None:
        """Ends ``prepare`` as a CPU worker does: the utterances wait, and dispatch releases what there is room for."""
        self.ledger.advance([Outcome(ref=ref, station=CPU) for ref in refs])

    def forget_messages(self) -> None:
        """Drops the messages to the CPU worker, which `lay` has answered itself."""
        self.client.delete(queue_name(CPU), wake_key(queue_name(CPU)))

    def ended(self, refs: Sequence[ItemRef]) -> list[float | None]:
        """When each job ended (Unix seconds), None where it has not."""
        pipe = self.client.pipeline(transaction=False)
        for ref in refs:
            pipe.hget(f"ch:job:{ref.job}", "ended")
        return [None if value is None else float(value) for value in pipe.execute()]

    def wait_ended(self, refs: Sequence[ItemRef]) -> list[float]:
        """When each job ended, once all have."""
        left = list(refs)

        def over() -> bool:
            while left and self.ended(left[-1:])[0] is not None:
                left.pop()
            return not left

        wait_until("the jobs' ends", over)
        return [float(when) for when in self.ended(refs) if when is not None]

    def counts(self, model: str) -> tuple[float, float]:
        """Micro-batches that ``model`` has run, and items in them."""
        found = read_counters(self.client)
        names = ("chorus_microbatches_total", "chorus_microbatch_items_total")
        batches, items = (found[name].get((model,), 0.0) for name in names)
        return batches, items


class Plain:
    """Plain Celery beside Chorus: on the same Valkey in a database of its own (``number``), on the stock transport.

    ``results``: each task's end is recorded in Redis, as the ledger records each utterance's."""

    def __init__(self, here: Site, *, results: bool, number: int) -> None:
        self._site = here
        self._results = results
        self._url = f"{here.redis_url.rpartition('/')[0]}/{number}"
        self._client = connect(self._url)
        self.app = plain_app(self._url, results=results)

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """One slot of the threads pool, which costs the least; its pid once it consumes."""
        command = [sys.executable, "-P", "-m", "benchmarks.support.processes", "plain", self._url]
        bound = f"_kombu.binding.{PLAIN_QUEUE}"
        name = f"plain{'-results' if self._results else ''}"
        with self._site.process(
            name, [*command, *(["results"] if self._results else [])], lambda: bool(self._client.exists(bound))
        ) as pid:
            time.sleep(0.5)  # between its binding and its first BRPOP
            yield pid

    def left(self) -> int:
        """Messages that are not acknowledged yet."""
        pipe = self._client.pipeline(transaction=True)
        pipe.llen(PLAIN_QUEUE)
        pipe.hlen("unacked")
        return sum(pipe.execute())

    def send(self, task: str, count: int, rate: float | None = None) -> Iterator[int]:
        """Sends ``count`` tasks over one connection, at ``rate`` per second where it is given; yields after each."""
        found = self.app.tasks[task]
        begin = time.monotonic()
        with self.app.connection_for_write() as connection, self.app.amqp.Producer(connection) as producer:
            for number in range(count):
                if rate is not None:
                    time.sleep(max(0.0, begin + number / rate - time.monotonic()))
                found.apply_async((f"job/1/1/{number}",), producer=producer, queue=PLAIN_QUEUE)
                yield number


@contextlib.contextmanager
def site(*, storage: bool = False) -> Iterator[Site]:
    """A Valkey of our own in a folder of its own, with SeaweedFS where workers keep artifacts."""
    with tempfile.TemporaryDirectory(prefix="chorus-benchmark-") as place, contextlib.ExitStack() as stack:
        home = Home(Path(place))
        ports, _ = home.ports(("api", "valkey", *SEAWEEDFS_PORTS))
        env = {**source_path(), **home.environment(ports), **ENVIRONMENT}
        here = Site(home.logs, env)
        stack.callback(here.client.close)
        valkey = Valkey(home.valkey_data, ports["valkey"])
        here.servers["valkey"] = stack.enter_context(here.process("valkey", valkey.command(), valkey.ready))
        if storage:
            weed = SeaweedFS(home.seaweedfs_data, ports, *home.s3_key())
            here.env = {**env, **weed.env}
            stack.callback(weed.tidy)
            here.servers["seaweedfs"] = stack.enter_context(here.process("seaweedfs", weed.command(), weed.ready))
            here.env = env
        yield here


def works(
    owner: str, count: int, *, tokens: int = 60, options: Mapping[str, float] | None = None
) -> list[UtteranceWork]:
    """Utterances for the simulated model, each of its own: none is rendered before."""
    seed = secrets.token_bytes(8)
    return [
        UtteranceWork.single(
            inputs={"tokens": [32] * tokens, "voice": "tone"},
            options=dict(options or {}),
            seed=number,
            artifact=f"{owner}/utterances/{hashlib.sha256(seed + number.to_bytes(4, 'big')).hexdigest()[:40]}.flac",
            pause=0.3,
        )
        for number in range(count)
    ]


_WHO = ("The old keeper", "A young sailor", "My neighbour", "The night nurse", "Our last teacher", "That tall stranger")
_DID = ("carried", "painted", "remembered", "repaired", "forgot", "counted", "followed", "described")
_WHAT = (
    "the yellow boat",
    "a heavy lantern",
    "every second letter",
    "the broken clock",
    "two silver keys",
    "the long song",
)
_WHERE = (
    "near the harbour wall",
    "before the first snow",
    "behind the empty school",
    "on a windy morning",
    "without a word",
)


def sentences(count: int) -> list[str]:
    """Different sentences of about 60 characters; a number tells those apart that would be the same."""
    choices = list(itertools.product(_WHO, _DID, _WHAT, _WHERE))
    random.Random(1).shuffle(choices)
    again = (itertools.cycle(choices), itertools.count())
    found = []
    for (who, did, what, where), number in itertools.islice(zip(*again, strict=False), count):
        lap = number // len(choices)
        found.append(f"{who} {did} {what} {where}{f' {lap}' if lap else ''}.")
    return found
