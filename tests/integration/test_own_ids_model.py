"""Ids that are raced for, deleted and used again in any order, under workers that are slow and forget nothing: no job
ever holds another's text, utterance or audio. On a real Valkey and a real object storage."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from core import ids
from core.errors import ArtifactMissing
from core.names import JobState, Role
from core.work import CPU, ItemRef, UtteranceWork
from pipelines.connections import Connections
from pipelines.submission import TEXT_IN_LEDGER, Submitter
from schemas.requests import JobRequest
from storage.ledger.records import Job, NewJob, Outcome, Work
from storage.objects.job_objects import folder, results_folder, up_to
from tests.conftest import S3
from tests.integration.test_api import settings_for
from workers.steps.assemble import drop_unwanted
from workers.upkeep.reaper import Reaper

IDS = [ids.JOB.derived("ann", name) for name in ("mine", "other")]
VOICE = "piper-joe"


class OwnIds(RuleBasedStateMachine):
    """``connections`` is set by the test."""

    connections: Connections

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.objects = self.connections.ledger, self.connections.objects
        self.connections.redis.flushall()
        self.objects.delete(*self.objects.names(""))
        self.texts: dict[str, str] = {}  #: what was put, by the id's present job
        self.put_so_far = 0
        self.read: dict[int, str] = {}  #: by the place in ``held``
        self.held: list[tuple[ItemRef, str, Work]] = []  #: what workers have taken, and never forget

    # -- clients

    @rule(job_id=st.sampled_from(IDS), long=st.booleans(), racers=st.integers(1, 3))
    def put(self, job_id: str, long: bool, racers: int) -> None:
        """Several at once: each has prepared its own before the first is written down."""
        if self.ledger.get(job_id) is not None:
            return
        new = [self._prepared(job_id, long) for _ in range(racers)]
        assert [Submitter(self.connections).create(one) for one in new] == [True] + [False] * (racers - 1)
        self.texts[job_id] = json.loads(new[0].text or "")[0]["text"]

    def _prepared(self, job_id: str, long: bool) -> NewJob:
        self.put_so_far += 1
        text = f"Word {self.put_so_far}. " * (TEXT_IN_LEDGER // 8 if long else 1)
        body = JobRequest.model_validate({"pipeline": "piper", "text": text})
        return Submitter(self.connections).prepare(body, "ann", None, job_id)

    @rule(job_id=st.sampled_from(IDS))
    def delete(self, job_id: str) -> None:
        if job := self.ledger.get(job_id):
            self.ledger.delete_now(job_id)
            self.objects.delete(*up_to(self.objects.names(folder("ann", job_id)), job))

    @rule(job_id=st.sampled_from(IDS), long=st.booleans(), work=st.booleans())
    def use_again(self, job_id: str, long: bool, work: bool) -> None:
        """Deleted and put again, as a rule while a worker is at what was there."""
        if work:
            self.take(3)
        self.delete(job_id)
        self.put(job_id, long, 1)

    @rule(job_id=st.sampled_from(IDS), again=st.booleans())
    def cancel(self, job_id: str, again: bool) -> None:
        if self.ledger.cancel(job_id) and again:
            assert self.ledger.retry(job_id)

    # -- time, and what breaks

    @rule(job_id=st.sampled_from(IDS))
    def expire(self, job_id: str) -> None:
        """The record goes by itself; the reaper comes some time later."""
        job = self.ledger.get(job_id)
        if job is not None and job.expires is not None:
            self.connections.redis.zadd("ch:expires", {f"ann/{job_id}": time.time() - 0.001})
            self.connections.redis.delete(*(f"ch:{kind}:{job_id}" for kind in ("job", "doc", "text", "err", "end")))

    @rule()
    def purge(self) -> None:
        Reaper(self.connections).delete_expired()

    @rule()
    def lose_the_ledger(self) -> None:
        self.connections.redis.flushall()

    # -- workers

    @rule(most=st.integers(1, 3))
    def take(self, most: int) -> None:
        for station in (CPU, VOICE):
            self.connections.ledger.release([station])
            out = [ItemRef.parse(m.decode()) for m in self.connections.redis.zrange(f"ch:out:{station}", 0, most - 1)]
            works = self.ledger.take(station, out)
            for ref, work in zip(out, works, strict=True):
                if work is not None:
                    self.read[len(self.held)] = self._text_of(ref, work) if station == CPU else ""
                    self.held.append((ref, station, work))

    def _text_of(self, ref: ItemRef, work: Work) -> str:
        """Read as soon as the item is taken; what comes of it may be laid down much later."""
        name = work.document.text_object
        text = self.ledger.text(ref.job) if name is None else self.objects.get(name).decode()
        return str(json.loads(text or '[{"text": ""}]')[0]["text"]).split(".")[0]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), newest=st.booleans())
    def finish(self, data: st.DataObject, newest: bool) -> None:
        """Whatever was taken at some time ends now, perhaps not for the first time."""
        place = len(self.held) - 1 if newest else data.draw(st.integers(0, len(self.held) - 1))
        ref, station, work = self.held[place]
        with contextlib.suppress(ArtifactMissing):  # of a job that is gone
            result = self._done(ref, work, self.read[place]) if station == CPU else None
            [recorded] = self.ledger.advance([Outcome(ref=ref, station=station, result=result)])
            if not recorded and station == CPU and work.plan.steps[ref.step].role is Role.ASSEMBLE:
                drop_unwanted(self.connections, ref, "ann")

    def _done(self, ref: ItemRef, work: Work, said: str) -> dict[str, Any] | None:
        if work.plan.steps[ref.step].role is Role.PREPARE:
            works = [
                UtteranceWork.single(
                    inputs={"said": said}, options={}, seed=0, artifact=f"ann/utterances/{said}", pause=0.0
                )
                for _ in range(2)
            ]
            self.ledger.enqueue_utterances(ref, 1, works, [False] * len(works))
            return None
        utterances, _ = self.ledger.utterances(ref.job)
        name = f"{results_folder('ann', ref.job, ref.generation)}audio.wav"
        self.objects.put(name, ",".join(u.stages[0].inputs["said"] for u in utterances).encode(), "audio/wav")
        return {"audio": {"object": name}}

    # -- what must hold

    @invariant()
    def no_job_has_what_is_anothers(self) -> None:
        for job_id in IDS:
            if job := self.ledger.get(job_id):
                self._is_of_one_text(job, self.texts[job_id])

    def _is_of_one_text(self, job: Job, text: str) -> None:
        name = job.document.text_object
        kept = self.ledger.text(job.id) if name is None else self.objects.get(name).decode()
        assert kept is None or json.loads(kept)[0]["text"] == text
        assert kept is not None or job.state is JobState.SUCCEEDED
        names = list(self.objects.names(folder("ann", job.id)))
        assert [n for n in names if "/text" in n and n == name] == ([name] if name else [])
        said = text.split(".", maxsplit=1)[0]
        utterances, _ = self.ledger.utterances(job.id)
        assert {u.stages[0].inputs["said"] for u in utterances} <= {said} and len(utterances) in (0, 2)
        if job.result is not None:
            assert self.objects.get(job.result["audio"]["object"]).decode() == f"{said},{said}"


def test_no_job_ever_holds_what_is_anothers(valkey: str, seaweedfs: S3) -> None:
    connections = Connections.connect(settings_for(valkey, seaweedfs))
    machine = type("Machine", (OwnIds,), {"connections": connections})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
