"""Cost of the queue layer: CPU time of no-op utterances compared with Celery tasks, and bytes in Redis."""

from __future__ import annotations

import argparse
import statistics
import time

from api import create_app
from benchmarks.support.processes import PLAIN_NOOP
from benchmarks.support.service import Plain, Site, cpu_seconds, say, sentences, site, wait_until, works
from broker.app import queue_name
from core.redis import redis_errors
from core.settings import Settings
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome
from workers.steps.prepare import prepare

ROUNDS = 3
UTTERANCES, JOBS = 6_000, 12
PLAIN_TASKS = 1_500

#: For the bytes of Redis: jobs of so many sentences that wait, and jobs of one that have ended.
WAITING_JOBS, SENTENCES = 20, 100
FINISHED_JOBS = 500

NO_TIME = {"batch_seconds": 0.0, "item_seconds": 0.0}

Cost = dict[str, float]


# -- CPU


class Meter:
    """CPU time and time since it was made, in microseconds for each of ``count``."""

    def __init__(self, here: Site, worker: int, count: int) -> None:
        self._pids = {"worker": worker, "valkey": here.servers["valkey"]}
        self._count = count
        self._before = self._now()

    def _now(self) -> Cost:
        own = {"client": time.process_time(), "time": time.monotonic()}
        return own | {name: cpu_seconds([pid]) for name, pid in self._pids.items()}

    def client_is_done(self) -> None:
        """What this process does from now on is waiting, and not counted."""
        self._client = time.process_time()

    def read(self) -> Cost:
        """``worker``, ``client`` (who lays the work down), ``valkey`` and ``time``."""
        now = self._now() | {"client": self._client}
        return {name: (now[name] - self._before[name]) / self._count * 1e6 for name in now}


