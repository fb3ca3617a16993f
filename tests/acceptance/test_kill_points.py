"""A process dies at each point where something could be lost: after every write to the ledger, before every enqueue.

Each test arms one point (`core.failpoints`), sees a process die there, and sees that the job comes through whole.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.failpoints import arm, armed
from core.names import JobState
from tests.chaos.stack import ChaosStack
from tests.stack_access import StackAccess
from tests.waiting import wait_for

SENTENCES = 12

#: Seconds in which a job comes through: a lease of 2 s or the reaper's two rounds, and a process that starts.
SECONDS = 45.0

pytestmark = [pytest.mark.patient, pytest.mark.timeout(120)]


class Crew:
    """A running stack whose processes can be made to die."""

    def __init__(self, access: StackAccess, folder: Path) -> None:
        self.access = access
        self._folder = folder

    def arm(self, point: str, program: str = "") -> Callable[[], None]:
        """Arms a point, and gives the check that a process died there."""
        arm(self._folder, point, program)

        def check(seconds: float = 15.0) -> None:
            wait_for(lambda: not armed(self._folder, point), seconds, f"a process to come to {point}", every=0.02)

        return check

    def disarm(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()

    def body(self, **changes: Any) -> dict[str, Any]:
        """A job of a dozen utterances that nobody has rendered before."""
        text = " ".join(f"Sentence {n} of {uuid.uuid4().hex} is about as long as others are." for n in range(SENTENCES))
        return {"pipeline": "sim", "text": text, "options": {"batch_seconds": 0.02, "item_seconds": 0.0}} | changes

    def jobs(self) -> set[str]:
        return {job.decode() for job in self.access.redis.zrange("ch:jobs:local", 0, -1)}  # type: ignore[union-attr]

    def get(self, job_id: str) -> dict[str, Any]:
        """The job as polled; the API may be the one that died."""

        def answered() -> dict[str, Any] | None:
            with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                return self.access.get(job_id)
            return None

        return wait_for(answered, 20, "the API to come back")

    def came_through(self, job_id: str, retried: bool = False, utterances: int = SENTENCES) -> dict[str, Any]:
        """Waits for the end, and checks that it is whole and there once."""

        def ended() -> dict[str, Any] | None:
            job = self.get(job_id)
            return job if JobState(job["state"]).ended else None

        job = wait_for(ended, SECONDS, lambda: f"the job to end: {self.get(job_id)}, {self.left(job_id)}")
        assert job["state"] == "succeeded", job
        record = {k.decode(): v.decode() for k, v in self.access.redis.hgetall(f"ch:job:{job_id}").items()}  # type: ignore[union-attr]
        assert int(record["done"]) == int(record["total"]) == utterances
        generation = int(record["gen"])
        assert (generation > int(record["origin"])) == retried
        results = [n for n in self.access.objects.names(f"local/jobs/{job_id}/") if f"/{generation}/" in n]
        files = (f"audio.{job['result']['audio']['format']}", "job.json")
        assert results == [f"local/jobs/{job_id}/{generation}/{name}" for name in files]
        audio = self.access.audio(job_id)
        assert len(audio) == job["result"]["audio"]["bytes"]
        for kind in ("utt", "at", "outputs", "started", "tries"):
            assert not self.access.redis.exists(f"ch:{kind}:{job_id}"), kind
        return job

    def left(self, job_id: str) -> dict[str, Any]:
        """What the ledger says of a job, for a message."""
        redis = self.access.redis
        out = {key: redis.zrange(key, 0, -1) for key in ("ch:out:sim", "ch:out:cpu")}
        return {"record": redis.hgetall(f"ch:job:{job_id}"), "at": redis.get(f"ch:at:{job_id}"), **out}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("points")
    env = {"CHORUS_LEASE": "2", "CHORUS_FAILPOINTS": str(folder)}
    with ChaosStack(
        tmp_path_factory.mktemp("kill") / "home", model_workers=1, cpu_workers=1, env=env, stall=6.0
    ) as stack:
        stack.wait_ready()
        with StackAccess(stack) as access:
            yield Crew(access, folder)


@pytest.fixture
def crew(running: Crew) -> Iterator[Crew]:
    yield running
    running.disarm()
    stack = running.access.stack
    wait_for(lambda: stack.state() == "ready", 30, stack.processes)


#: Where, in which program, and what lies between.
POINTS = [
    ("cpu.started", "worker cpu", "a CPU step is marked as started, and not done"),
    ("prepare.enqueued", "worker cpu", "the utterances are laid down, and prepare is not recorded"),
    ("advanced", "worker cpu", "prepare is recorded, and its utterances are not released"),
    ("released", "worker cpu", "utterances are released, and not enqueued"),
    ("cpu.recorded", "worker cpu", "a CPU step is recorded, and its message not acknowledged"),
    ("assemble.encoded", "worker cpu", "the result is encoded, and not uploaded"),
    ("assemble.uploaded", "worker cpu", "the result is uploaded, and not recorded"),
    ("model.started", "worker sim", "a micro-batch is marked as started, and not run"),
    ("model.ran", "worker sim", "a micro-batch is rendered, and not uploaded"),
    ("model.stored", "worker sim", "a micro-batch is uploaded, and not counted"),
    ("advanced", "worker sim", "a micro-batch is counted, and what follows is not released"),
    ("released", "worker sim", "what follows is released, and not enqueued"),
    ("model.recorded", "worker sim", "a micro-batch is counted, and its messages not acknowledged"),
]


@pytest.mark.parametrize(("point", "program"), [p[:2] for p in POINTS], ids=[f"{p[0]}-{p[1][7:]}" for p in POINTS])
def test_a_worker_dies(crew: Crew, point: str, program: str) -> None:
    died = crew.arm(point, program)
    job = crew.access.submit(crew.body())
    died()
    crew.came_through(job["id"])


@pytest.mark.parametrize(("point", "suspects"), [("model.started", 1), ("model.ran", 0), ("model.stored", 0)])
def test_only_what_ran_when_its_process_died_is_a_suspect(crew: Crew, point: str, suspects: int) -> None:
    """The storage may be away for long: a worker that is killed as it waits to store did not die of its items."""
    died = crew.arm(point, "worker sim")
    job = crew.access.submit(crew.body(text=f"One sentence {uuid.uuid4().hex} alone."))
    died()
    marks = crew.access.redis.hgetall(f"ch:started:{job['id']}")
    assert isinstance(marks, dict) and int(marks.get(b"1.0", 0)) == suspects
    crew.came_through(job["id"], utterances=1)


def test_the_item_of_a_child_that_died_runs_elsewhere_at_once(crew: Crew) -> None:
    """Its worker lives and renews the lease: nobody but the worker can give it back."""
    died = crew.arm("cpu.started", "worker cpu")
    job = crew.access.submit(crew.body(text=f"One sentence {uuid.uuid4().hex} alone."))
    died()
    began = time.monotonic()
    crew.came_through(job["id"], utterances=1)
    assert time.monotonic() - began < 6


def test_a_worker_dies_between_the_last_count_and_assemble(crew: Crew) -> None:
    """One utterance: what counts it is what lets ``assemble`` wait; nobody has released that."""
    died = crew.arm("advanced", "worker sim")
    job = crew.access.submit(crew.body(text=f"One sentence {uuid.uuid4().hex} alone."))
    died()
    record = crew.access.redis.hgetall(f"ch:job:{job['id']}")
    assert isinstance(record, dict) and record[b"step"] == b"2" and record[b"done"] == record[b"total"]
    crew.came_through(job["id"], utterances=1)


def test_a_worker_dies_as_it_sends_utterances_back(crew: Crew) -> None:
    """Artifacts vanish before they are joined; the process dies between the ledger's write and the release."""
    first = crew.access.run(crew.body())
    assert first["state"] == "succeeded"
    died = crew.arm("rerendered", "worker cpu")
    slow = crew.body(options={"batch_seconds": 1.5, "item_seconds": 0.0})
    before = set(crew.access.objects.names("local/utterances/"))
    job = crew.access.submit(slow)
    gone = wait_for(
        lambda: set(crew.access.objects.names("local/utterances/")) - before,
        20,
        "an utterance to be stored",
        every=0.02,
    )
    crew.access.objects.delete(*gone)  # while the next micro-batch runs
    died()
    crew.came_through(job["id"])


