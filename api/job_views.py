"""Jobs as the API shows them."""

from __future__ import annotations

import time

from flask import g, request

from api.context import context
from core.names import JobState
from schemas import responses
from schemas.views import Views
from storage.ledger.records import Job
from storage.ledger.registry import seconds_per_item

#: Utterances done after which a job's own pace says more than that of the workers.
_ENOUGH = 5


def root() -> str:
    """The API's address: the public one where there is, else that of the present request; no slash behind it."""
    settings = context().settings
    return settings.public_url if settings.api_public_url else request.url_root.rstrip("/")


def views() -> Views:
    """Views for the present request."""
    return Views(root(), context().objects)


def job_view(job: Job) -> responses.Job:
    """The job as polled."""
    return views().job(job, eta(job))


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
    return round(left * pace * max(1, context().ledger.busy_owners()), 1)


def _pace() -> dict[str, float]:
    """Seconds per item by model, read once for each request."""
    if "pace" not in g:
        g.pace = seconds_per_item(context().redis)
    found: dict[str, float] = g.pace
    return found
