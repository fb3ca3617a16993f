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

#: Utterances after which the ETA is based on the job's own speed instead of the workers'.
_ENOUGH = 5


def root() -> str:
    """The address of the API, without a trailing slash: the public one if set, else that of the current request."""
    settings = context().settings
    return settings.public_url if settings.api_public_url else request.url_root.rstrip("/")


def views() -> Views:
    """Views for the present request."""
    return Views(root(), context().objects)


def job_view(job: Job) -> responses.Job:
    """The job as polled."""
    return views().job(job, eta(job))


def eta(job: Job) -> float | None:
    """Estimated seconds until the end of the job; None if unknown.

    At first based on the speed of the workers that serve its slowest model, shared with other owners who have
    unfinished work; after a few utterances, on the job's own speed.
    """
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
