"""The ledger on a real Valkey: what is recorded, what is fenced, and how items are released in turns."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from functools import partial

import pytest
import redis

from broker.app import queue_name
from broker.publish import publish_many
from core.errors import ArtifactMissing, ChorusError, LedgerUnavailable, ModelFailed, Overloaded
from core.names import JobState, Priority, Role, StepState
from core.redis import connect
from core.work import CPU, ItemRef, Plan, PlanStep, StageWork, UtteranceWork
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import TRIES, Ledger
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import NewJob, Outcome
from storage.ledger.registry import WorkerRecord, announce, live_stations, live_workers, withdraw
from storage.metrics import read_counters
from tests.present import generation, item

SPEAK = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="voice", each=True),
        PlanStep(role=Role.ASSEMBLE),
    )
)
CONVERT = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="voice", each=True),
        PlanStep(role=Role.CONVERT, model="tone", each=True),
        PlanStep(role=Role.ASSEMBLE),
    )
)

CONVERT_SHARED = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="voice", each=True),
        PlanStep(role=Role.CONVERT, model="tone", each=True, inputs=("embedding",)),
        PlanStep(role=Role.ASSEMBLE),
    )
)


class Bench:
    """A ledger, one that releases, and a stand-in for a worker that reads the queues itself."""

    def __init__(self, url: str) -> None:
        self.client = connect(url)
        self.ledger = Ledger(self.client)  # releases nothing by itself
        self.releasing = Ledger(self.client, partial(publish_many, self.client))

    def create(self, name: str = "job_1", plan: Plan = SPEAK, **changes: object) -> ItemRef:
        fields: dict[str, object] = {
            "id": name,
            "owner": "ann",
            "priority": Priority.NORMAL,
            "plan": plan,
            "document": JobDocument(owner="ann", pipeline="p"),
            "text": "[]",
            "deadline": 60.0,
            "keep": 100.0,
        }
        assert self.ledger.create(NewJob(**{**fields, **changes}))  # type: ignore[arg-type]
        return item(self.ledger, name)

    def released(self, station: str) -> list[ItemRef]:
        """Releases and takes off the queue, in the order in which a worker would get them."""
        self.releasing.release([station])
        queue = queue_name(station)
        messages = self.client.lrange(queue, 0, -1)[::-1]  # type: ignore[index]
        self.client.delete(queue)
        bodies = [json.loads(base64.b64decode(json.loads(m)["body"])) for m in messages]
        return [ItemRef.parse(body[0][0]) for body in bodies]

    def open(self, name: str, count: int, plan: Plan = SPEAK, **changes: object) -> None:
        """A job whose utterances wait for the voice."""
        ref = self.create(name, plan, **changes)
        self.released(CPU)
        works = [
            UtteranceWork.single(
                inputs={"tokens": [n]}, options={}, seed=n, artifact=f"ann/utterances/{n}.flac", pause=0.1
            )
            for n in range(count)
        ]
        assert self.ledger.enqueue_utterances(ref, 1, works, [False] * count)
        self.done(ref, CPU)

    def done(self, ref: ItemRef, station: str, **changes: object) -> bool:
        return self.ledger.advance([Outcome(ref=ref, station=station, **changes)])[0]  # type: ignore[arg-type]

    def drain(self, station: str, **changes: object) -> list[ItemRef]:
        """Ends every item of a station as it is released."""
        seen: list[ItemRef] = []
        while refs := self.released(station):
            seen += refs
            for ref in refs:
                assert self.done(ref, station, **changes)
        return seen


@pytest.fixture
def bench(valkey: str) -> Iterator[Bench]:
    found = Bench(valkey)
    yield found
    found.client.close()


def test_a_job_goes_from_queued_to_succeeded(bench: Bench) -> None:
    bench.open("job_1", 5)
    job = bench.ledger.get("job_1")
    assert job and job.total == 5
    assert sorted(r.index for r in bench.drain("voice")) == [0, 1, 2, 3, 4]
    [ref] = bench.released(CPU)
    assert ref == item(bench.ledger, "job_1", 2)
    assert bench.done(ref, CPU, result={"audio": 1})
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.SUCCEEDED
    assert job.result == {"audio": 1}
    assert [s.state for s in job.steps] == [StepState.DONE] * 3
    assert job.expires == pytest.approx(time.time() + 100, abs=5)


def test_each_end_of_a_job_is_counted_once(bench: Bench) -> None:
    bench.open("job_1", 1)
    bench.drain("voice")
    [end] = bench.released(CPU)
    assert bench.done(end, CPU, result={})
    assert not bench.done(end, CPU, result={})
    bench.create("job_2")
    assert bench.ledger.cancel("job_2") and not bench.ledger.cancel("job_2")
    assert bench.ledger.retry("job_2")
    assert bench.ledger.delete_now("job_2")  # it was queued again: it ends as canceled
    failed = bench.create("job_3")
    bench.done(failed, CPU, error=ModelFailed("It failed."))
    bench.create("ba_1", items=0)
    bench.ledger.cancel("ba_1")  # a batch is no job
    ended = read_counters(bench.client)["chorus_jobs_ended_total"]
    assert ended == {("succeeded",): 1.0, ("canceled",): 2.0, ("failed",): 1.0}


def test_nothing_but_the_record_is_left_of_a_job_that_ended(bench: Bench) -> None:
    bench.open("job_1", 3)
    bench.drain("voice")
    bench.drain(CPU, result={})
    left = {key.decode() for key in bench.client.keys("*")}  # type: ignore[union-attr]
    record = {"ch:doc:job_1", "ch:end:job_1", "ch:expires", "ch:job:job_1", "ch:jobs:ann", "ch:everyone"}
    left -= {key for key in left if key.startswith(("wake:", "ch:usage:"))}  # the transport's, and the use of the day
    assert left - {"ch:load", "ch:generation", "ch:metrics"} == record | {"ch:artifacts:ann"}
    assert bench.client.zcard("ch:artifacts:ann") == 3
    assert bench.client.hgetall("ch:load") in ({}, {b"*": b"0"})
    assert 0 < bench.client.ttl("ch:job:job_1") <= 101  # type: ignore[operator]


def test_an_id_is_written_down_once(bench: Bench) -> None:
    bench.create()
    with pytest.raises(AssertionError):
        bench.create()


def test_recording_an_item_twice_changes_nothing(bench: Bench) -> None:
    bench.open("job_1", 2)
    [ref] = bench.released("voice")
    assert bench.done(ref, "voice")
    assert not bench.done(ref, "voice")
    job = bench.ledger.get("job_1")
    assert job and job.done == 1


def test_another_generation_is_fenced(bench: Bench) -> None:
    bench.open("job_1", 1)
    number = generation(bench.ledger, "job_1")
    assert number > 2**49  # too long for the 14 digits that Lua writes of a number by itself
    for stale in (ItemRef("job_1", number + 1, 1, 0), ItemRef("job_1", number - 1, 1, 0)):
        _is_fenced(bench, stale)
    assert bench.ledger.take("voice", [ItemRef("job_1", number, 1, 0)])[0] is not None


def _is_fenced(bench: Bench, stale: ItemRef) -> None:
    assert bench.ledger.take("voice", [stale]) == [None]
    assert bench.ledger.start("voice", [stale]) == [False]
    assert not bench.done(stale, "voice")


def test_utterances_go_through_every_step_of_theirs(bench: Bench) -> None:
    bench.open("job_1", 3, CONVERT)
    assert len(bench.drain("voice")) == 3
    assert sorted((r.step, r.index) for r in bench.drain("tone")) == [(2, 0), (2, 1), (2, 2)]
    assert [r.step for r in bench.released(CPU)] == [3]


def test_utterances_of_two_stages_keep_both_artifacts_and_are_given_what_they_share(bench: Bench) -> None:
    ref = bench.create(plan=CONVERT_SHARED)
    bench.released(CPU)
    stages = tuple(
        StageWork(inputs={}, options={}, seed=0, artifact=f"ann/utterances/{name}.flac") for name in ("said", "turned")
    )
    bench.ledger.enqueue_utterances(ref, 1, [UtteranceWork(stages=stages, pause=0.0)], [False])
    bench.done(ref, CPU, outputs=StepOutputs(embedding="ann/embeddings/e.safetensors"))
    [ref] = bench.released("voice")
    [work] = bench.ledger.take("voice", [ref])
    assert work and (work.stage, work.inputs) == (0, ())
    bench.done(ref, "voice")
    [ref] = bench.released("tone")
    [work] = bench.ledger.take("tone", [ref])
    assert work and (work.stage, work.inputs) == (1, ("ann/embeddings/e.safetensors",))
    bench.done(ref, "tone")
    assert bench.ledger.existing("ann", [stage.artifact for stage in stages]) == [True, True]


def test_a_stage_whose_source_is_gone_goes_back_to_the_one_before_a_bounded_number_of_times(bench: Bench) -> None:
    bench.open("job_1", 1, CONVERT)
    for _ in range(TRIES):
        [ref] = bench.released("voice")
        assert bench.done(ref, "voice")
        [ref] = bench.released("tone")
        assert bench.done(ref, "tone", error=ArtifactMissing(), back=True)
        assert not bench.done(ref, "tone"), "what comes from there later is not wanted"
        assert bench.released("tone") == []
    [ref] = bench.released("voice")
    bench.done(ref, "voice")
    [ref] = bench.released("tone")
    assert bench.done(ref, "tone", error=ArtifactMissing(), back=True)
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.FAILED and job.errors[0]["code"] == "artifact_missing"


def test_only_an_utterance_that_has_a_stage_before_goes_back(bench: Bench) -> None:
    bench.open("job_1", 1)
    [ref] = bench.released("voice")
    assert bench.done(ref, "voice", error=ArtifactMissing(), back=True)
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.FAILED


def test_what_is_rendered_already_is_not_released(bench: Bench) -> None:
    ref = bench.create()
    bench.released(CPU)
    works = [UtteranceWork.single(inputs={}, options={}, seed=0, artifact="ann/utterances/a.flac", pause=0.0)] * 3
    bench.ledger.enqueue_utterances(ref, 1, works, [True, False, True])
    bench.done(ref, CPU)
    assert [r.index for r in bench.drain("voice")] == [1]
    job = bench.ledger.get("job_1")
    assert job and (job.done, job.total) == (3, 3)


def test_a_job_whose_utterances_are_all_there_goes_on_at_once(bench: Bench) -> None:
    ref = bench.create()
    bench.released(CPU)
    works = [UtteranceWork.single(inputs={}, options={}, seed=0, artifact="ann/utterances/a.flac", pause=0.0)] * 2
    bench.ledger.enqueue_utterances(ref, 1, works, [True, True])
    bench.done(ref, CPU)
    assert bench.released("voice") == []
    assert [r.step for r in bench.released(CPU)] == [2]


def test_one_failed_utterance_fails_the_job_once_the_rest_is_rendered(bench: Bench) -> None:
    bench.open("job_1", 4)
    while refs := bench.released("voice"):
        for ref in refs:
            error = ModelFailed("it broke", step="synthesize") if ref.index in (1, 3) else None
            assert bench.done(ref, "voice", error=error)
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.FAILED
    assert job.error and job.error["code"] == "model_failed" and job.error["step"] == "synthesize"
    assert [e["utterance"] for e in job.errors] == [1, 3]
    assert bench.released(CPU) == []


def test_a_failed_utterance_may_become_silence(bench: Bench) -> None:
    bench.open("job_1", 2, silence=True)
    while refs := bench.released("voice"):
        for ref in refs:
            bench.done(ref, "voice", error=ModelFailed() if ref.index == 0 else None)
    assert [r.step for r in bench.released(CPU)] == [2]
    _, states = bench.ledger.utterances("job_1")
    assert states == "XZ"


def test_a_failed_cpu_step_fails_the_job(bench: Bench) -> None:
    ref = bench.create()
    assert bench.done(ref, CPU, error=ChorusError("no", code="boom", step="prepare"))
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.FAILED and job.error
    assert job.error["code"] == "boom"
    assert job.steps[0].state is StepState.FAILED


def test_outputs_reach_the_steps_behind(bench: Bench) -> None:
    plan = Plan((PlanStep(role=Role.PREPARE), PlanStep(role=Role.VAD, model="vad")))
    ref = bench.create(plan=plan)
    bench.done(ref, CPU, outputs=StepOutputs(samples="ann/x.flac"))
    [ref] = bench.released("vad")
    [work] = bench.ledger.take("vad", [ref])
    assert work and work.outputs == StepOutputs(samples="ann/x.flac")
    assert bench.done(ref, "vad", result={"segments": []})
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.SUCCEEDED


def test_a_job_past_its_deadline_ends(bench: Bench) -> None:
    bench.open("job_1", 3, deadline=0.05)
    bench.open("job_2", 3)
    time.sleep(0.1)
    assert bench.ledger.upkeep.end_overdue() == 1
    job = bench.ledger.get("job_1")
    assert job and job.error and job.error["code"] == "deadline_exceeded" and job.error["step"] == "synthesize"
    assert {r.job for r in bench.drain("voice")} == {"job_2"}


def test_a_share_opens_at_one_and_doubles(bench: Bench) -> None:
    bench.open("job_1", 20)
    sizes = []
    while refs := bench.released("voice"):
        sizes.append(len(refs))
        for ref in refs:
            bench.done(ref, "voice")
    assert sizes == [1, 2, 4, 8, 5]


def test_no_more_is_released_than_live_workers_have_room_for(bench: Bench) -> None:
    for n in range(20):
        bench.open(f"job_{n}", 1)
    worker = WorkerRecord(name="w", pid=1, host="h", capacity={"voice": 6})
    announce(bench.client, worker)
    assert live_stations(bench.client) == {"voice"}
    first = bench.released("voice")
    assert len(first) == 6
    assert bench.released("voice") == []
    bench.done(first[0], "voice")
    assert len(bench.released("voice")) == 1
    withdraw(bench.client, worker)
    assert live_workers(bench.client) == []


def test_owners_and_jobs_take_turns(bench: Bench) -> None:
    for n in range(30):
        bench.open(f"job_a{n}", 1, owner="ann")
    for n in range(3):
        bench.open(f"job_b{n}", 1, owner="bob")
    first = [r.job[4] for r in bench.released("voice")][:6]
    assert first == ["a", "b", "a", "b", "a", "b"]


def test_priorities_are_weighted(bench: Bench) -> None:
    for prio in Priority:
        for n in range(40):
            bench.open(f"job_{prio.value}{n}", 1, priority=prio)
    announce(bench.client, WorkerRecord(name="w", pid=1, host="h", capacity={"voice": 24}))
    names = [r.job for r in bench.released("voice")]
    share = {p: sum(name.startswith(f"job_{p.value}") for name in names) for p in Priority}
    assert share == {Priority.INTERACTIVE: 16, Priority.NORMAL: 6, Priority.BULK: 2}


def test_a_book_is_laid_down_in_portions(bench: Bench) -> None:
    bench.open("job_1", 2300)
    works, states = bench.ledger.utterances("job_1")
    assert [w.stages[0].seed for w in works] == list(range(2300))
    assert states == "b" * 2300
    bare, _ = bench.ledger.utterances("job_1", 2200, inputs=False)
    assert [(w.artifact, w.pause, w.source) for w in bare] == [(w.artifact, w.pause, w.source) for w in works[2200:]]
    assert [dict(w.stages[0].inputs) for w in bare] == [{}] * 100 and any(w.stages[0].inputs for w in works)


def test_redis_away_is_told_as_such() -> None:
    ledger = Ledger(connect("redis://127.0.0.1:1/0"))
    with pytest.raises(LedgerUnavailable) as found:
        ledger.get("job_1")
    assert found.value.retryable and found.value.status == 503


def test_redis_full_is_told_as_such(bench: Bench) -> None:
    bench.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(LedgerUnavailable):
            for n in range(2000):
                bench.create(f"job_{n}", text="x" * 5000)
    finally:
        bench.client.config_set("maxmemory", "0")


def test_the_text_is_kept_compressed(bench: Bench) -> None:
    bench.create(text="many words " * 1000)
    assert bench.ledger.text("job_1") == "many words " * 1000
    assert isinstance(bench.client, redis.Redis)
    assert bench.client.strlen("ch:text:job_1") < 500


def test_a_canceled_job_ends_at_once_and_what_still_arrives_is_not_wanted(bench: Bench) -> None:
    bench.open("job_1", 4)
    [ref] = bench.released("voice")
    assert bench.ledger.cancel("job_1")
    assert not bench.ledger.cancel("job_1")
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.CANCELED
    assert bench.ledger.start("voice", [ref]) == [False]
    assert bench.ledger.take("voice", [ref]) == [None]
    assert not bench.done(ref, "voice")
    assert bench.released("voice") == []
    assert bench.client.zcard("ch:out:voice") == 0


def test_a_retry_renders_only_what_is_missing(bench: Bench) -> None:
    bench.open("job_1", 4)
    before = generation(bench.ledger, "job_1")
    while refs := bench.released("voice"):
        for ref in refs:
            bench.done(ref, "voice", error=ModelFailed() if ref.index == 2 else None)
    assert bench.ledger.retry("job_1")
    assert not bench.ledger.retry("job_1")
    job = bench.ledger.get("job_1")
    assert job and (job.state, job.error, job.errors) == (JobState.QUEUED, None, ())
    assert job.generation > before == job.origin
    [ref] = bench.released(CPU)
    assert ref == item(bench.ledger, "job_1")
    works = [
        UtteranceWork.single(inputs={}, options={}, seed=n, artifact=f"ann/utterances/{n}.flac", pause=0.0)
        for n in range(4)
    ]
    present = bench.ledger.existing("ann", [w.artifact for w in works])
    assert present == [True, True, False, True]
    bench.ledger.enqueue_utterances(ref, 1, works, present)
    bench.done(ref, CPU)
    assert [r.index for r in bench.drain("voice")] == [2]
    bench.drain(CPU, result={"audio": 1})
    job = bench.ledger.get("job_1")
    assert job and job.state is JobState.SUCCEEDED
    assert not bench.ledger.retry("job_1")


def test_what_may_pass_is_tried_again_after_a_while_and_only_so_often(bench: Bench) -> None:
    bench.open("job_1", 1)
    for attempt in range(4):
        [ref] = bench.released("voice")
        bench.done(ref, "voice", error=ArtifactMissing("gone"), again_in=0.02)
        assert bench.released("voice") == []
        time.sleep(0.03)
        assert bench.ledger.upkeep.wake_due() == ({"voice"} if attempt < 3 else set())
    job = bench.ledger.get("job_1")
    assert job and job.error and job.error["code"] == "artifact_missing"


def test_a_whole_job_item_is_tried_again_too(bench: Bench) -> None:
    ref = bench.create()
    bench.released(CPU)
    bench.done(ref, CPU, error=ArtifactMissing("gone"), again_in=0.0)
    assert bench.ledger.upkeep.wake_due() == {CPU}
    assert bench.released(CPU) == [ref]


def test_artifacts_that_are_gone_are_rendered_again(bench: Bench) -> None:
    bench.open("job_1", 3)
    bench.drain("voice")
    [ref] = bench.released(CPU)
    assert bench.ledger.render_again(ref, [1])
    assert not bench.ledger.render_again(ref, [1])
    assert bench.ledger.existing("ann", ["ann/utterances/1.flac", "ann/utterances/2.flac"]) == [False, True]
    assert [r.index for r in bench.drain("voice")] == [1]
    assert bench.released(CPU) == [ref]


def test_unfinished_work_is_bounded_by_owner_and_in_all(valkey: str) -> None:
    bench = Bench(valkey)
    bench.ledger = Ledger(bench.client, bounds=(10, 15))
    bench.create("job_1", load=8)
    with pytest.raises(Overloaded) as found:
        bench.create("job_2", load=3)
    assert found.value.status == 503 and found.value.retry_after
    assert bench.ledger.get("job_2") is None
    bench.create("job_3", load=6, owner="bob")
    with pytest.raises(Overloaded):
        bench.create("job_4", load=2, owner="cid")
    bench.released(CPU)
    bench.done(item(bench.ledger, "job_1"), CPU, error=ModelFailed())
    bench.create("job_5", load=9)
    assert bench.ledger.cancel("job_3") and bench.ledger.cancel("job_5")
    assert bench.client.hgetall("ch:load") == {b"*": b"0"}
    bench.create("job_6", load=1000)  # an owner with nothing else unfinished is never refused for its own
    bench.client.close()


def test_the_load_follows_what_is_rendered(bench: Bench) -> None:
    bench.open("job_1", 5, load=50)
    assert bench.client.hget("ch:load", "ann") == b"5"
    [ref] = bench.released("voice")
    bench.done(ref, "voice")
    assert bench.client.hget("ch:load", "ann") == b"4"


def test_an_item_that_was_started_and_never_recorded_is_a_suspect(bench: Bench) -> None:
    bench.open("job_1", 1)
    [ref] = bench.released("voice")
    [work] = bench.ledger.take("voice", [ref])
    assert work and (work.starts, work.starts_alone) == (0, 0)
    assert bench.ledger.start("voice", [ref]) == [True]
    [work] = bench.ledger.take("voice", [ref])
    assert work and (work.starts, work.starts_alone) == (1, 0)
    for deaths in (1, 2):
        Ledger(bench.client).start("voice", [ref], alone=True)  # another process each time
        [work] = bench.ledger.take("voice", [ref])
        assert work and work.starts_alone == deaths
    assert bench.done(ref, "voice", error=ModelFailed())
    assert bench.client.exists("ch:started:job_1") == 0


def test_nothing_of_a_job_is_left_past_its_retention(bench: Bench) -> None:
    bench.open("job_1", 3, keep=0.05)
    bench.drain("voice")
    bench.drain(CPU, result={})
    bench.open("job_2", 1, owner="bob")
    assert bench.ledger.upkeep.owners() == ["ann", "bob"]
    time.sleep(0.1)
    assert [entry[:2] for entry in bench.ledger.upkeep.expired()] == [("ann", "job_1")]
    assert bench.ledger.upkeep.delete_expired("ann", "job_1")
    assert not bench.ledger.upkeep.delete_expired("ann", "job_1")
    assert sorted(bench.ledger.upkeep.collect_unused("ann")) == [f"ann/utterances/{n}.flac" for n in range(3)]
    assert bench.ledger.upkeep.collect_unused("ann") == bench.ledger.upkeep.expired() == []
    left = {key.decode() for key in bench.client.keys("ch:*")}  # type: ignore[union-attr]
    assert not [key for key in left if "job_1" in key or key.endswith(":ann")]
    assert bench.ledger.get("job_2")
