"""Suspects on a real Valkey: what processes that die leave in the ledger, and what becomes of their items."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from core.errors import StorageUnavailable
from core.names import JobState, Priority, Role
from core.settings import Settings
from core.work import CPU, ItemRef, Plan, PlanStep
from pipelines.connections import Connections
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob, Outcome, Work
from tests.integration.cpu_line import CpuLine
from workers.microbatch.suspects import LONE_DEATHS, gap
from workers.steps import cpu, registry

PLAN = Plan((PlanStep(role=Role.PREPARE), PlanStep(role=Role.SYNTHESIZE, model="sim", each=True)))


@pytest.fixture
def line(valkey: str) -> Iterator[CpuLine]:
    found = CpuLine(Settings(redis_url=valkey, s3_endpoint="http://127.0.0.1:1"))
    job = NewJob(
        id="job_1",
        owner="ann",
        priority=Priority.NORMAL,
        plan=PLAN,
        document=JobDocument(owner="ann", pipeline="sim"),
        text="x",
        deadline=60.0,
        keep=100.0,
    )
    assert found.connections.ledger.create(job)
    yield found
    found.connections.redis.close()


def die(line: CpuLine, ref: ItemRef, *, ago: float) -> None:
    """A process marks the item and is gone; it began ``ago`` seconds ago."""
    assert Ledger(line.connections.redis).start(CPU, [ref]) == [True]
    line.connections.redis.hset("ch:started:job_1", f"{ref.step}.{ref.index}.at", str(time.time() - ago))


def test_a_cpu_item_that_ends_each_process_is_poisoned(line: CpuLine, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def prepare(_: Connections, ref: ItemRef, work: Work) -> Outcome:
        ran.append(work.starts)
        raise SystemExit

    monkeypatch.setitem(registry.CPU_STEPS, Role.PREPARE, prepare)  # type: ignore[arg-type]
    [ref] = line.waiting()
    for deaths in range(LONE_DEATHS):
        with pytest.raises(SystemExit):
            cpu.run_cpu_item(line.connections, str(ref))
        assert ran[-1] == deaths
        line.connections.redis.hdel("ch:started:job_1", "0.-1.by")  # it was another process
        line.connections.redis.hset("ch:started:job_1", "0.-1.at", str(time.time() - 60))
    cpu.run_cpu_item(line.connections, str(ref))
    job = line.connections.ledger.get("job_1")
    assert job and job.state is JobState.FAILED and job.error and job.error["code"] == "poisoned"
    assert len(ran) == LONE_DEATHS


def test_a_suspect_whose_next_try_is_not_due_waits_and_keeps_its_marks(line: CpuLine) -> None:
    [ref] = line.waiting()
    for _ in range(4):
        die(line, ref, ago=gap(4) - 0.4)
    cpu.run_cpu_item(line.connections, str(ref))
    assert line.waiting() == [], "it waits apart, and holds no place at its station"
    [work] = line.connections.ledger.take(CPU, [ref])
    assert work and work.starts == 4
    assert line.connections.ledger.upkeep.wake_due() == set()
    time.sleep(0.5)
    assert line.connections.ledger.upkeep.wake_due() == {CPU}
    assert line.waiting() == [ref]
    assert line.connections.redis.hget("ch:tries:job_1", "-1") is None, "it is no try"


def test_a_process_that_waits_for_storage_does_not_die_of_its_item(
    line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[int] = []

    def prepare(connections: Connections, ref: ItemRef, _: Work) -> Outcome:
        [work] = connections.ledger.take(CPU, [ref])
        assert work
        marks.append(work.starts)
        if len(marks) < 2:  # noqa: PLR2004
            raise StorageUnavailable
        return Outcome(ref=ref, station=CPU)

    monkeypatch.setitem(registry.CPU_STEPS, Role.PREPARE, prepare)  # type: ignore[arg-type]
    kept: list[bytes | None] = []
    monkeypatch.setattr(
        "workers.retry.log.warning",
        lambda *_: kept.append(line.connections.redis.hget("ch:started:job_1", "0.-1")),  # type: ignore[arg-type]
    )
    [ref] = line.waiting()
    cpu.run_cpu_item(line.connections, str(ref))
    assert marks == [1, 1] and kept == [None]
