"""Jobs as the API shows them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask import request

from api.context import context
from core.names import JobState
from storage.ledger import Job, StepRecord

#: Seconds that a presigned link stays good.
LINK_SECONDS = 3600


def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def links(job: Job) -> dict[str, str]:
    """Where else to look."""
    own = f"{request.url_root.rstrip('/')}/v1/jobs/{job.id}"
    return {"self": own, "audio": f"{own}/audio", "cancel": f"{own}/cancel", "retry": f"{own}/retry"}


def accepted_view(job: Job) -> dict[str, Any]:
    """The answer to a new job."""
    return {
        "id": job.id,
        "state": job.state.value,
        "created": rfc3339(job.created),
        "links": links(job),
    }


def job_view(job: Job) -> dict[str, Any]:
    """The job as polled."""
    running = job.state in (JobState.QUEUED, JobState.RUNNING)
    return {
        "id": job.id,
        "state": job.state.value,
        "pipeline": job.document["pipeline"],
        "priority": job.priority.value,
        "created": rfc3339(job.created),
        "started": rfc3339(job.started),
        "ended": rfc3339(job.ended),
        "expires": rfc3339(job.expires),
        "step": job.plan.steps[job.step].role.value if running else None,
        "steps": [_step_view(step) for step in job.steps],
        "progress": {"done": job.done, "total": job.total, "eta": _eta(job)},
        "result": _result_view(job),
        "error": job.error,
        "errors": list(job.errors),
        "metadata": job.document["metadata"],
        "links": links(job),
    }


def _step_view(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "model": step.model,
        "state": step.state.value,
        "started": rfc3339(step.started),
        "ended": rfc3339(step.ended),
    }


def _eta(job: Job) -> float | None:
    """Seconds until the job's end at the pace it has had so far, None while that is unknown."""
    if job.state is not JobState.RUNNING or not job.done or job.started is None:
        return None
    return round((time.time() - job.started) / job.done * (job.total - job.done), 1)


def _result_view(job: Job) -> dict[str, Any] | None:
    if job.result is None:
        return None
    result = {
        "audio": None,
        "characters": None,
        "seed": None,
        "timestamps": None,
        "embedding": None,
        "segments": None,
        "transcript": None,
        **job.result,
    }
    if audio := result["audio"]:
        name = f"{job.id}.{audio['format']}"
        url = context().objects.link(audio["object"], seconds=LINK_SECONDS, filename=name)
        result["audio"] = {
            "url": url or links(job)["audio"],
            **{k: v for k, v in audio.items() if k != "object"},
        }
    return result