def ours(here: Site, worker: int, count: int) -> Cost:
    """No-op utterances of several jobs and owners through ledger, broker and worker."""
    meter = Meter(here, worker, count)
    owners = [f"owner{number % 3}" for number in range(JOBS)]
    refs = [here.lay(o, "noop", works(o, count // JOBS, tokens=1, options=NO_TIME)) for o in owners]
    here.open(refs, "noop")
    meter.client_is_done()
    here.wait_ended(refs)
    cost = meter.read()
    here.forget_messages()
    return cost


def theirs(here: Site, plain: Plain, worker: int, count: int) -> Cost:
    """As many no-op tasks through a plain Celery worker."""
    meter = Meter(here, worker, count)
    for _ in plain.send(PLAIN_NOOP, count):
        pass
    meter.client_is_done()
    wait_until("the plain tasks", lambda: plain.left() == 0, every=0.05)
    return meter.read()


def cpu(here: Site) -> tuple[dict[str, Cost], float]:
    """Medians of ours, of plain Celery with recorded results and of plain Celery without; and our mean micro-batch.

    All workers live all the time and take turns, so that what else the machine does meets them alike."""
    recording, ignoring = Plain(here, results=True, number=1), Plain(here, results=False, number=2)
    rounds: dict[str, list[Cost]] = {"ours": [], "recorded": [], "ignored": []}
    with (
        here.worker("noop", stored=False) as own,
        recording.worker() as recorder,
        ignoring.worker() as ignorer,
    ):
        ours(here, own, UTTERANCES // 6)
        theirs(here, recording, recorder, PLAIN_TASKS // 6)
        theirs(here, ignoring, ignorer, PLAIN_TASKS // 6)
        before = here.counts("noop")
        for _ in range(ROUNDS):
            rounds["ours"].append(ours(here, own, UTTERANCES))
            rounds["recorded"].append(theirs(here, recording, recorder, PLAIN_TASKS))
            rounds["ignored"].append(theirs(here, ignoring, ignorer, PLAIN_TASKS))
            say(", ".join(f"{name}: {[round(v) for v in one[-1].values()]}" for name, one in rounds.items()))
        batches, items = (b - a for a, b in zip(before, here.counts("noop"), strict=True))
    return {name: medians(one) for name, one in rounds.items()}, items / batches


def medians(rounds: list[Cost]) -> Cost:
    """The median of each value."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


# -- bytes


def memory(here: Site) -> int:
    """Bytes of every key, with its name and the entries that find it (``MEMORY USAGE``)."""
    keys = list(here.client.scan_iter(count=1000))
    total = 0
    for first in range(0, len(keys), 500):
        pipe = here.client.pipeline(transaction=False)
        for key in keys[first : first + 500]:
            pipe.memory_usage(key, samples=0)
        with redis_errors():
            total += sum(pipe.execute())
    return total


class Office:
    """The API and the CPU worker of a site in this process; ``piper-joe`` gets its real inputs."""

    def __init__(self, here: Site) -> None:
        self._here = here
        settings = Settings(redis_url=here.redis_url, auth="off", s3_endpoint=here.env["CHORUS_S3_ENDPOINT"])
        self._connections = Connections.connect(settings)
        self._http = create_app(settings).test_client()

    def post(self, text: str) -> ItemRef:
        """A job as a client posts it."""
        answer = self._http.post("/v1/jobs", json={"pipeline": "piper", "text": text})
        found = self._here.ledger.get(answer.get_json()["id"])
        assert found is not None
        return ItemRef(found.id, found.generation, 0)

    def release(self, station: str) -> None:
        """Releases to workers that take at once."""
        self._here.ledger.release([station])
        self._here.client.delete(queue_name(station))

    def prepare(self, ref: ItemRef) -> None:
        """The job's ``prepare``; its utterances wait."""
        self.release(CPU)
        ledger = self._here.ledger
        work = ledger.take(CPU, [ref])[0]
        if work is not None and ledger.start(CPU, [ref])[0]:
            ledger.advance([prepare(self._connections, ref, work)])

    def render(self, ref: ItemRef, station: str, index: int) -> None:
        """One utterance, as if it had been rendered."""
        self.release(station)
        item = ItemRef(ref.job, ref.generation, ref.step + 1, index)
        ledger = self._here.ledger
        if ledger.take(station, [item])[0] is not None and ledger.start(station, [item])[0]:
            ledger.advance([Outcome(ref=item, station=station)])

    def assemble(self, ref: ItemRef) -> None:
        """The job's end with a result as ``assemble`` gives it."""
        self.release(CPU)
        item = ItemRef(ref.job, ref.generation, ref.step + 2)
        audio = {
            "object": f"local/jobs/{ref.job}/{ref.generation}/audio.mp3",
            "format": "mp3",
            "duration": 4.1234,
            "sample_rate": 22050,
            "bytes": 66_123,
            "sha256": "0123456789abcdef" * 4,
        }
        ledger = self._here.ledger
        if ledger.take(CPU, [item])[0] is not None and ledger.start(CPU, [item])[0]:
            ledger.advance([Outcome(ref=item, station=CPU, result={"audio": audio, "characters": 60, "seed": 0})])


def bytes_waiting(here: Site, office: Office) -> float:
    """Bytes for each utterance of jobs that are prepared and wait, all that belongs to the jobs included."""
    here.client.flushall()
    texts = sentences(WAITING_JOBS * SENTENCES)
    refs = [office.post(" ".join(texts[n * SENTENCES : (n + 1) * SENTENCES])) for n in range(WAITING_JOBS)]
    for ref in refs:
        office.prepare(ref)
    waiting = sum(job.total for job in here.ledger.get_many([ref.job for ref in refs]) if job is not None)
    here.forget_messages()
    return memory(here) / waiting


def bytes_finished(here: Site, office: Office) -> float:
    """Bytes for each job of one utterance that has ended, entries in every index included."""
    here.client.flushall()
    for text in sentences(FINISHED_JOBS):
        ref = office.post(text)
        office.prepare(ref)
        office.render(ref, "piper-joe", 0)
        office.assemble(ref)
    jobs = here.client.keys("ch:end:*")
    here.forget_messages()
    return memory(here) / len(jobs)


# -- the benchmark


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """CPU of both sides in turn, then bytes; medians over the rounds."""
    with site() as here:
        costs, mean_batch = cpu(here)
        office = Office(here)
        waiting, finished = bytes_waiting(here, office), bytes_finished(here, office)

    mine, recorded, ignored = costs["ours"], costs["recorded"], costs["ignored"]

    def python(cost: Cost) -> float:
        return cost["worker"] + cost["client"]

    def everything(cost: Cost) -> float:
        return python(cost) + cost["valkey"]

    return {
        "cpu_us_per_utterance": round(python(mine), 1),
        "plain_cpu_us_per_task": round(python(recorded), 1),
        "plain_over_ours_cpu": round(python(recorded) / python(mine), 2),
        "plain_ignoring_results_over_ours_cpu": round(python(ignored) / python(mine), 2),
        "cpu_us_per_utterance_with_valkey": round(everything(mine), 1),
        "plain_over_ours_cpu_with_valkey": round(everything(recorded) / everything(mine), 2),
        "utterances_per_s": round(1e6 / mine["time"], 1),
        "plain_tasks_per_s": round(1e6 / recorded["time"], 1),
        "mean_batch": round(mean_batch, 2),
        "redis_bytes_waiting_utterance": round(waiting, 1),
        "redis_bytes_finished_job": round(finished, 1),
        "rounds": ROUNDS,
    }
