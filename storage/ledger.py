"""The ledger: the jobs' records in Redis, the only truth about their state.

Every change is one Lua script (``lua/*.lua``, one file each) that first looks at the job's generation:
what comes from an earlier generation, or for a job that has ended, changes nothing. ``core/lua/prelude.lua``
names the keys.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import redis

from core.errors import ArtifactsLost, ChorusError, Conflict, DeadlineExceeded, Overloaded
from core.names import JobState, Priority, StepState
from core.redis import Scripts, redis_errors
from core.work import WHOLE_JOB, ItemRef, Plan, UtteranceWork

#: Bounds on unfinished work that nothing meets.
UNBOUNDED = (1 << 53, 1 << 53)

#: How often an item that failed in a way that may pass is tried again.
TRIES = 3

#: How often utterances of one generation are sent back to be rendered again.
RENDERINGS = 8

#: What the script `create` answers where a job's batch has ended.
_BATCH_OVER = -3

#: Utterances in one call, so that a book never holds Redis for long.
PORTION = 500


@dataclass(frozen=True, slots=True)
class Hook:
    """Who alone is told of a job: an endpoint's id; or a URL of its own, a name for it and the event types."""

    asked: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as the API hands it over."""

    id: str
    owner: str
    priority: Priority
    plan: Plan
    document: Mapping[str, Any]  #: JSON: pipeline, request without its text, metadata
    text: str | None = None  #: kept beside the document until the job has succeeded
    deadline: float  #: seconds from now
    keep: float  #: seconds that the results are kept once it has ended
    silence: bool = False  #: a failed utterance becomes silence instead of failing the job
    load: int = 1  #: utterances it may come to, as far as its text tells
    listed: bool = True  #: whether it shows up among its owner's jobs (or batches)
    hook: Hook | None = None  #: None: every endpoint of its owner's that asks for it
    batch: ItemRef | None = None  #: the batch whose job it is, and the generation that makes it
    items: int | None = None  #: of a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What is known of one step of a job; times are Unix seconds."""

    name: str
    model: str | None
    state: StepState
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the ledger knows it at one moment; times are Unix seconds."""

    id: str
    owner: str
    state: JobState
    generation: int  #: the present one; unique in time, and higher with every retry
    priority: Priority
    created: float
    started: float | None
    ended: float | None
    deadline: float
    expires: float | None
    plan: Plan
    document: Mapping[str, Any]
    steps: tuple[StepRecord, ...]
    step: int
    done: int  #: utterances rendered
    total: int  #: utterances in all, 0 while unknown
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()  #: what was left out of its text
    keep: float = 0.0  #: seconds that its results are kept once it has ended
    batch: str | None = None  #: the batch whose job it is
    load: int = 0  #: unfinished utterances that it counts for
    hook_url: str | None = None  #: the URL of its own that is told of it
    log: str = ""  #: its state changes in order, a word each: see `storage.events`
    origin: int = 0  #: its first generation: where this is another one, it is another job of the same id


@dataclass(frozen=True, slots=True)
class Work:
    """What an item needs: an ``utterance``, or the whole job's ``document`` and ``gifts``."""

    utterance: UtteranceWork | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan = field(default_factory=lambda: Plan(()))
    gifts: Mapping[str, bytes] = field(default_factory=dict)
    starts: int = 0  #: runs that began and were never recorded
    starts_alone: int = 0  #: those in which the item was alone
    last_start: float = 0.0  #: when the last of them began, Unix seconds; 0 where there was none


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one item ended: with ``error``, or with what it ``gives`` (job items) or results in (last step)."""

    ref: ItemRef
    station: str
    error: ChorusError | None = None
    gifts: Mapping[str, bytes | str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    plan: Plan | None = None  #: where this step decided how the ones behind it are done
    again_in: float | None = None  #: seconds after which an item that failed is tried again; without ``error``,
    # the next run of a suspect, which keeps its marks, or of what has no turn yet

    @property
    def _kind(self) -> str:
        if self.again_in is None:
            return "failed" if self.error else "done"
        return "again" if self.error else "later"

    def packed(self) -> list[Any]:
        flat = [part for pair in self.gifts.items() for part in pair]
        document = self.error.to_dict() if self.error else self.result
        return [
            *(self.ref.job, self.ref.generation, self.ref.step, self.ref.index, self.station),
            self._kind,
            json.dumps(document) if document is not None else None,
            flat,
            None if self.plan is None else str(self.plan),
            self.again_in,
        ]


@dataclass(frozen=True, slots=True)
class Advanced:
    """What `Ledger.advance` did: which items were still wanted, and the stations that may release more."""

    recorded: tuple[bool, ...]
    stations: frozenset[str]


def derived_job_id(*parts: str) -> str:
    """The id that always follows from ``parts``: an owner and its own id, or a batch and a place in it."""
    return f"job_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"


class Ledger:
    """The jobs' records. Every method raises `LedgerUnavailable` where Redis cannot be reached."""

    def __init__(self, client: redis.Redis, bounds: tuple[int, int] = UNBOUNDED) -> None:
        self.client = client
        self._bounds = bounds  #: unfinished utterances per owner and in all, past which `create` refuses
        self._name = secrets.token_hex(6)  #: of this process, for the marks of `start`
        self._scripts = Scripts(client, Path(__file__).parent / "lua")

    def create(self, job: NewJob) -> bool:
        """Writes a job down and lets its first step wait; False where its id exists already.

        Raises `Overloaded` where its owner, or all owners together, have too much unfinished work, and `Conflict`
        (``batch_over``) where its batch has ended."""
        written = self._scripts.run(
            "create",
            job=job.id,
            owner=job.owner,
            prio=job.priority.value,
            plan=str(job.plan),
            doc=json.dumps(job.document, ensure_ascii=False, separators=(",", ":")),
            text=None if job.text is None else zlib.compress(job.text.encode()),
            now=time.time(),
            deadline=job.deadline,
            keep=job.keep,
            silence=job.silence,
            load=job.load,
            listed=job.listed,
            hook=job.hook.asked if job.hook else None,
            hook_url=job.hook.url if job.hook else None,
            batch=job.batch.job if job.batch else None,
            batch_gen=job.batch.generation if job.batch else None,
            items=job.items,
            objects=" ".join(_objects(job.document)) or None,
            owner_bound=self._bounds[0],
            bound=self._bounds[1],
        )
        if written == _BATCH_OVER:
            raise Conflict("The batch is not wanted any more.", code="batch_over")
        if written < 0:
            whose = "You have" if written == -1 else "There is"
            raise Overloaded(f"{whose} too much unfinished work; try again later.", retry_after=10)
        return bool(written)

    def get(self, job: str) -> Job | None:
        """The job's record, or None where there is none (any more)."""
        return self.get_many([job])[0]

    def get_many(self, jobs: Sequence[str]) -> list[Job | None]:
        """The records of ``jobs`` in one round trip."""
        pipe = self.client.pipeline(transaction=False)
        for job in jobs:
            pipe.hgetall(f"ch:job:{job}")
            pipe.mget(f"ch:doc:{job}", f"ch:end:{job}")
            pipe.hgetall(f"ch:err:{job}")
        with redis_errors():
            answers = pipe.execute()
        return [
            _read(job, *answers[3 * n : 3 * n + 3]) if answers[3 * n] and answers[3 * n + 1][0] else None
            for n, job in enumerate(jobs)
        ]

    def text(self, job: str) -> str | None:
        """The job's text, None once it has succeeded or where it lies in storage."""
        with redis_errors():
            packed = self.client.get(f"ch:text:{job}")
        return None if packed is None else zlib.decompress(packed).decode()  # type: ignore[arg-type]

    def take(self, station: str, refs: Sequence[ItemRef]) -> list[Work | None]:
        """What each item needs; None for those that nobody wants any more. A first item starts its job."""
        answers = self._scripts.run("take", station=station, items=_tuples(refs), now=time.time())
        return [_work(ref, answer) for ref, answer in zip(refs, answers, strict=True)]

    def start(self, station: str, refs: Sequence[ItemRef], *, alone: bool = False) -> list[bool]:
        """Marks items as started just before they run; False for those that nobody wants any more.

        ``alone``: the one item runs by itself, since it is under suspicion."""
        answers = self._scripts.run(
            "start", station=station, items=_tuples(refs), alone=alone, by=self._name, now=time.time()
        )
        return [bool(a) for a in answers]

    def ran(self, refs: Sequence[ItemRef]) -> None:
        """Takes back this process's mark of `start`: should it die from now on, it was not of these items."""
        self._scripts.run("ran", items=_tuples(refs), by=self._name)

    def lay_utterances(
        self,
        job: ItemRef,
        step: int,
        works: Sequence[UtteranceWork],
        done: Sequence[bool],
        *,
        errors: Mapping[int, ChorusError] = MappingProxyType({}),
        warnings: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        """Lays down the utterances that wait for ``step`` once ``job``'s present step is done.

        ``done[i]``: the artifact of utterance i is there already; ``errors[i]``: it has failed before it could run;
        ``warnings``: what the job's answer tells of its text. False where the job has moved on.
        """
        for first in range(0, len(works), PORTION):
            packed = [work.pack() for work in works[first : first + PORTION]]
            if not self._scripts.run(
                "utterances",
                job=job.job,
                gen=job.generation,
                step=step,
                first=first,
                works=packed,
                done=list(done[first : first + PORTION]),
                errors=[_packed_error(errors.get(first + n)) for n in range(len(packed))],
                warnings=json.dumps(list(warnings)) if warnings else "",
            ):
                return False
        return True

    def utterances(self, job: str) -> tuple[list[UtteranceWork], str]:
        """Every utterance's work in order, and one letter each: ``Z`` rendered, ``X`` failed.

        Nothing where the job ends meanwhile."""
        with redis_errors():
            states: bytes = self.client.get(f"ch:at:{job}") or b""  # type: ignore[assignment]
            works: list[bytes | None] = []
            for first in range(0, len(states), PORTION):
                portion = [str(index) for index in range(first, min(first + PORTION, len(states)))]
                works += self.client.hmget(f"ch:utt:{job}", portion)  # type: ignore[arg-type]
        found = [UtteranceWork.unpack(work) for work in works if work is not None]
        return (found, states.decode()) if len(found) == len(states) else ([], "")

    def advance(self, outcomes: Sequence[Outcome]) -> Advanced:
        """Records how items ended and lets what follows wait at its station.

        Safe to repeat: recording an item and letting its successor wait is one script.
        """
        if not outcomes:
            return Advanced((), frozenset())
        items = [outcome.packed() for outcome in outcomes]
        recorded, stations = self._scripts.run("advance", items=items, now=time.time(), tries=TRIES)
        names = {s.decode() for s in stations} | {outcome.station for outcome in outcomes}
        return Advanced(tuple(map(bool, recorded)), frozenset(names))

    def cancel(self, job: str) -> bool:
        """Ends a job at once; False where it has ended already."""
        return self.cancel_many([job])[0]

    def cancel_many(self, jobs: Iterable[str]) -> list[bool]:
        """Ends jobs at once, each by itself, in one round trip."""
        now = time.time()
        return [bool(a) for a in self._scripts.run_many("cancel", [{"job": job, "now": now} for job in jobs])]

    def forget(self, job: str) -> bool:
        """Takes a job out of the ledger at once, whatever its state; False where there is none."""
        return self.forget_many([job])[0]

    def forget_many(self, jobs: Iterable[str]) -> list[bool]:
        """Forgets jobs, each by itself, in one round trip."""
        now = time.time()
        return [bool(a) for a in self._scripts.run_many("forget", [{"job": job, "now": now} for job in jobs])]

    def retry(self, job: str, load: int = 1) -> bool:
        """Begins a new generation of a job that failed or was canceled; False where its state forbids it."""
        return self.retry_many({job: load})[0]

    def retry_many(self, loads: Mapping[str, int]) -> list[bool]:
        """Retries jobs, each by itself, in one round trip; ``loads``: utterances that each may come to."""
        now = time.time()
        calls = [{"job": job, "now": now, "load": load} for job, load in loads.items()]
        return [bool(a) for a in self._scripts.run_many("retry", calls)]

    def render_again(self, ref: ItemRef, indices: Sequence[int]) -> bool:
        """Sends utterances whose artifacts are gone back to their first step; False where nobody wants it.

        Raises `ArtifactsLost` where that was done `RENDERINGS` times before: what is written
        does not last."""
        answer = 1
        for first in range(0, max(1, len(indices)), PORTION):
            if answer > 0:
                answer = self._scripts.run(
                    "rerender",
                    job=ref.job,
                    gen=ref.generation,
                    step=ref.step,
                    indices=list(indices[first : first + PORTION]),
                    now=time.time(),
                    tries=RENDERINGS,
                    more=first + PORTION < len(indices),
                )
        if answer < 0:
            shown = ", ".join(map(str, indices[:5]))
            raise ArtifactsLost(f"Storage lost the audio of utterances again and again: {shown}.")
        return bool(answer)

    def present(self, owner: str, artifacts: Sequence[str]) -> list[bool]:
        """Which of the owner's artifacts (object names) are there, as far as the ledger knows."""
        if not artifacts:
            return []
        digests = [name.rpartition("/")[2].partition(".")[0] for name in artifacts]
        with redis_errors():
            scores = self.client.zmscore(f"ch:artifacts:{owner}", digests)
        now = time.time()
        return [score is not None and float(score) > now for score in scores]

    def due(self, limit: int = 500) -> set[str]:
        """Lets items whose delay is over wait again; the stations that got something to do."""
        return {s.decode() for s in self._scripts.run("due", now=time.time(), limit=limit)}

    def expired(self, limit: int = 100) -> list[tuple[str, str, float]]:
        """Owner and id of jobs past their retention, and when that ended (Unix seconds)."""
        with redis_errors():
            entries = self.client.zrangebyscore("ch:expires", "-inf", time.time(), start=0, num=limit, withscores=True)
        found = ((entry.decode().partition("/"), float(at)) for entry, at in entries)  # type: ignore[union-attr,str-unpack]
        return [(owner, job, at) for (owner, _, job), at in found]

    def purge(self, owner: str, job: str) -> bool:
        """Takes what is left of a job past its retention out of the ledger; False where it is kept after all."""
        return bool(self._scripts.run("purge", owner=owner, job=job, now=time.time()))

    def owners(self) -> list[str]:
        """Whoever had a job."""
        with redis_errors():
            return sorted(owner.decode() for owner in self.client.smembers("ch:everyone"))  # type: ignore[union-attr]

    def outdated(self, owner: str, limit: int = 500) -> list[str]:
        """Forgets artifacts and recordings that none of the owner's jobs needs any more; their object names."""
        names = [n.decode() for n in self._scripts.run("outdated", owner=owner, now=time.time(), limit=limit)]
        return [f"{owner}/{name}" if "/" in name else f"{owner}/utterances/{name}.flac" for name in names]

    def tidy(self) -> int:
        """Goes through a portion of what long jobs that have ended left behind; how many of them are left."""
        return int(self._scripts.run("tidy"))

    def end_overdue(self, limit: int = 100) -> int:
        """Ends jobs past their deadline as failed; how many were looked at."""
        error = json.dumps(DeadlineExceeded().to_dict())
        return int(self._scripts.run("overdue", now=time.time(), limit=limit, error=error))


def _packed_error(error: ChorusError | None) -> str:
    """Empty where there is none."""
    return json.dumps(error.to_dict()) if error else ""


def _objects(document: Mapping[str, Any]) -> list[str]:
    """The objects that a job brought: recordings and embeddings."""
    parts = [document[name] for name in ("reference", "recording", "embedding") if name in document]
    return [str(part["object"]) for part in parts if "object" in part]


def _tuples(refs: Sequence[ItemRef]) -> list[tuple[str, int, int, int]]:
    return [(ref.job, ref.generation, ref.step, ref.index) for ref in refs]


def _work(ref: ItemRef, answer: Any) -> Work | None:
    if not answer:
        return None
    marks, at, *rest = answer
    alone, together = divmod(int(marks), 1000)
    starts, last = alone + together, float(at)
    if ref.index != WHOLE_JOB:
        utterance = UtteranceWork.unpack(rest[0])
        return Work(utterance=utterance, starts=starts, starts_alone=alone, last_start=last)
    document, plan, *flat = rest
    return Work(
        document=json.loads(document),
        plan=Plan.parse(plan.decode()),
        gifts={flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)},
        starts=starts,
        starts_alone=alone,
        last_start=last,
    )


