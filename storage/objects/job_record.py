"""A finished job's record beside its audio, so that history survives a loss of the ledger.

``{owner}/jobs/{id}/{generation}/job.json`` is written by the last step before the ledger makes the result visible. It
is read if the ledger has no such job and the retention has not ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from core.errors import ArtifactMissing
from core.names import JobState, Priority, StepState
from core.work import Plan
from storage.ledger.documents import JobDocument
from storage.ledger.records import Job, StepRecord
from storage.objects.job_objects import folder, generation_of, results_folder
from storage.objects.objects import Objects

RECORD = "job.json"


def record_name(owner: str, job: str, generation: int) -> str:
    """The object name of a job's record."""
    return f"{results_folder(owner, job, generation)}{RECORD}"


def pack_record(job: Job, result: Mapping[str, Any], ended: float) -> bytes:
    """The record of a job that is about to succeed with ``result``, at ``ended`` (Unix seconds)."""
    document = {
        "id": job.id,
        "owner": job.owner,
        "generation": job.generation,
        "origin": job.origin,
        "priority": job.priority.value,
        "created": job.created,
        "started": job.started,
        "ended": ended,
        "deadline": job.deadline,
        "expires": ended + job.retention,
        "plan": str(job.plan),
        "document": job.document.to_dict(),
        "times": [[step.started, step.ended or ended] for step in job.steps],
        "done": job.done,
        "total": job.total,
        "warnings": job.warnings,
        "keep": job.retention,
        "batch": job.batch,
        "result": result,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def read_record(objects: Objects, owner: str, job: str) -> Job | None:
    """The job from its record; None if there is no record, or its retention has ended."""
    names = [name for name in objects.names(folder(owner, job)) if name.endswith(f"/{RECORD}")]
    if not names:
        return None
    newest = max(names, key=lambda name: generation_of(name) or 0)
    try:
        found = unpack_record(objects.get(newest))
    except ArtifactMissing:
        return None
    return found if (found.expires or 0.0) > time.time() else None


def unpack_record(data: bytes) -> Job:
    """The job that `pack_record` was given."""
    fields = json.loads(data)
    plan = Plan.parse(fields.pop("plan"))
    times, priority = fields.pop("times"), Priority(fields.pop("priority"))
    document = JobDocument.from_dict(fields.pop("document"))
    steps = tuple(
        StepRecord(name=step.role.value, model=step.model, state=StepState.DONE, started=started, ended=ended)
        for step, (started, ended) in zip(plan.steps, times, strict=True)
    )
    fields["retention"] = fields.pop("keep")
    return Job(
        **fields,
        document=document,
        state=JobState.SUCCEEDED,
        priority=priority,
        plan=plan,
        steps=steps,
        step=len(steps) - 1,
    )
