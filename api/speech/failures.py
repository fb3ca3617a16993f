"""The error of a job as the error of the request that waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import ChorusError, Conflict, FieldError, InvalidRequest, RateLimited, StepError
from core.names import JobState, Role
from storage.ledger.records import Job

#: Steps that read what the client has sent: an error without a class of its own is one of the request.
_READING = (Role.PREPARE.value, Role.OPEN.value)


def failure_of(job: Job) -> ChorusError | None:
    """Why a job gives no audio, or not all of it; None if nothing has gone wrong so far.

    An utterance that has failed fails its job, although the job ends when all of its utterances have."""
    if job.state is JobState.FAILED and job.error is not None:
        return _error(job, job.error)
    if job.state.ended and job.state is not JobState.SUCCEEDED:
        return Conflict(f"The job is {job.state.value}.", code=f"job_{job.state.value}")
    return _error(job, job.errors[0]) if job.errors else None


def _error(job: Job, failure: Mapping[str, Any]) -> ChorusError:
    code, step, message = str(failure["code"]), failure.get("step"), str(failure["message"])
    known = _STATUSES.get(code)
    error: ChorusError
    if known == 422 or (known is None and step in _READING):
        # A failure of an utterance is one of the text; else it is one of the reference, if there is one.
        name = "ref_audio" if job.document.reference is not None and not job.errors else "input"
        error = InvalidRequest(message, code=code, step=step, fields=[FieldError(name, code, message)])
    else:
        error = StepError(message, code=code, step=step)
        error.status = known or StepError.status
    error.retryable = bool(failure.get("retryable"))
    return error


def _classes(kind: type[ChorusError]) -> list[type[ChorusError]]:
    return [kind, *(below for one in kind.__subclasses__() for below in _classes(one))]


#: By code of a class of `core.errors`, its status; and that of a reference whose length is only known once it is
#: fetched.
_STATUSES = {kind.code: kind.status for kind in _classes(ChorusError)} | {"audio_seconds_limit": RateLimited.status}
