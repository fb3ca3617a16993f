"""Open jobs and use by day under any order of calls, on a real Valkey: they are always what a recount gives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from core.errors import Conflict, ModelFailed, RateLimited
from core.names import Priority
from core.redis import connect
from core.work import CPU, ItemRef, Plan
from storage.access.charge import Charge
from storage.access.limits import Limits
from storage.access.usage import Usage
from storage.ledger.batches import PLAN, job_of
from storage.ledger.documents import ItemsDocument, JobDocument, RecordingDocument
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob, Outcome

ONE_STEP = Plan.parse("prepare:cpu")
RUNNING = ("queued", "running")
KEYS = ("key_a", "key_b", None)
KEY_LIMITS = Limits(open_jobs=4, characters_per_day=60, audio_seconds_per_day=20)
OWNER_LIMITS = Limits(open_jobs=6, characters_per_day=100, audio_seconds_per_day=30)
INVALID = 1  #: items of each batch that do not become jobs


def charge(key: str | None, characters: int = 0, seconds: float = 0.0) -> Charge:
    """A request without a key has the owner's limits alone."""
    by_key = KEY_LIMITS if key else Limits()
    return Charge(key=key, key_limits=by_key, owner_limits=OWNER_LIMITS, characters=characters, audio_seconds=seconds)


