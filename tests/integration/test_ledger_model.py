"""The ledger under any order and repetition of its calls, on a real Valkey: what must hold always holds.

The stand-in for the workers never forgets a reference: what was recorded long ago is recorded again, items of
earlier generations come back, messages are delivered twice or not at all.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from broker.app import queue_name
from broker.publish import publish_many
from core.errors import ArtifactMissing, ModelFailed
from core.names import Priority, Role
from core.redis import connect
from core.work import CPU, WHOLE_JOB, ItemRef, Plan, PlanStep, UtteranceWork
from storage.ledger import scripts
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import Ledger
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import NewJob, Outcome

PREPARE, ASSEMBLE = PlanStep(role=Role.PREPARE), PlanStep(role=Role.ASSEMBLE)
VOICE = PlanStep(role=Role.SYNTHESIZE, model="voice", each=True)
TONE = PlanStep(role=Role.CONVERT, model="tone", each=True)
VAD, OPEN = PlanStep(role=Role.VAD, model="vad"), PlanStep(role=Role.OPEN)
PLANS = [
    Plan((PREPARE, VOICE, ASSEMBLE)),
    Plan((PREPARE, VOICE, TONE, ASSEMBLE)),
    Plan((PREPARE, VAD, OPEN, VOICE, ASSEMBLE)),
]
STATIONS = [CPU, "voice", "tone", "vad"]
RUNNING = ("queued", "running")
RUN = 2  #: utterances that one run of a step lays down
KEPT_WHILE_IT_RUNS = ("utt", "at", "outputs", "started", "tries")


#: Everything in one round trip: {key, type, value, seconds to live}.
DUMP = """
local out = {}
for _, key in ipairs(redis.call('KEYS', 'ch:*')) do
  local kind, value = redis.call('TYPE', key).ok, nil
  if kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  else value = redis.call('GET', key) end
  out[#out + 1] = { key, kind, value, redis.call('TTL', key) }
end
return out
"""


class Snapshot:
    """What lies in Redis at one moment."""

    def __init__(self, client: redis.Redis) -> None:
        self.values: dict[str, Any] = {}
        self.ttl: dict[str, int] = {}
        for key, kind, value, ttl in client.eval(DUMP, 0):
            name = key.decode()
            self.ttl[name] = ttl
            if kind == b"hash":
                flat = [part.decode(errors="replace") for part in value]
                self.values[name] = dict(zip(flat[::2], flat[1::2], strict=True))
            elif kind == b"string":
                self.values[name] = value.decode(errors="replace")
            else:
                self.values[name] = [part.decode() for part in value]

    def hash(self, key: str) -> dict[str, str]:
        return self.values.get(key, {})

    def list(self, key: str) -> list[str]:
        return self.values.get(key, [])

    def record(self, job: str) -> dict[str, str]:
        return self.hash(f"ch:job:{job}")

    def out(self, station: str) -> Sequence[ItemRef]:
        return [ItemRef.parse(text) for text in self.list(f"ch:out:{station}")]


class LedgerMachine(RuleBasedStateMachine):
    """Calls of the ledger in any order. ``url`` is set by the test."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.redis = connect(self.url)
        self.redis.flushall()
        self.ledger = Ledger(self.redis)  # releases nothing by itself
        self.releasing = Ledger(self.redis, partial(publish_many, self.redis))
        self.sizes: dict[str, int] = {}
        self.plans: dict[str, Plan] = {}
        self.silent: set[str] = set()
        self.seen: list[ItemRef] = []  #: every reference that was ever released
        self.laid: dict[tuple[str, int], list[tuple[int, int]]] = {}  #: what each generation laid down, and when anew
        self.ends: dict[tuple[str, str], Any] = {}  #: how a generation ended, when, and with what

    def teardown(self) -> None:
        try:
            self.what_waits_is_released_in_the_end()
        finally:
            self.redis.close()

    # -- what may be called

    @precondition(lambda self: len(self.sizes) < 4)
    @rule(
        plan=st.sampled_from(PLANS),
        owner=st.sampled_from(["ann", "bob"]),
        priority=st.sampled_from(list(Priority)),
        size=st.sampled_from([0, 1, 2, 3, 5]),
        silence=st.booleans(),
        late=st.integers(0, 9),
    )
    def create(self, plan: Plan, owner: str, priority: Priority, size: int, silence: bool, late: int) -> None:
        name = f"job_{len(self.sizes)}"
        new = NewJob(
            id=name,
            owner=owner,
            priority=priority,
            plan=plan,
            document=JobDocument(owner=owner, pipeline="sim"),
            text="[]",
            deadline=0.0 if late == 0 else 600.0,
            keep=100.0,
            silence=silence,
            load=3,
        )
        assert self.ledger.create(new)
        assert not self.ledger.create(new)
        self.sizes[name], self.plans[name] = size, plan
        if silence:
            self.silent.add(name)

    @rule(station=st.sampled_from(STATIONS))
    def release(self, station: str) -> None:
        out = set(self.redis.zrange(f"ch:out:{station}", 0, -1))
        self.releasing.release([station])
        for text in self._messages(station):
            ref = ItemRef.parse(text)
            assert text.encode() not in out, f"{text} was released while it was out"
            out.add(text.encode())
            assert self.plans[ref.job].steps[ref.step].station == station, f"{text} is not for {station}"
            self.seen.append(ref)

    @precondition(lambda self: self.sizes)
    @rule(rounds=st.integers(1, 3), most=st.integers(1, 6))
    def work(self, rounds: int, most: int) -> None:
        """What workers do as a rule, so that jobs get on."""
        for _ in range(rounds):
            for station in STATIONS:
                self.release(station)
                out = [ItemRef.parse(m.decode()) for m in self.redis.zrange(f"ch:out:{station}", 0, most - 1)]
                self.ledger.take(station, out)
                self.ledger.start(station, out)
                for ref in out:
                    self._lay(ref)
                self.ledger.advance([self._outcome(ref, "done") for ref in out])

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        ref = self._old(data)
        [work] = self.ledger.take(self._station(ref), [ref])
        assert work is None or (work.utterance is None) == (ref.index == WHOLE_JOB)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), alone=st.booleans())
    def start(self, data: st.DataObject, alone: bool) -> None:
        ref = self._old(data)
        self.ledger.start(self._station(ref), [ref], alone=alone)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def ran(self, data: st.DataObject) -> None:
        self.ledger.clear_started([self._old(data)])

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def enqueue_utterances(self, data: st.DataObject) -> None:
        self._lay(self._old(data))

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), kind=st.sampled_from(["done", "done", "done", "failed", "again"]), count=st.integers(1, 4))
    def advance(self, data: st.DataObject, kind: str, count: int) -> None:
        refs = [self._old(data) for _ in range(count)]
        for ref in refs:
            if kind == "done":
                self._lay(ref)
        late = data.draw(st.booleans())  # a second delivery may tell of a portion that was laid down long ago
        self.ledger.advance([self._outcome(ref, kind, data.draw(st.integers(1, 3)) if late else 1) for ref in refs])

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), due=st.booleans(), released=st.booleans(), kind=st.sampled_from(["done", "failed", "again"]))
    def stumble(self, data: st.DataObject, due: bool, released: bool, kind: str) -> None:
        """Two deliveries of an item, as where a lease ran out: one is to be tried again, the other ends any time."""
        ref = self._old(data)
        self.ledger.advance([self._outcome(ref, "again")])
        if due:
            self.ledger.upkeep.wake_due()
        if due and released:
            self.release(self._station(ref))
        self._lay(ref)
        self.ledger.advance([self._outcome(ref, kind)])

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.sizes)))
        alive = self._state(name) in RUNNING
        assert self.ledger.cancel(name) == alive

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.sizes)))
        ended = self._state(name) in ("failed", "canceled")
        assert self.ledger.retry(name, load=2) == ended

    @rule()
    def tidy(self) -> None:
        self.ledger.upkeep.tidy()

    @rule()
    def due(self) -> None:
        self.ledger.upkeep.wake_due()

    @rule()
    def end_overdue(self) -> None:
        self.ledger.upkeep.end_overdue()

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), indices=st.sets(st.integers(0, 5), min_size=1, max_size=3))
    def render_again(self, data: st.DataObject, indices: set[int]) -> None:
        ref = self._old(data)
        if self.plans[ref.job].steps[ref.step].role is Role.ASSEMBLE:
            self.ledger.render_again(ref, sorted(indices))

    # -- what must hold

    @invariant()
    def everything_is_in_order(self) -> None:
        now = Snapshot(self.redis)
        for name in self.sizes:
            record = now.record(name)
            counts = {field: int(record.get(field, 0)) for field in ("done", "failed", "total")}
            assert counts["done"] + counts["failed"] <= counts["total"], record
            if record["state"] in RUNNING:
                self._unfinished_is_whole(now, name, counts)
            else:
                self._ended_is_over(now, name, counts)
        self._load_is_the_sum_of_what_is_unfinished(now)
        self._open_jobs_are_those_that_have_not_ended(now)
        for station in STATIONS:
            assert set(now.out(station)) <= set(self.seen)
            assert all(self._station(ref) == station for ref in now.out(station))
            self._shares_and_rings_are_right(now, station)

    def _load_is_the_sum_of_what_is_unfinished(self, now: Snapshot) -> None:
        expected: Counter[str] = Counter()
        for name in self.sizes:
            record = now.record(name)
            load = int(record.get("load", 0))
            assert load >= 0 and (load == 0 or record["state"] in RUNNING)
            expected[record["owner"]] += load
            expected["*"] += load
        found = {owner: int(load) for owner, load in now.hash("ch:load").items()}
        assert {k: v for k, v in found.items() if v} == {k: v for k, v in expected.items() if v}

    def _open_jobs_are_those_that_have_not_ended(self, now: Snapshot) -> None:
        expected: Counter[str] = Counter()
        for record in map(now.record, self.sizes):
            if record["state"] in RUNNING:
                expected.update([f"{record['owner']}|*", f"{record['owner']}|{record.get('key', '-')}"])
        assert {field: int(count) for field, count in now.hash("ch:open").items()} == expected

    def _shares_and_rings_are_right(self, now: Snapshot, station: str) -> None:
        rings: Counter[str] = Counter()
        for priority in Priority:
            owners = now.list(f"ch:owners:{station}:{priority.value}")
            assert len(set(owners)) == len(owners)
            for owner in ("ann", "bob"):
                ring = now.list(f"ch:ring:{station}:{priority.value}:{owner}")
                assert (owner in owners) == bool(ring)
                rings.update(ring)
        for name in self.sizes:
            record = now.record(name)
            assert rings[name] == (record.get(f"in:{station}") == "1"), (station, record)
            fly, share = int(record.get(f"fly:{station}", 0)), int(record.get(f"share:{station}", 1))
            alive, generation = record["state"] in RUNNING, int(record["gen"])
            out = [r for r in now.out(station) if alive and (r.job, r.generation) == (name, generation)]
            assert fly == len(out) and share >= 1, (station, record)
            waiting = [int(index) for index in now.list(f"ch:wait:{station}:{name}")]
            assert len(set(waiting)) == len(waiting)
            for index in waiting:
                states = now.values.get(f"ch:at:{name}", "")
                whole = int(record.get("opening", record["step"]))
                step = whole if index == WHOLE_JOB else ord(states[index]) - ord("a")
                assert self._station(ItemRef(name, 1, step, index)) == station, f"{name}: {index} waits for nothing"
            if waiting and fly < share:
                assert rings[name] == 1, f"{name} waits at {station} and is in no ring"
            if "enqueued" in record and self._station(ItemRef(name, 1, int(record["step"]))) == station:
                assert waiting, f"nothing of {name} waits, and more is to be laid"

    def _unfinished_is_whole(self, now: Snapshot, name: str, counts: dict[str, int]) -> None:
        """Every item that is not done is somewhere once: it waits, is out, or waits for its delay."""
        record, plan = now.record(name), self.plans[name]
        step, generation = int(record["step"]), int(record["gen"])
        assert now.ttl[f"ch:job:{name}"] == -1
        opening = record.get("opening")
        if opening is not None and int(opening) != step:
            self._is_somewhere_once(now, ItemRef(name, generation, int(opening)))
        if not plan.steps[step].each:
            self._is_somewhere_once(now, ItemRef(name, generation, step))
            return
        states = now.values.get(f"ch:at:{name}", "")[: int(record["laid"])]
        found = (states.count("Z"), states.count("X"), len(states))
        assert found == (counts["done"], counts["failed"], counts["total"])
        if opening is None:
            assert int(record["load"]) == counts["total"] - counts["done"] - counts["failed"] > 0
            assert counts["total"] == self.sizes[name]
        for index, state in enumerate(states):
            if state not in "ZX":
                at = ord(state) - ord("a")
                assert plan.steps[at].each
                self._is_somewhere_once(now, ItemRef(name, generation, at, index))

    def _is_somewhere_once(self, now: Snapshot, ref: ItemRef) -> None:
        station = self._station(ref)
        record = now.record(ref.job)
        waits = now.list(f"ch:wait:{station}:{ref.job}").count(str(ref.index))
        waits += "enqueued" in record and int(record["enqueued"]) <= ref.index and int(record["step"]) == ref.step
        out = now.out(station).count(ref)
        later = now.list("ch:delayed").count(f"{station} {ref}")
        assert waits + out + later == 1, f"{ref}: {waits}, {out}, {later}: {now.record(ref.job)}"

    def _ended_is_over(self, now: Snapshot, name: str, counts: dict[str, int]) -> None:
        record = now.record(name)
        gone = [f"ch:{kind}:{name}" for kind in KEPT_WHILE_IT_RUNS] + [f"ch:wait:{s}:{name}" for s in STATIONS]
        assert not [key for key in gone if key in now.values]
        assert name not in now.list("ch:deadlines")
        for kind in ("job", "doc", "end"):
            assert 0 < now.ttl[f"ch:{kind}:{name}"] <= 101, kind
        end = (record["state"], record["ended"], now.values[f"ch:end:{name}"])
        assert self.ends.setdefault((name, record["gen"]), end) == end, "a generation ended twice"
        assert not {"laid", "opening", "enqueued"} & set(record)
        if record["state"] == "succeeded":
            assert counts["total"] == self.sizes[name]
            assert counts["done"] + counts["failed"] == counts["total"]
            assert counts["failed"] == 0 or name in self.silent
            assert f"ch:text:{name}" not in now.values

    def what_waits_is_released_in_the_end(self) -> None:
        """Workers that do all they get, a broker that loses nothing and a reaper: every job ends, and as it should."""
        for _ in range(400):
            self.ledger.upkeep.wake_due()
            self.work(1, 1000)
            self.everything_is_in_order()
            now = Snapshot(self.redis)
            running = [name for name in self.sizes if now.record(name)["state"] in RUNNING]
            if not running and not any(now.out(station) for station in STATIONS):
                break
        assert not running, f"they hang: {[now.record(name) for name in running]}"
        while self.ledger.upkeep.tidy():
            pass
        left = {key.split(":")[1] for key in Snapshot(self.redis).values}
        assert left <= {
            "job",
            "doc",
            "text",
            "err",
            "end",
            "expires",
            "jobs",
            "artifacts",
            "load",
            "turn",
            "delayed",
            "everyone",
            "generation",
            "metrics",
            "pastn",
            "usage",
        }

    # -- around it

    def _outcome(self, ref: ItemRef, kind: str, back: int = 1) -> Outcome:
        """``back``: of a step that lays utterances down, how many runs ago it was."""
        station = self._station(ref)
        if kind == "done" and self._lays(ref):
            laid = self.laid.get((ref.job, ref.generation), [(0, 0)])
            first, last_one = laid[-min(back, len(laid))]
            return Outcome(
                ref=ref,
                station=station,
                outputs=StepOutputs(prepared={"utterances": last_one}),
                laid=(first, last_one),
                more=last_one < self.sizes[ref.job],
            )
        if kind == "done":
            last = ref.step == len(self.plans[ref.job].steps) - 1
            outputs = StepOutputs(samples="x") if ref.index == WHOLE_JOB and not last else StepOutputs()
            return Outcome(ref=ref, station=station, outputs=outputs, result={"n": len(self.seen)} if last else None)
        if kind == "failed":
            return Outcome(ref=ref, station=station, error=ModelFailed("no"))
        return Outcome(ref=ref, station=station, error=ArtifactMissing("gone"), again_in=0.0)

    def _lays(self, ref: ItemRef) -> bool:
        roles = {step.role for step in self.plans[ref.job].steps}
        return self.plans[ref.job].steps[ref.step].role is (Role.OPEN if Role.OPEN in roles else Role.PREPARE)

    def _lay(self, ref: ItemRef) -> None:
        steps = self.plans[ref.job].steps
        step = next(n for n, s in enumerate(steps) if s.each)
        if ref.step >= step or not self._lays(ref):
            return
        owner = self.redis.hget(f"ch:job:{ref.job}", "owner").decode()
        first = int(self.redis.hget(f"ch:job:{ref.job}", "laid") or 0)
        last = min(first + RUN, self.sizes[ref.job])
        works = [
            UtteranceWork.single(
                inputs={"tokens": [n]}, options={}, seed=n, artifact=f"{owner}/utterances/{ref.job}-{n}.flac", pause=0.0
            )
            for n in range(first, last)
        ]
        existing = self.ledger.existing(owner, [w.artifact for w in works])
        if self.ledger.enqueue_utterances(ref, step, works, existing, first=first) or first == last:
            self.laid.setdefault((ref.job, ref.generation), []).append((first, last))

    def _old(self, data: st.DataObject) -> ItemRef:
        """A reference that was released at some time; as a rule one of a job that runs."""
        live = [r for r in dict.fromkeys(self.seen) if str(r.generation) == self._generation(r.job)]
        return data.draw(st.sampled_from(live[::-1] if live and data.draw(st.integers(0, 3)) else self.seen))

    def _generation(self, name: str) -> str | None:
        """Of a job that runs."""
        state, generation = self.redis.hmget(f"ch:job:{name}", "state", "gen")
        return generation.decode() if state.decode() in RUNNING else None

    def _station(self, ref: ItemRef) -> str:
        assert ref.step >= 0, ref
        return self.plans[ref.job].steps[ref.step].station

    def _state(self, name: str) -> str:
        return self.redis.hget(f"ch:job:{name}", "state").decode()

    def _messages(self, station: str) -> list[str]:
        queue = queue_name(station)
        messages = self.redis.lrange(queue, 0, -1)[::-1]
        self.redis.delete(queue, f"wake:{queue}")
        return [json.loads(base64.b64decode(json.loads(m)["body"]))[0][0] for m in messages]


