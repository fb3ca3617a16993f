"""The exceptions of the client.

::

    ChorusError
    ├── ApiError          the API returned a problem document (RFC 9457)
    ├── ConnectionFailed  the API cannot be reached, or the connection broke
    ├── WaitTimeout       a job, batch, voice or delivery did not end in time
    ├── JobFailed         a job did not succeed
    ├── VoiceFailed       a voice could not be created
    ├── BadDownload       the downloaded bytes are wrong
    └── BadSignature      a webhook's signature is invalid or too old
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chorus_client.models import Job, Voice


class ChorusError(Exception):
    """Anything that this client raises."""


class ApiError(ChorusError):
    """The API returned an error. ``code`` is stable; ``fields`` maps the invalid fields to messages."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code") or "error")
        self.message = str(problem.get("detail") or f"the API answered {status}")
        self.retryable = bool(problem.get("retryable", status in (429, 502, 503, 504)))
        errors = problem.get("errors")
        self.fields = {
            str(e.get("field")): str(e.get("detail"))
            for e in (errors if isinstance(errors, list) else ())
            if isinstance(e, dict)
        }
        self.retry_after = retry_after  #: seconds
        super().__init__(f"{self.code}: {self.message}")


class ConnectionFailed(ChorusError):
    """The API cannot be reached, or the connection broke."""


class WaitTimeout(ChorusError):
    """The job, batch, voice or delivery did not end in time. It continues."""


class JobFailed(ChorusError):
    """A job failed or was canceled; ``job`` is how it ended."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"the job {job.state}" + (f": {job.error.message}" if job.error else ""))


class VoiceFailed(ChorusError):
    """A voice could not be created; see ``voice.error``."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        super().__init__(voice.error.message if voice.error else "the voice could not be made")


class BadDownload(ChorusError):
    """The downloaded bytes are not those of the file."""


class BadSignature(ChorusError):
    """The webhook's signature does not fit, or its time is too far from now."""
