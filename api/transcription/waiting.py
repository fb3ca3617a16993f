"""A request that waits for the end of its job, and cancels it if the client does not."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from api.context import context, key_check
from api.streaming.streams import Reader, StreamCut, client_reader
from core.errors import (
    ChorusError,
    DeadlineExceeded,
    HttpError,
    LedgerUnavailable,
    NotFound,
    StepError,
    Unauthorized,
    Unavailable,
)
from core.names import JobState, Role
from storage.ledger.records import Job

#: Seconds that a request waits.
PATIENCE = 3600.0

#: Seconds between two looks at a job: the first ones, and the longest.
_PAUSE, _LONGEST_PAUSE = 0.05, 0.25

#: Codes of failed steps for which the request is to blame, beside those of decoding.
_BLAMED = ("no_speech", "too_little_speech")


def result_when_done(job: Job) -> dict[str, Any]:
    """The result of a job, when it is done.

    If the client disconnects, its key is revoked, or the process stops, the job is canceled. Raises
    `DeadlineExceeded`, `Unauthorized`, `Unavailable` (``interrupted``), `NotFound` if the job was deleted meanwhile,
    and the error of a job that failed: 422 if its recording cannot be decoded, else 500."""
    valid, reader = key_check(), client_reader()
    try:
        job = _ended(job, reader)
    except StreamCut as cut:
        _cancel(job)
        if not valid():
            raise Unauthorized from cut
        raise Unavailable(f"The request ended early: {cut.strerror}.", code="interrupted") from cut
    except ChorusError:
        _cancel(job)
        raise
    if job.state is JobState.SUCCEEDED and job.result is not None:
        return dict(job.result)
    raise _failure(job)


def _ended(job: Job, reader: Reader) -> Job:
    """The job when it has ended."""
    end, pause = time.monotonic() + PATIENCE, _PAUSE
    while not job.state.ended:
        if time.monotonic() > end:
            raise DeadlineExceeded(f"The job did not end within {PATIENCE:g} s.")
        reader.wait(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.3)
        found = context().ledger.get(job.id)
        if found is None:
            raise NotFound("The job was deleted.", code="job_not_found")
        job = found
    return job


def _cancel(job: Job) -> None:
    with contextlib.suppress(LedgerUnavailable):  # then its deadline ends it
        context().ledger.cancel(job.id)


def _failure(job: Job) -> ChorusError:
    if job.error is None:
        return NotFound(f"The job is {job.state.value}.", code=f"job_{job.state.value}")
    code, message, step = (job.error[name] for name in ("code", "message", "step"))
    if code == DeadlineExceeded.code:
        return DeadlineExceeded(message)
    if step == Role.PREPARE.value or code in _BLAMED:
        return HttpError(422, message, code=code)
    return StepError(message, code=code, step=step)