def _read(job: str, record: dict[bytes, bytes], documents: list[bytes | None], errors: dict[bytes, bytes]) -> Job:
    fields = {name.decode(): value.decode() for name, value in record.items()}
    document = json.loads(documents[0] or b"{}")
    plan = Plan.parse(fields["plan"])
    state = JobState(fields["state"])
    end = json.loads(documents[1]) if documents[1] else None

    def number(name: str) -> float | None:
        return float(fields[name]) if name in fields else None

    steps = tuple(
        StepRecord(
            name=step.role.value,
            model=step.model,
            state=StepState(fields.get(f"s{n}", "waiting")),
            started=number(f"t{n}a"),
            ended=number(f"t{n}b"),
        )
        for n, step in enumerate(plan.steps)
    )
    return Job(
        id=job,
        owner=fields["owner"],
        state=state,
        generation=int(fields["gen"]),
        priority=Priority(fields["prio"]),
        created=float(fields["created"]),
        started=number("started"),
        ended=number("ended"),
        deadline=float(fields["deadline"]),
        expires=number("expires"),
        plan=plan,
        document=document,
        steps=steps,
        step=int(fields["step"]),
        done=int(fields.get("done", 0)),
        total=int(fields.get("total", 0)),
        result=end if state is JobState.SUCCEEDED else None,
        error=end if state is JobState.FAILED else None,
        errors=tuple(
            {"utterance": int(index), **json.loads(error)}
            for index, error in sorted(errors.items(), key=lambda pair: int(pair[0]))
        ),
        warnings=tuple(json.loads(fields.get("warnings") or "[]")),
        keep=float(fields["keep"]),
        batch=fields.get("batch"),
        load=int(fields.get("load", 0)),
        hook_url=fields.get("hook_url"),
        log=fields.get("log", ""),
        origin=int(fields.get("origin", 0)),
    )
