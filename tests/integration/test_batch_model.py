"""A batch's counts under any order of what may happen to it and its jobs, on a real Valkey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, ModelFailed
from core.names import BatchState, JobState, Priority
from core.redis import connect
from core.work import CPU, ItemRef, Plan
from storage.ledger.batches import PLAN, Batch, Batches, job_of
from storage.ledger.documents import ItemsDocument, JobDocument
from storage.ledger.events import events_of
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob, Outcome
from storage.webhooks.deliveries import delivery_id

BATCH, ITEMS = "ba_" + "0" * 24, 4
ONE_STEP = Plan.parse("prepare:cpu")
SUBSCRIBED = "we_" + "0" * 24


class World:
    """A batch of four items, the last of which is bad."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self.redis.flushall()
        self.redis.hset("ch:hooks:ann", SUBSCRIBED, "batch.completed job.succeeded ")
        self.ledger = Ledger(self.redis)
        self.batches = Batches(self.ledger, None)  # type: ignore[arg-type]  # nothing here looks at storage
        self.ledger.create(self._record(BATCH, PLAN, items=ITEMS))

    def _record(self, name: str, plan: Plan, batch: ItemRef | None = None, items: int | None = None) -> NewJob:
        parts = ItemsDocument(count=ITEMS, object="ann/items.jsonl")
        document = JobDocument(owner="ann", pipeline="batch", items=parts)
        return NewJob(
            id=name,
            owner="ann",
            priority=Priority.NORMAL,
            plan=plan,
            document=document,
            deadline=60,
            keep=100,
            batch=batch,
            items=items,
        )

    def batch(self) -> Batch:
        return self.batches.get("ann", BATCH)

    def present(self, index: int) -> ItemRef | None:
        """The present item of a job, None where it has ended or never was."""
        job = self.ledger.get(job_of(BATCH, index))
        return None if job is None or job.state.ended else ItemRef(job.id, job.generation, 0)

    # What may happen, to job ``n`` where it matters.

    def expand_one(self, n: int) -> None:
        """The expansion, or what is left of one that was canceled, makes a job."""
        job = self.ledger.get(BATCH)
        if job is not None and n < ITEMS - 1:
            try:
                ref = ItemRef(BATCH, job.generation, 0)
                self.ledger.create(self._record(job_of(BATCH, n), ONE_STEP, batch=ref))
            except Conflict:
                assert job.state.ended

    def opened(self, n: int) -> None:
        job = self.ledger.get(BATCH)
        if job is not None and not job.state.ended:
            for index in range(ITEMS - 1):
                self.expand_one(index)
            self.ledger.advance([Outcome(ref=ItemRef(BATCH, job.generation, 0), station=CPU, result={})])

    def taken(self, n: int) -> None:
        if ref := self.present(n):
            self.ledger.take(CPU, [ref])

    def succeeded(self, n: int) -> None:
        if ref := self.present(n):
            self.ledger.advance([Outcome(ref=ref, station=CPU, result={})] * 2)

    def failed(self, n: int) -> None:
        if ref := self.present(n):
            self.ledger.advance([Outcome(ref=ref, station=CPU, error=ModelFailed())])

    def canceled(self, n: int) -> None:
        self.ledger.cancel(job_of(BATCH, n))

    def retried(self, n: int) -> None:
        self.ledger.retry(job_of(BATCH, n))

    def all_canceled(self, n: int) -> None:
        if self.batch().state in (BatchState.QUEUED, BatchState.RUNNING):
            self.batches.cancel(self.batch())

    def all_retried(self, n: int) -> None:
        self.batches.retry(self.batch(), 1)

    # What must hold.

    def check(self) -> None:
        batch = self.batch()
        jobs = [self.ledger.get(job_of(BATCH, index)) for index in range(ITEMS)]
        states = Counter(job.state.value for job in jobs if job)
        missing = sum(job is None for job in jobs)
        assert sum(batch.counts.values()) == ITEMS, batch.counts
        # What is no job counts as queued until the expansion is over, then as failed or canceled.
        rest = Counter(batch.counts)
        rest.subtract(states)
        assert sum(rest.values()) == missing and all(n >= 0 for n in rest.values()), (batch.counts, states)
        if not batch.job.state.ended:
            assert rest["queued"] == missing
        ended = batch.counts["queued"] + batch.counts["running"] == 0
        assert (batch.completed is not None) == (ended and batch.job.state.ended)
        if batch.completed is not None:
            assert batch.state in (BatchState.COMPLETED, BatchState.CANCELED, BatchState.FAILED)
            assert batch.job.expires is not None
            assert self.redis.ttl(f"ch:batch:{BATCH}") > 0
            assert events_of(batch.job)[-1].type in ("batch.completed", "job.canceled")
        elif batch.job.state is JobState.SUCCEEDED:
            assert batch.job.expires is None and self.redis.ttl(f"ch:batch:{BATCH}") == -1
            assert self.redis.zscore("ch:expires", f"ann/{BATCH}") is None
        self._check_deliveries(jobs)

    def _check_deliveries(self, jobs: list[object]) -> None:
        """Every change that somebody asked to be told of waits to be sent, once."""
        waiting = {entry.decode() for entry in self.redis.zrange(f"ch:due:{SUBSCRIBED}", 0, -1)}  # type: ignore[union-attr]
        for job in jobs:
            for event in events_of(job) if job else ():  # type: ignore[arg-type]
                assert (delivery_id(event.id, SUBSCRIBED) in waiting) == (event.type == "job.succeeded")


OPERATIONS: list[Callable[[World, int], None]] = [
    World.expand_one,
    World.opened,
    World.opened,
    World.taken,
    World.succeeded,
    World.failed,
    World.canceled,
    World.retried,
    World.all_canceled,
    World.all_retried,
]


@pytest.mark.timeout(120)
def test_counts_follow_the_jobs_whatever_happens(valkey: str) -> None:
    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, ITEMS - 1)), max_size=25))
    def run(steps: list[tuple[Callable[[World, int], None], int]]) -> None:
        world = World(valkey)
        try:
            world.check()
            for operation, index in steps:
                operation(world, index)
                world.check()
        finally:
            world.redis.close()

    run()
