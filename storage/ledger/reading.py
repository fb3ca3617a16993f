"""Converts the results of Redis and the scripts to the types of `storage.ledger.records`."""

from __future__ import annotations

import json
from typing import Any

from core.names import JobState, Priority, StepState
from core.work import WHOLE_JOB, ItemRef, Plan, UtteranceWork
from storage.ledger.documents import JobDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Job, StepRecord, UtteranceState, Work


def read_work(ref: ItemRef, answer: Any) -> Work | None:
    if not answer:
        return None
    marks, at, *rest = answer
    alone, together = divmod(int(marks), 1000)
    starts, last = alone + together, float(at)
    if ref.index != WHOLE_JOB:
        stage, work, *inputs = rest
        return Work(
            utterance=UtteranceWork.unpack(work),
            stage=int(stage) - 1,
            inputs=tuple(value.decode() if value else None for value in inputs),
            starts=starts,
            starts_alone=alone,
            last_start=last,
        )
    document, plan, *flat = rest
    return Work(
        document=JobDocument.from_dict(json.loads(document)),
        plan=Plan.parse(plan.decode()),
        outputs=StepOutputs.unpack({flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}),
        starts=starts,
        starts_alone=alone,
        last_start=last,
    )


def read_letter(letter: str) -> UtteranceState | None:
    """The state of an utterance's letter; None if it has not ended, or if there is none."""
    return UtteranceState(letter) if letter in tuple(UtteranceState) else None


def read_job(job: str, record: dict[bytes, bytes], documents: list[bytes | None], errors: dict[bytes, bytes]) -> Job:
    fields = {name.decode(): value.decode() for name, value in record.items()}
    document = JobDocument.from_dict(json.loads(documents[0] or b"{}"))
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
        preparing="opening" in fields,
        result=end if state is JobState.SUCCEEDED else None,
        error=end if state is JobState.FAILED else None,
        errors=tuple(
            {"utterance": int(index), **json.loads(error)}
            for index, error in sorted(errors.items(), key=lambda pair: int(pair[0]))
        ),
        warnings=tuple(json.loads(fields.get("warnings") or "[]")),
        retention=float(fields["keep"]),
        batch=fields.get("batch"),
        load=int(fields.get("load", 0)),
        hook_url=fields.get("hook_url"),
        log=fields.get("log", ""),
        origin=int(fields.get("origin", 0)),
    )
