"""Jobs as the API shows them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask import g, request

from api.context import context
from core.names import JobState
from core.redis import redis_errors
from storage.ledger import Job, StepRecord
from storage.registry import seconds_per_item

#: Utterances done after which a job's own pace says more than that of the workers.
_ENOUGH = 5

#: Seconds that a presigned link stays good.
LINK_SECONDS = 3600


def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def root() -> str:
    """The address under which the present request came in, without a slash behind it."""
    return request.url_root.rstrip("/")


def links(job: Job) -> dict[str, str]:
    """Where else to look."""
    own = f"{root()}/v1/jobs/{job.id}"
    return {
        "self": own,
        "events": f"{own}/events",
        "audio": f"{own}/audio",
        "cancel": f"{own}/cancel",
        "retry": f"{own}/retry",
    }


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
        "custom_id": job.document.get("custom_id"),
        "batch": job.batch,
        "state": job.state.value,
        "pipeline": job.document["pipeline"],
        "priority": job.priority.value,
        "created": rfc3339(job.created),
        "started": rfc3339(job.started),
        "ended": rfc3339(job.ended),
        "expires": rfc3339(job.expires),
        "step": job.plan.steps[job.step].role.value if running else None,
        "steps": [_step_view(step) for step in job.steps],
        "progress": {"done": job.done, "total": job.total, "eta": eta(job)},
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


def eta(job: Job) -> float | None:
    """Seconds until the job's end, as near as can be told; None where it cannot.

    At first by the pace of the workers that serve its slowest model, shared with the owners who have unfinished work
    as well; once a few utterances are done, by the pace that the job has had itself."""
    if job.state is JobState.RUNNING and job.done >= _ENOUGH and job.started is not None:
        return round((time.time() - job.started) / job.done * (job.total - job.done), 1)
    left = job.total - job.done if job.total else job.load
    pace = max((_pace().get(step.station, 0.0) for step in job.plan.steps if step.each), default=0.0)
    if job.state.ended or not pace:
        return None
    with redis_errors():
        owners = max(1, int(context().redis.hlen("ch:load")) - 1)
    return round(left * pace * owners, 1)


def _pace() -> dict[str, float]:
    """Seconds per item by model, read once for each request."""
    if "pace" not in g:
        g.pace = seconds_per_item(context().redis)
    found: dict[str, float] = g.pace
    return found


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
