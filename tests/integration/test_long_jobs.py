"""A job of 100,000 utterances and a batch of 10,000 jobs: no script of the ledger holds Redis for long.

Times are Valkey's own (SLOWLOG). Since others use the machine, what seems too long is measured again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial

import pytest

from broker.publish import publish_many
from core.errors import ModelFailed
from core.names import JobState, Priority, Role
from core.redis import connect
from core.work import CPU, ItemRef, Plan, PlanStep, UtteranceWork
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import PORTION, Ledger
from storage.ledger.records import NewJob, Outcome
from tests.waiting import wait_for

UTTERANCES = 100_000
JOBS = 10_000

#: Seconds that one script may take, and how often that is tried.
LONGEST, TRIES = 0.05, 3

SPEAK = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="voice", each=True),
        PlanStep(role=Role.ASSEMBLE),
    )
)


class Watched:
    """A ledger on a Valkey that notes how long each command takes."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url, timeout=30.0)
        self.redis.config_set("slowlog-max-len", 100_000)
        self.redis.config_set("slowlog-log-slower-than", 500)  # microseconds
        self.ledger = Ledger(self.redis)  # releases nothing by itself
        self.releasing = Ledger(self.redis, partial(publish_many, self.redis))
        self.longest: dict[str, float] = {}

    def close(self) -> None:
        self.redis.config_set("slowlog-log-slower-than", 10_000)
        self.redis.close()

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Notes the longest command within, in seconds; where there are many, the few that others held up are left
        out."""
        self.redis.slowlog_reset()
        yield
        entries = self.redis.slowlog_get(100_000)
        # What a script calls is noted by itself as well, and counts only where there was no script.
        scripts = [entry for entry in entries if entry["command"].startswith(b"EVAL")] or entries  # type: ignore[union-attr]
        found = sorted(entry["duration"] / 1e6 for entry in scripts)  # type: ignore[union-attr]
        self.longest[what] = found[math.ceil(0.95 * len(found)) - 1] if found else 0.0

    def create(self, name: str) -> ItemRef:
        new = NewJob(
            id=name,
            owner="ann",
            priority=Priority.NORMAL,
            plan=SPEAK,
            document=JobDocument(owner="ann", pipeline="sim"),
            deadline=600.0,
            keep=1000.0,
        )
        assert self.ledger.create(new)
        return ItemRef(name, self.generation(name), 0)

    def generation(self, name: str) -> int:
        return int(self.redis.hget(f"ch:job:{name}", "gen"))  # type: ignore[arg-type]

    def lay(self, ref: ItemRef, done: int, count: int = UTTERANCES) -> None:
        """The first utterances are rendered, the rest waits."""
        assert self.ledger.enqueue_utterances(ref, 1, works(count), [n < done for n in range(count)])
        self.redis.copy(f"ch:utt:{ref.job}", "laid", replace=True)

    def lay_again(self, ref: ItemRef, states: str) -> None:
        """As many as before, which stand as the letters say; quicker."""
        self.redis.copy("laid", f"ch:utt:{ref.job}")
        self.redis.set(f"ch:at:{ref.job}", states)

    def end(self, ref: ItemRef, station: str, **changes: object) -> None:
        outcome = Outcome(ref=ref, station=station, **changes)  # type: ignore[arg-type]
        assert self.ledger.advance([outcome]) == [True]

    def state(self, name: str) -> JobState:
        job = self.ledger.get(name)
        assert job
        return job.state

    def tidy(self) -> None:
        while self.ledger.upkeep.tidy():
            pass


@lru_cache
def works(count: int) -> Sequence[UtteranceWork]:
    return [
        UtteranceWork.single(
            inputs={"tokens": [n]}, options={}, seed=n, artifact=f"ann/utterances/{n:064}.flac", pause=0.1
        )
        for n in range(count)
    ]


@pytest.fixture
def watched(valkey: str) -> Iterator[Watched]:
    found = Watched(valkey)
    yield found
    found.close()


def test_no_script_of_a_long_job_holds_redis(watched: Watched) -> None:
    at_best: dict[str, float] = {}
    for _ in range(TRIES):
        watched.redis.flushall()
        _canceled_retried_deleted(watched)
        _rendered_lost_and_overdue(watched)
        _failed_and_expired(watched)
        for what, seconds in watched.longest.items():
            at_best[what] = min(seconds, at_best.get(what, seconds))
        print({what: round(1000 * seconds, 1) for what, seconds in at_best.items()})
        if max(at_best.values()) < LONGEST:
            return
    assert not {what: seconds for what, seconds in at_best.items() if seconds >= LONGEST}


def _canceled_retried_deleted(watched: Watched) -> None:
    with watched.timed("create"):
        ref = watched.create("job_c")
    with watched.timed("lay"):
        watched.lay(ref, UTTERANCES // 2)
    with watched.timed("begin"):
        watched.end(ref, CPU)
    with watched.timed("release"):
        watched.releasing.release(["voice"])
    with watched.timed("cancel"):
        assert watched.ledger.cancel("job_c")
    assert watched.ledger.get("job_c")
    with watched.timed("tidy"):
        watched.tidy()
    with watched.timed("retry"):
        assert watched.ledger.retry("job_c")
    watched.lay_again(ItemRef("job_c", watched.generation("job_c"), 0), "Z" * UTTERANCES)
    with watched.timed("delete"):
        assert watched.ledger.delete_now("job_c")


def _rendered_lost_and_overdue(watched: Watched) -> None:
    ref = watched.create("job_o")
    watched.lay_again(ref, "Z" * (UTTERANCES - 1) + "b")
    watched.end(ref, CPU)
    with watched.timed("last utterance"):
        watched.end(ItemRef("job_o", ref.generation, 1, UTTERANCES - 1), "voice")
    with watched.timed("read"):
        found, states = watched.ledger.utterances("job_o")
    assert len(found) == UTTERANCES and set(states) == {"Z"}
    assemble = ItemRef("job_o", ref.generation, 2)
    with watched.timed("render one again"):
        assert watched.ledger.render_again(assemble, [0])
    watched.end(ItemRef("job_o", ref.generation, 1, 0), "voice")
    with watched.timed("render all again"):
        assert watched.ledger.render_again(assemble, range(UTTERANCES))
    watched.redis.zadd("ch:deadlines", {"job_o": 1.0})
    with watched.timed("deadline"):
        assert watched.ledger.upkeep.end_overdue() == 1
    assert watched.state("job_o") is JobState.FAILED


def _failed_and_expired(watched: Watched) -> None:
    ref = watched.create("job_f")
    watched.lay_again(ref, "Z" * 10 + "X" * (UTTERANCES - 11) + "b")
    error = json.dumps(ModelFailed("no").to_dict())
    for first in range(10, UTTERANCES, 10_000):
        watched.redis.hset("ch:err:job_f", mapping={str(n): error for n in range(first, first + 10_000)})
    watched.end(ref, CPU)
    with watched.timed("failing"):
        watched.end(ItemRef("job_f", ref.generation, 1, UTTERANCES - 1), "voice", error=ModelFailed("no"))
    assert watched.redis.hget("ch:job:job_f", "state") == b"failed"
    watched.redis.zadd("ch:expires", {"ann/job_f": 1.0})
    with watched.timed("expire"):
        assert watched.ledger.upkeep.delete_expired("ann", "job_f")


def test_jobs_of_a_batch_that_were_canceled_do_not_hold_up_a_release(watched: Watched) -> None:
    """They are in the ring of their owner until their turn comes."""
    for _ in range(TRIES):
        watched.redis.flushall()
        watched.create("job_0")
        assert watched.ledger.cancel("job_0")
        watched.redis.rpush("ch:ring:cpu:normal:ann", *["job_0"] * JOBS)  # as if each had been another
        watched.create("job_last")
        with watched.timed("release"):
            assert watched.releasing.release([CPU]) == 1
        print(watched.longest)
        if max(watched.longest.values()) < LONGEST:
            return
    assert watched.longest["release"] < LONGEST


def test_the_reaper_finishes_what_a_dead_caller_left(watched: Watched) -> None:
    """What was rendered of a long job that was canceled is kept as long as the job, and nothing else is left."""
    count = 3 * PORTION + 7
    ref = watched.create("job_1")
    watched.lay(ref, count - 10, count=count)
    watched.end(ref, CPU)
    assert watched.ledger.cancel("job_1")
    assert not watched.redis.exists("ch:utt:job_1", "ch:at:job_1", "ch:wait:voice:job_1")
    assert watched.ledger.upkeep.tidy() == 1  # and here the caller dies
    rounds = 1
    while watched.ledger.upkeep.tidy():
        rounds += 1
    assert rounds == 3
    expires = float(watched.redis.hget("ch:job:job_1", "expires"))  # type: ignore[arg-type]
    kept = watched.redis.zrange("ch:artifacts:ann", 0, -1, withscores=True)
    assert len(kept) == count - 10 and {score for _, score in kept} == {expires}  # type: ignore[arg-type,union-attr]
    left = {key.decode().split(":")[1] for key in watched.redis.keys("ch:*")}  # type: ignore[union-attr]
    assert not left & {"past", "pastat", "pasts", "utt", "at"}


def test_every_utterance_of_a_long_job_waits_once(watched: Watched) -> None:
    count = 2 * PORTION + 3
    ref = watched.create("job_1")
    watched.lay(ref, 5, count=count)
    watched.end(ref, CPU)
    seen: list[int] = []

    def worked() -> bool:
        watched.releasing.release(["voice", CPU])
        for station in ("voice", CPU):
            refs = [ItemRef.parse(m.decode()) for m in watched.redis.zrange(f"ch:out:{station}", 0, -1)]  # type: ignore[union-attr]
            seen.extend(r.index for r in refs if r.index >= 0)
            watched.ledger.advance([Outcome(ref=r, station=station) for r in refs])
        return watched.state("job_1") is JobState.SUCCEEDED

    wait_for(worked, 30, "the job to succeed", every=0.001)
    assert sorted(seen) == list(range(5, count))
    assert watched.state("job_1") is JobState.SUCCEEDED
    assert not watched.redis.hexists("ch:job:job_1", "enqueued")