@pytest.fixture
def machine(valkey: str) -> type[LedgerMachine]:
    return type("Machine", (LedgerMachine,), {"url": valkey})


@pytest.mark.timeout(280)
def test_the_ledger_keeps_its_invariants(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.timeout(280)
def test_the_ledger_keeps_its_invariants_in_portions(
    machine: type[LedgerMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job of more than two utterances is a long one: it is laid and tidied up in portions."""
    whole = scripts._source

    def small(name: str) -> str:
        source = whole(name)
        assert "local PORTION = 500\n" in source
        return source.replace("local PORTION = 500\n", "local PORTION = 2\n")

    monkeypatch.setattr(scripts, "_source", small)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


# -- what the machine found, or what it cannot see


class Desk:
    """One job of one utterance that has been released to the voice, and what may be done with it."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self.ledger = Ledger(self.redis)  # releases nothing by itself
        self.releasing = Ledger(self.redis, partial(publish_many, self.redis))

    def released_utterance(self, plan: Plan) -> ItemRef:
        new = NewJob(
            id="job_1",
            owner="ann",
            priority=Priority.NORMAL,
            plan=plan,
            document=JobDocument(owner="ann", pipeline="sim"),
            deadline=60.0,
            keep=100.0,
        )
        assert self.ledger.create(new)
        [ref] = self.released(CPU)
        work = UtteranceWork.single(inputs={}, options={}, seed=0, artifact="ann/utterances/0.flac", pause=0.0)
        assert self.ledger.enqueue_utterances(ref, 1, [work], [False])
        assert self.done(ref)
        [utterance] = self.released("voice")
        return utterance

    def released(self, station: str) -> list[ItemRef]:
        self.releasing.release([station])
        queue = queue_name(station)
        messages = self.redis.lrange(queue, 0, -1)[::-1]
        self.redis.delete(queue)
        return [ItemRef.parse(json.loads(base64.b64decode(json.loads(m)["body"]))[0][0]) for m in messages]

    def done(self, ref: ItemRef, station: str = CPU) -> bool:
        return self.ledger.advance([Outcome(ref=ref, station=station)])[0]

    def again(self, ref: ItemRef, station: str) -> bool:
        outcome = Outcome(ref=ref, station=station, error=ArtifactMissing("gone"), again_in=0.0)
        return self.ledger.advance([outcome])[0]


@pytest.fixture
def desk(valkey: str) -> Iterator[Desk]:
    found = Desk(valkey)
    yield found
    found.redis.close()


CONVERTED = PLANS[1]


def test_what_is_to_be_tried_again_and_is_done_meanwhile_does_not_come_back(desk: Desk) -> None:
    """A lease ran out under a worker: the first delivery fails for now, the second comes through."""
    ref = desk.released_utterance(CONVERTED)
    assert desk.again(ref, "voice")
    assert desk.done(ref, "voice")
    assert desk.ledger.upkeep.wake_due() == set()
    assert desk.released("voice") == []
    assert desk.released("tone") == [ItemRef("job_1", ref.generation, 2, 0)]


def test_what_waits_again_and_is_done_meanwhile_is_not_released(desk: Desk) -> None:
    ref = desk.released_utterance(CONVERTED)
    assert desk.again(ref, "voice")
    assert desk.ledger.upkeep.wake_due() == {"voice"}
    assert desk.done(ref, "voice")
    assert desk.released("voice") == []
    assert desk.released("tone") == [ItemRef("job_1", ref.generation, 2, 0)]


def test_two_deliveries_that_fail_for_now_are_one_try(desk: Desk) -> None:
    ref = desk.released_utterance(PLANS[0])
    assert desk.again(ref, "voice")
    assert desk.ledger.upkeep.wake_due() == {"voice"}
    assert not desk.again(ref, "voice")
    assert desk.ledger.upkeep.wake_due() == set()
    assert desk.released("voice") == [ref]
    assert desk.redis.hget("ch:tries:job_1", "0") == b"1"


def test_a_start_that_is_repeated_is_one_start(desk: Desk) -> None:
    """An answer that is lost on its way has the call repeated: the process did not die in between."""
    ref = desk.released_utterance(PLANS[0])
    for _ in range(3):
        assert desk.ledger.start("voice", [ref], alone=True) == [True]
    [work] = desk.ledger.take("voice", [ref])
    assert work and (work.starts, work.starts_alone) == (1, 1)
    assert Ledger(desk.redis).start("voice", [ref], alone=True) == [True]
    [work] = desk.ledger.take("voice", [ref])
    assert work and (work.starts, work.starts_alone) == (2, 2)
    assert desk.done(ref, "voice")
    assert not desk.redis.exists("ch:started:job_1")


def test_assembling_that_sends_utterances_back_is_no_death(desk: Desk) -> None:
    ref = desk.released_utterance(PLANS[0])
    assert desk.done(ref, "voice")
    for _ in range(8):
        [assemble] = desk.released(CPU)
        [work] = desk.ledger.take(CPU, [assemble])
        assert work and work.starts == 0
        assert Ledger(desk.redis).start(CPU, [assemble]) == [True]
        assert desk.ledger.render_again(assemble, [0])
        [ref] = desk.released("voice")
        assert desk.done(ref, "voice")


def test_what_has_run_is_no_suspect_any_more(desk: Desk) -> None:
    """Its process may die while it stores; what died in earlier runs stays counted."""
    ref = desk.released_utterance(PLANS[0])
    assert desk.ledger.start("voice", [ref]) == [True]
    desk.ledger.clear_started([ref])
    [work] = desk.ledger.take("voice", [ref])
    assert work and work.starts == 0
    assert not desk.redis.exists("ch:started:job_1")
    assert Ledger(desk.redis).start("voice", [ref], alone=True) == [True]
    assert desk.ledger.start("voice", [ref], alone=True) == [True]
    for _ in range(2):
        desk.ledger.clear_started([ref])
        [work] = desk.ledger.take("voice", [ref])
        assert work and (work.starts, work.starts_alone) == (1, 1)
    assert desk.done(ref, "voice")
    desk.ledger.clear_started([ref])
    assert not desk.redis.exists("ch:started:job_1")