@pytest.mark.parametrize("point", ["created", "released"])
def test_the_api_dies_behind_a_new_job(crew: Crew, point: str) -> None:
    before = crew.jobs()
    died = crew.arm(point, "api")
    with pytest.raises(httpx.TransportError):
        crew.access.submit(crew.body())
    died()
    [job_id] = crew.jobs() - before
    crew.came_through(job_id)


def test_the_api_dies_in_cancel(crew: Crew) -> None:
    job = crew.access.submit(crew.body(options={"batch_seconds": 1.0}))
    died = crew.arm("canceled", "api")
    with pytest.raises(httpx.TransportError):
        crew.access.http.post(f"/v1/jobs/{job['id']}/cancel")
    died()
    assert crew.get(job["id"])["state"] == "canceled"
    other = crew.access.submit(crew.body())
    crew.came_through(other["id"])
    # What the canceled job had out gives its places back.
    out = ("ch:out:sim", "ch:out:cpu")
    wait_for(lambda: not any(crew.access.redis.zcard(key) for key in out), SECONDS, lambda: crew.left(job["id"]))
    assert crew.get(job["id"])["state"] == "canceled"
    assert not list(crew.access.objects.names(f"local/jobs/{job['id']}/"))


@pytest.mark.parametrize("point", ["retried", "released"])
def test_the_api_dies_in_retry(crew: Crew, point: str) -> None:
    job = crew.access.submit(crew.body(options={"batch_seconds": 0.5}))
    assert crew.access.http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    died = crew.arm(point, "api")
    with pytest.raises(httpx.TransportError):
        crew.access.http.post(f"/v1/jobs/{job['id']}/retry")
    died()
    crew.came_through(job["id"], retried=True)


