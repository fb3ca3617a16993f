"""The ledger: the jobs' records in Redis, the only source of truth about their state.

Every change is one Lua script (``lua/*.lua``, one file each) that first checks the job's generation: calls from an
earlier generation, or for a job that has ended, change nothing. ``lua/keys.lua`` lists the keys.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import redis

from core.errors import ArtifactsLost, ChorusError, Conflict, LedgerUnavailable, Overloaded
from core.failpoints import reach
from core.names import JobState
from core.redis import redis_errors
from core.work import CPU, ItemRef, Plan, UtteranceWork
from storage.access.charge import Charge, limit_exceeded, milliseconds
from storage.ledger.keys import key
from storage.ledger.reading import read_job, read_letter, read_work
from storage.ledger.records import Job, NewJob, Outcome, UtteranceStatus, Work, failure
from storage.ledger.scripts import Scripts
from storage.ledger.upkeep import Upkeep

#: Bounds on unfinished work that nothing meets.
UNBOUNDED = (1 << 53, 1 << 53)

#: How often an item that failed in a way that may pass is tried again.
TRIES = 3

#: How often utterances of one generation are sent back to be rendered again.
RENDERINGS = 8

#: The result of the script `create` if the job's batch has ended.
_BATCH_OVER = -3

#: Utterances per call, so that a long job never blocks Redis for long.
PORTION = 500

#: Jobs in one round trip.
JOBS = 200

#: Items released to a station that no live worker serves, so that one that starts finds work.
FALLBACK = 32

#: Enqueues (station, item) messages; how many. `broker.publish.publish_many`, bound to a client.
Publish = Callable[[Sequence[tuple[str, str]]], int]


class Ledger:
    """The jobs' records. Every method raises `LedgerUnavailable` if Redis cannot be reached.

    The backlog is here instead of in the broker, so that a released item never waits behind thousands and a long job
    leaves capacity for others. Items are released only as far as a station's live workers have capacity, by weighted
    priority (interactive 8, normal 3, bulk 1), then by owner, then by job, in turns. A job's turn starts at one item
    and doubles with each round, so that its first audio is ready early. Every change releases the items that may run
    because of it.
    """

    def __init__(
        self,
        client: redis.Redis,
        publish: Publish | None = None,
        *,
        bounds: tuple[int, int] = UNBOUNDED,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``publish`` enqueues released items; without it, this ledger releases nothing. ``clock``: see `Scripts`."""
        self.client = client
        self._publish = publish
        self._bounds = bounds  #: unfinished utterances per owner and in all, past which `create` refuses
        self._name = secrets.token_hex(6)  #: of this process, for the marks of `start`
        self._scripts = Scripts(client, clock)
        self.upkeep = Upkeep(client, self._scripts)

    def release(self, stations: Iterable[str]) -> int:
        """Release and enqueue items as far as the stations have capacity; return how many.

        Any process may call this at any time, also concurrently.
        """
        if self._publish is None:
            return 0
        messages: list[tuple[str, str]] = []
        for station in sorted(set(stations)):
            more = True
            while more:
                items, more = self._scripts.run("release", station=station, now=time.time(), fallback=FALLBACK)
                messages.extend((station, item.decode()) for item in items)
        if not messages:
            return 0
        reach("released")
        return self._publish(messages)

    def _release_after(self, stations: Iterable[str]) -> None:
        """Release items after a change. If this fails, the reaper does it."""
        with contextlib.suppress(LedgerUnavailable):
            self.release(stations)

    def create(self, job: NewJob, *, release: bool = True) -> bool:
        """Create a job and enqueue its first step; False if its id already exists.

        ``release=False``: the caller creates many jobs and calls `release` itself. Raises `Overloaded` if its owner,
        or all owners together, have too much unfinished work, `Conflict` (``batch_over``) if its batch has ended, and
        `RateLimited` if its charge exceeds a limit. A job that exists already is not charged again.
        """
        written = self._scripts.run(
            "create",
            job=job.id,
            owner=job.owner,
            prio=job.priority.value,
            plan=str(job.plan),
            doc=job.document.packed(),
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
            objects=" ".join(job.document.objects()) or None,
            owner_bound=self._bounds[0],
            bound=self._bounds[1],
            charge=job.charge.packed() if job.charge else None,
            hears=bool(job.document.recordings()),
            characters=job.document.characters,
        )
        if isinstance(written, list):
            raise limit_exceeded(written)
        if written == _BATCH_OVER:
            raise Conflict("The batch has been canceled or deleted.", code="batch_over")
        if written < 0:
            whose = "You have" if written == -1 else "There is"
            raise Overloaded(f"{whose} too much unfinished work. Try again later.", retry_after=10)
        reach("created")
        if release:
            self._release_after([job.plan.steps[0].station])
        return bool(written)

    def charge_audio(self, ref: ItemRef, seconds: float) -> None:
        """Charge the recordings of a job, of ``seconds`` together, as far as they were not charged when it was created.
        Safe to repeat.

        Raises `RateLimited` (``audio_seconds_limit``), not to be retried by itself: the job fails with it.
        """
        answer = self._scripts.run("charge_audio", job=ref.job, gen=ref.generation, audio=milliseconds(seconds))
        if isinstance(answer, list):
            error = limit_exceeded(answer)
            error.retryable = False
            raise error

    def get(self, job: str) -> Job | None:
        """The job's record, or None."""
        return self.get_many([job])[0]

    def get_many(self, jobs: Sequence[str]) -> list[Job | None]:
        """The records of ``jobs`` in one round trip."""
        pipe = self.client.pipeline(transaction=False)
        for job in jobs:
            pipe.hgetall(key("job", job))
            pipe.mget(key("doc", job), key("end", job))
            pipe.hgetall(key("err", job))
        with redis_errors():
            answers = pipe.execute()
        return [
            read_job(job, *answers[3 * n : 3 * n + 3]) if answers[3 * n] and answers[3 * n + 1][0] else None
            for n, job in enumerate(jobs)
        ]

    def text(self, job: str) -> str | None:
        """The job's text; None once it has succeeded, or if the text is an object."""
        with redis_errors():
            packed = self.client.get(key("text", job))
        return None if packed is None else zlib.decompress(packed).decode()  # type: ignore[arg-type]

    def take(self, station: str, refs: Sequence[ItemRef]) -> list[Work | None]:
        """The inputs of each item; None for items that are no longer wanted. The first item starts its job."""
        answers = self._scripts.run("take", station=station, items=_tuples(refs), now=time.time())
        return [read_work(ref, answer) for ref, answer in zip(refs, answers, strict=True)]

    def start(self, station: str, refs: Sequence[ItemRef], *, alone: bool = False) -> list[bool]:
        """Mark items as started just before they run; False for those that are no longer wanted.

        ``alone``: the one item runs by itself, because it is a suspect.
        """
        answers = self._scripts.run(
            "start", station=station, items=_tuples(refs), alone=alone, by=self._name, now=time.time()
        )
        return [bool(a) for a in answers]

    def clear_started(self, refs: Sequence[ItemRef]) -> None:
        """Clear this process's mark of `start`: if it dies from now on, these items did not cause it."""
        self._scripts.run("clear_started", items=_tuples(refs), by=self._name)

    def enqueue_utterances(
        self,
        job: ItemRef,
        step: int,
        works: Sequence[UtteranceWork],
        done: Sequence[bool],
        *,
        first: int = 0,
        errors: Mapping[int, ChorusError] = MappingProxyType({}),
        warnings: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        """Store the utterances from ``first`` on that will wait for ``step``. They count once `advance` records
        ``job``, with `Outcome.laid`.

        ``done[i]``: the artifact of utterance ``first + i`` exists already; ``errors[i]``: it has failed before it
        could run; ``warnings``: all warnings about the text so far. False if the job has moved on.
        """
        for at in range(0, len(works), PORTION):
            packed = [work.pack() for work in works[at : at + PORTION]]
            if not self._scripts.run(
                "utterances",
                job=job.job,
                gen=job.generation,
                step=step,
                **{"from": job.step},
                first=first + at,
                works=packed,
                done=list(done[at : at + PORTION]),
                errors=[_packed_error(errors.get(at + n), works[at + n]) for n in range(len(packed))],
                warnings=json.dumps(list(warnings)) if warnings else "",
            ):
                return False
        return True

    def utterances(self, job: str, first: int = 0, *, inputs: bool = True) -> tuple[list[UtteranceWork], str]:
        """The work of every utterance from ``first`` on, in order, and one letter each: an `UtteranceState`, or another
        letter if it has not ended.

        While the job's text is being prepared, these are the utterances so far. Empty if the job ends meanwhile.
        Without ``inputs``, which are most of it, those of a book take little memory.
        """
        with redis_errors():
            laid: bytes | None = self.client.hget(key("job", job), "laid")  # type: ignore[assignment]
            last = int(laid) - 1 if laid is not None else -1
            states = b"" if laid is not None and last < first else self._states(job, first, last)
            found: list[UtteranceWork] = []
            for at in range(first, first + len(states), PORTION):
                portion = [str(index) for index in range(at, min(at + PORTION, first + len(states)))]
                works: list[bytes | None] = self.client.hmget(key("utt", job), portion)  # type: ignore[assignment]
                found += [UtteranceWork.unpack(work, inputs=inputs) for work in works if work is not None]
        return (found, states.decode()) if len(found) == len(states) else ([], "")

    def _states(self, job: str, first: int, last: int) -> bytes:
        states: bytes = self.client.getrange(key("at", job), first, last)  # type: ignore[assignment]
        return states

    def utterance_status(self, job: str, index: int) -> UtteranceStatus | None:
        """The status of one utterance and of its job; None if there is no such job."""
        pipe = self.client.pipeline(transaction=True)
        pipe.hmget(key("job", job), "state", "gen", "silence")
        pipe.getrange(key("at", job), index, index)
        with redis_errors():
            (state, generation, silence), letter = pipe.execute()
        if state is None or generation is None:
            return None
        return UtteranceStatus(
            job_state=JobState(state.decode()),
            generation=int(generation),
            silence=silence == b"1",
            utterance=read_letter(letter.decode()),
        )

    def advance(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Record how items ended and enqueue their successors; return which of them were still wanted.

        Safe to repeat: one script records an item and enqueues its successor.
        """
        if not outcomes:
            return []
        items = [outcome.packed() for outcome in outcomes]
        recorded, stations = self._scripts.run("advance", items=items, now=time.time(), tries=TRIES)
        reach("advanced")
        self._release_after({s.decode() for s in stations} | {outcome.station for outcome in outcomes})
        return [bool(one) for one in recorded]

    def cancel(self, job: str) -> bool:
        """Cancel a job at once; False if it has already ended."""
        return self.cancel_many([job])[0]

    def cancel_many(self, jobs: Iterable[str]) -> list[bool]:
        """Cancel jobs at once, each by itself, in few round trips."""
        now = time.time()
        return self._changed("cancel", [{"job": job, "now": now} for job in jobs])

    def delete_now(self, job: str) -> bool:
        """Delete a job's record in any state; False if there is none."""
        return self.delete_many_now([job])[0]

    def delete_many_now(self, jobs: Iterable[str]) -> list[bool]:
        """Delete the records of jobs, each by itself, in few round trips."""
        now = time.time()
        return self._changed("delete_now", [{"job": job, "now": now} for job in jobs])

    def _changed(self, name: str, calls: Iterable[Mapping[str, Any]]) -> list[bool]:
        """Call a script that changes whole jobs and answers their plans; then release items at their stations, once."""
        calls, plans = list(calls), []
        for first in range(0, len(calls), JOBS):
            plans += self._scripts.run_many(name, calls[first : first + JOBS])
        reach({"cancel": "canceled", "delete_now": "forgotten", "retry": "retried"}[name])
        texts = {plan.decode() for plan in plans if isinstance(plan, bytes)}
        self._release_after({step.station for text in texts for step in Plan.parse(text).steps})
        if refused := next((plan for plan in plans if isinstance(plan, list)), None):
            raise limit_exceeded(refused)
        return [bool(plan) for plan in plans]

    def retry(self, job: str, load: int = 1, charge: Charge | None = None) -> bool:
        """Start a new generation of a failed or canceled job; False if its state does not allow it.

        From then on it counts for the key of ``charge``. Raises `RateLimited` beyond the limit of open jobs.
        """
        return self.retry_many({job: load}, charge)[0]

    def retry_many(self, loads: Mapping[str, int], charge: Charge | None = None) -> list[bool]:
        """Retry jobs, each by itself, in few round trips; ``loads``: utterances that each may come to.

        Raises `RateLimited` beyond the limit of open jobs; those within it are retried all the same.
        """
        more = {"now": time.time(), "charge": charge.packed() if charge else None}
        return self._changed("retry", [{"job": job, "load": load, **more} for job, load in loads.items()])

    def render_again(self, ref: ItemRef, indices: Sequence[int]) -> bool:
        """Send utterances whose artifacts are missing back to their first step; False if the job no longer wants them.

        Raises `ArtifactsLost` if this was done `RENDERINGS` times before: artifacts do not persist.
        """
        answer: Any = 1
        for first in range(0, max(1, len(indices)), PORTION):
            if answer == 1:
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
        if answer == -1:
            shown = ", ".join(map(str, indices[:5]))
            raise ArtifactsLost(f"The audio of utterances was lost repeatedly: {shown}.")
        reach("rerendered")
        if answer:
            self._release_after({CPU, answer.decode()})
        return bool(answer)

    def existing(self, owner: str, artifacts: Sequence[str]) -> list[bool]:
        """Which of the owner's artifacts (object names) exist, according to the ledger."""
        if not artifacts:
            return []
        digests = [name.rpartition("/")[2].partition(".")[0] for name in artifacts]
        with redis_errors():
            scores = self.client.zmscore(key("artifacts", owner), digests)
        now = time.time()
        return [score is not None and float(score) > now for score in scores]

    def created_between(
        self, owner: str, after: float, before: float, *, offset: int, limit: int
    ) -> list[tuple[str, float]]:
        """Ids of an owner's listed jobs, newest first, and when each was created (Unix seconds, bounds included)."""
        listed = key("jobs", owner)
        with redis_errors():
            page = self.client.zrevrangebyscore(listed, before, after, start=offset, num=limit, withscores=True)
        return [(job.decode(), float(created)) for job, created in page]  # type: ignore[union-attr,str-unpack]

    def busy_owners(self) -> int:
        """How many owners have unfinished work."""
        with redis_errors():
            return max(0, int(self.client.hlen(key("load"))) - 1)  # one field is the sum of all

    def released(self, stations: Sequence[str]) -> dict[str, int]:
        """By station, how many items were released to it and have not ended."""
        pipe = self.client.pipeline(transaction=False)
        for station in stations:
            pipe.zcard(key("out", station))
        with redis_errors():
            return dict(zip(stations, pipe.execute(), strict=True))

    def check_writable(self) -> None:
        """Returns where Redis takes writes: a replica, or one that is full, only answers reads."""
        with redis_errors():
            self.client.set(key("probe"), 1, ex=60)

    def exists(self, job: str) -> bool:
        """Whether there is a record of that id."""
        with redis_errors():
            return bool(self.client.exists(key("job", job)))


def _packed_error(error: ChorusError | None, work: UtteranceWork) -> str:
    """The error of an utterance as JSON; empty if there is none."""
    return json.dumps(failure(error, work.source)) if error else ""


def _tuples(refs: Sequence[ItemRef]) -> list[tuple[str, int, int, int]]:
    return [(ref.job, ref.generation, ref.step, ref.index) for ref in refs]