class QuotaMachine(RuleBasedStateMachine):
    """Calls of the ledger in any order, and the use that follows from them. ``url`` is set by the test."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.redis = connect(self.url)
        self.redis.flushall()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
        self.ledger = Ledger(self.redis, clock=lambda: self.now)
        self.usage = Usage(self.redis, clock=lambda: self.now)
        self.used: Counter[tuple[Any, str | None, str]] = Counter()  #: by day, key and kind
        self.made = 0
        self.sizes: dict[str, int] = {}  #: items of each batch
        self.charged: dict[str, tuple[Any, str | None]] = {}  #: the day and the key of each batch
        self.audio: Counter[str] = Counter()  #: seconds of recordings that each job was charged

    def teardown(self) -> None:
        self.redis.close()

    # -- what may be called

    @rule(
        key=st.sampled_from(KEYS),
        characters=st.sampled_from([0, 7, 20, 61]),
        seconds=st.sampled_from([0.0, 0.0, 6.5, 21.0]),
        late=st.integers(0, 5),
    )
    def create(self, key: str | None, characters: int, seconds: float, late: int) -> None:
        self.made += 1
        recording = RecordingDocument(object="ann/recordings/1", duration=seconds) if seconds else None
        new = NewJob(
            id=f"job_{self.made}",
            owner="ann",
            priority=Priority.NORMAL,
            plan=ONE_STEP,
            document=JobDocument(owner="ann", pipeline="sim", characters=characters, recording=recording),
            deadline=0.0 if late == 0 else 600.0,
            keep=100.0,
            charge=charge(key, characters, seconds),
        )
        wanted = {"open_jobs": 1, "characters": characters, "audio_seconds_in": seconds}
        code = self._refusal(key, wanted)
        if code is None:
            assert self.ledger.create(new)
            self._use(key, {"jobs": 1, **wanted})
            self.audio[new.id] = seconds  # type: ignore[assignment]
            assert not self.ledger.create(new)  # the request is repeated
        else:
            with pytest.raises(RateLimited) as refused:
                self.ledger.create(new)
            assert refused.value.code == code
            assert self.ledger.get(new.id) is None

    @rule(key=st.sampled_from(KEYS), items=st.integers(1, 5), characters=st.sampled_from([5, 40, 101]))
    def create_batch(self, key: str | None, items: int, characters: int) -> None:
        self.made += 1
        name = f"ba_{self.made:024}"
        parts = ItemsDocument(count=items, object="ann/items.jsonl")
        new = NewJob(
            id=name,
            owner="ann",
            priority=Priority.NORMAL,
            plan=PLAN,
            document=JobDocument(owner="ann", pipeline="batch", items=parts),
            deadline=600.0,
            keep=100.0,
            items=items,
            charge=charge(key, characters),
        )
        code = self._refusal(key, {"open_jobs": items, "characters": characters})
        if code is None:
            assert self.ledger.create(new)
            assert not self.ledger.create(new)
            self._use(key, {"characters": characters})
            self.sizes[name], self.charged[name] = items, (self.usage.today(), key)
        else:
            with pytest.raises(RateLimited) as refused:
                self.ledger.create(new)
            assert refused.value.code == code

    @precondition(lambda self: self.sizes)
    @rule(data=st.data(), portion=st.booleans())
    def expand(self, data: st.DataObject, portion: bool) -> None:
        """A worker makes the jobs of a batch, or dies after the first."""
        batch = data.draw(st.sampled_from(sorted(self.sizes)))
        record = self._record(batch)
        if record.get("state") not in RUNNING:
            return
        ref, made = ItemRef(batch, int(record["gen"]), 0), self.sizes[batch] - INVALID
        for index in range(min(made, 1) if portion else made):
            document = JobDocument(owner="ann", pipeline="sim", characters=3)
            new = NewJob(
                id=job_of(batch, index),
                owner="ann",
                priority=Priority.BULK,
                plan=ONE_STEP,
                document=document,
                deadline=600.0,
                keep=100.0,
                batch=ref,
            )
            if self.ledger.create(new):
                self._use(record.get("key"), {"jobs": 1})
        if not portion:
            by_jobs = int(self.redis.hget(f"ch:batch:{batch}", "characters") or 0)
            charged = int(self.redis.hget(f"ch:batch:{batch}", "charged"))
            assert self.ledger.advance([Outcome(ref=ref, station=CPU, result={})]) == [True]
            day, key = self.charged[batch]
            self._use(key, {"characters": by_jobs - charged}, day)

    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "taken"]))
    def end(self, data: st.DataObject, how: str) -> None:
        name = self._draw(data)
        record = self._record(name)
        if not name.startswith("job_") or record.get("state") not in RUNNING:
            return
        ref = ItemRef(name, int(record["gen"]), 0)
        if how == "taken":
            self.ledger.take(CPU, [ref])
            return
        result = {"audio": {"duration": 1.5}}
        outcome = Outcome(ref=ref, station=CPU, result=result)
        if how == "failed":
            outcome = Outcome(ref=ref, station=CPU, error=ModelFailed())
        assert self.ledger.advance([outcome, outcome]) == [True, False]  # it is delivered twice
        self._use(record.get("key"), {how: 1, "audio_seconds_out": 1.5 if how == "succeeded" else 0})

    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        """The step finds the recordings of a job longer than was known, as behind a URL; it may run again."""
        name, more = self._draw(data), data.draw(st.sampled_from([-1.0, 0.0, 4.0, 30.0]))
        record = self._record(name)
        if record.get("state") not in RUNNING:
            return
        ref, key = ItemRef(name, int(record["gen"]), 0), record.get("key")
        total = max(0.0, self.audio[name] + more)
        charged = "audio" in record and more > 0
        code = self._refusal(key, {"audio_seconds_in": more}) if charged else None
        if code is None:
            for _ in range(2):
                self.ledger.charge_audio(ref, total)
            if charged:
                self._use(key, {"audio_seconds_in": more})
                self.audio[name] = total  # type: ignore[assignment]
        else:
            with pytest.raises(RateLimited) as refused:
                self.ledger.charge_audio(ref, total)
            assert refused.value.code == code and not refused.value.retryable

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.ledger.cancel(self._draw(data))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.ledger.delete_now(self._draw(data))

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def retry(self, data: st.DataObject, key: str | None) -> None:
        name = self._draw(data)
        record = self._record(name)
        wanted = 1
        if name in self.sizes and record:
            wanted = max(0, self.sizes[name] - int(self.redis.hget(f"ch:batch:{name}", "jobs")))
        if record.get("state") not in ("failed", "canceled"):
            assert not self.ledger.retry(name, charge=charge(key))
        elif self._refusal(key, {"open_jobs": wanted}):
            with pytest.raises(RateLimited, match="open jobs"):
                self.ledger.retry(name, charge=charge(key))
            assert self._record(name) == record
        else:
            assert self.ledger.retry(name, charge=charge(key))
            assert self._record(name).get("key") == key

    @rule(whole=st.booleans(), data=st.data())
    def batch_action(self, whole: bool, data: st.DataObject) -> None:
        """Cancels or deletes a batch with its jobs, as `Batches` does."""
        if not self.sizes:
            return
        batch = data.draw(st.sampled_from(sorted(self.sizes)))
        jobs = [job_of(batch, index) for index in range(self.sizes[batch])]
        self.ledger.cancel(batch)
        if whole:
            self.ledger.delete_many_now(jobs)
            self.ledger.delete_now(batch)
            with pytest.raises(Conflict):
                self._create_in(batch)
        else:
            self.ledger.cancel_many(jobs)

    def _create_in(self, batch: str) -> None:
        """A worker that still expands a batch that is over."""
        new = NewJob(
            id=job_of(batch, 0),
            owner="ann",
            priority=Priority.BULK,
            plan=ONE_STEP,
            document=JobDocument(owner="ann", pipeline="sim", characters=3),
            deadline=600.0,
            keep=100.0,
            batch=ItemRef(batch, 1, 0),
        )
        self.ledger.create(new)

    @rule()
    def upkeep(self) -> None:
        overdue = [name for name in self._jobs() if self._is_overdue(name)]
        keys = [self._record(name).get("key") for name in overdue]
        self.ledger.upkeep.end_overdue()
        for key in keys:
            self._use(key, {"failed": 1})

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """The retention of a job is over."""
        entry = f"ann/{self._draw(data)}"
        if self.redis.zscore("ch:expires", entry) is not None:
            self.redis.zadd("ch:expires", {entry: 1.0})
            [(owner, name, _)] = self.ledger.upkeep.expired()
            assert self.ledger.upkeep.delete_expired(owner, name)

    @rule(hours=st.sampled_from([1, 13]))
    def wait(self, hours: int) -> None:
        self.now += 3600 * hours

    # -- what must hold

    @invariant()
    def open_jobs_are_a_recount(self) -> None:
        assert {field.decode(): int(n) for field, n in self.redis.hgetall("ch:open").items()} == self._open()

    @invariant()
    def use_is_what_was_done(self) -> None:
        first = datetime(2026, 3, 1, tzinfo=UTC).date()
        found = Counter[tuple[Any, str | None, str]]()
        for one in self.usage.between("ann", first, self.usage.today()):
            for name in ("jobs", "succeeded", "failed", "characters", "audio_seconds_in", "audio_seconds_out"):
                found[one.date, one.key, name] = getattr(one.use, name)
        assert +found == +self.used

    def _open(self) -> Counter[str]:
        expected: Counter[str] = Counter()
        for name in self._jobs():
            record = self._record(name)
            if record["state"] in RUNNING:
                count = 1
                if name in self.sizes:
                    made = int(self.redis.hget(f"ch:batch:{name}", "jobs"))
                    count = max(0, self.sizes[name] - made)
                for holder in ("*", record.get("key", "-")):
                    expected[f"ann|{holder}"] += count
        return +expected

    # -- around it

    def _refusal(self, key: str | None, wanted: dict[str, float]) -> str | None:
        """The code that a request is to be refused with."""
        day, opened = self.usage.today(), self._open()
        for what, code, name in (
            ("open_jobs", "open_jobs_limit", "open_jobs"),
            ("characters", "characters_limit", "characters_per_day"),
            ("audio_seconds_in", "audio_seconds_limit", "audio_seconds_per_day"),
        ):
            amount = wanted.get(what, 0)
            of_key = opened[f"ann|{key}"] if what == "open_jobs" else self.used[day, key, what]
            of_owner = opened["ann|*"] if what == "open_jobs" else sum(self.used[day, k, what] for k in KEYS)
            over = of_owner + amount > getattr(OWNER_LIMITS, name)
            if amount > 0 and (over or (key is not None and of_key + amount > getattr(KEY_LIMITS, name))):
                return code
        return None

    def _use(self, key: str | None, amounts: dict[str, float], day: Any = None) -> None:
        for what, amount in amounts.items():
            if what != "open_jobs":
                self.used[day or self.usage.today(), key, what] += amount  # type: ignore[assignment]

    def _jobs(self) -> list[str]:
        return sorted(key.decode().removeprefix("ch:job:") for key in self.redis.keys("ch:job:*"))

    def _draw(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self._jobs() or ["job_0"]))

    def _record(self, name: str) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.redis.hgetall(f"ch:job:{name}").items()}

    def _is_overdue(self, name: str) -> bool:
        record = self._record(name)
        return record["state"] in RUNNING and float(record["deadline"]) - float(record["created"]) < 1.0


@pytest.mark.timeout(240)
def test_counts_are_what_a_recount_gives(valkey: str) -> None:
    machine = type("Machine", (QuotaMachine,), {"url": valkey})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