def test_the_reaper_dies_between_release_and_enqueue(crew: Crew) -> None:
    """Nobody but the reaper releases what the API left: it dies with it in its hands, and then another finds it."""
    before = crew.jobs()
    died_api, died_reaper = crew.arm("created", "api"), crew.arm("released", "reaper")
    with pytest.raises(httpx.TransportError):
        crew.access.submit(crew.body())
    died_api()
    died_reaper()
    [job_id] = crew.jobs() - before
    crew.came_through(job_id)


def test_the_reaper_dies_as_it_enqueues_what_was_lost(crew: Crew) -> None:
    before = crew.jobs()
    died_api, died_reaper = crew.arm("released", "api"), crew.arm("reaper.found", "reaper")
    with pytest.raises(httpx.TransportError):
        crew.access.submit(crew.body())
    died_api()
    died_reaper()
    [job_id] = crew.jobs() - before
    crew.came_through(job_id)


@pytest.mark.alone  # what starts too slowly counts as stopped, after six seconds
def test_what_is_stopped_is_replaced(crew: Crew) -> None:
    """Every process of ours is stopped, none ends: the supervisor starts others, and the job comes through."""
    job = crew.access.submit(crew.body(options={"batch_seconds": 0.3, "item_seconds": 0.0}))
    stack = crew.access.stack
    before = {n: e["pid"] for n, e in stack.processes().items() if n not in ("valkey", "seaweedfs")}
    assert len(before) == 5
    for pid in before.values():
        os.kill(pid, signal.SIGSTOP)

    def replaced() -> bool:
        return all(e["pid"] != before.get(n) and e["state"] == "ready" for n, e in stack.processes().items())

    wait_for(replaced, 60, stack.processes)
    crew.came_through(job["id"])
