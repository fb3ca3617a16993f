"""The exceptions that cross package borders.

::

    ChorusError
    ├── RequestError                  the caller can correct it         4xx
    │   ├── InvalidRequest            422  invalid_request
    │   │   ├── InvalidText           422  invalid_text
    │   │   ├── InvalidAudio          422  invalid_audio
    │   │   ├── RangeNotSatisfiable   416  range_not_satisfiable
    │   │   └── Unroutable            422  unroutable
    │   ├── Malformed                 400  malformed_request
    │   ├── TooLarge                  413  too_large
    │   ├── Unauthorized              401  unauthorized
    │   ├── Forbidden                 403  forbidden
    │   ├── NotFound                  404  not_found
    │   ├── Conflict                  409  conflict
    │   │   └── VoicePreparing        409  voice_preparing      retryable
    │   ├── PreconditionFailed        412  precondition_failed
    │   ├── RateLimited               429  rate_limited         retryable
    │   ├── ReceiverFailed            422  fetch_failed
    │   │   └── ReceiverUnavailable   422  fetch_failed         retryable
    │   └── HttpError                 4xx  http_error
    ├── Unavailable                   503  unavailable          retryable
    │   ├── LedgerUnavailable         503  ledger_unavailable   retryable
    │   ├── StorageUnavailable        503  storage_unavailable  retryable
    │   └── Overloaded                503  overloaded           retryable
    ├── ConfigurationError            500  configuration
    │   └── WeightsError              500  weights
    └── StepError                     fails an item or a job            500
        ├── ModelFailed               500  model_failed
        ├── OutOfMemory               500  out_of_memory
        ├── Poisoned                  500  poisoned
        ├── NoSpeech                  422  no_speech
        ├── DeadlineExceeded          504  deadline_exceeded
        ├── ArtifactMissing           500  artifact_missing     retryable
        ├── ArtifactsLost             500  artifacts_lost
        └── InternalError             500  internal_error

Each class has a stable ``code``, an HTTP ``status``, and ``retryable``: whether a retry may succeed.
Its docstring is its default message. An instance can have a more specific ``code``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error in one field of a request; ``field`` is a dotted path such as ``output.format``."""

    field: str
    code: str
    detail: str


class ChorusError(Exception):
    """An error occurred."""

    code: str = "error"
    status: int = 500
    retryable: bool = False

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        step: str | None = None,
        fields: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        self.message = message or " ".join((self.__doc__ or "").split())
        self.step = step
        self.fields = tuple(fields)
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        super().__init__(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The shape that jobs, webhooks, logs and problem documents share."""
        return {
            "code": self.code,
            "message": self.message,
            "step": self.step,
            "retryable": self.retryable,
        }


class RequestError(ChorusError):
    """The request is invalid."""

    code = "bad_request"
    status = 400


class InvalidRequest(RequestError):
    """The request has an invalid value."""

    code = "invalid_request"
    status = 422


class InvalidText(InvalidRequest):
    """The text cannot be spoken."""

    code = "invalid_text"


class InvalidAudio(InvalidRequest):
    """The audio cannot be read."""

    code = "invalid_audio"


class RangeNotSatisfiable(InvalidRequest):
    """The requested range starts after the end of the audio."""

    code = "range_not_satisfiable"
    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"The audio has {size} bytes.")
        self.size = size


class Unroutable(InvalidRequest):
    """No sequence of steps leads from the inputs to the requested result."""

    code = "unroutable"


class Malformed(RequestError):
    """The request cannot be parsed."""

    code = "malformed_request"


class TooLarge(RequestError):
    """The request is too large."""

    code = "too_large"
    status = 413


class Unauthorized(RequestError):
    """A valid API key is required. Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."""

    code = "unauthorized"
    status = 401


class Forbidden(RequestError):
    """The API key does not allow this."""

    code = "forbidden"
    status = 403


class NotFound(RequestError):
    """Not found."""

    code = "not_found"
    status = 404


class Conflict(RequestError):
    """The operation is not possible in the current state."""

    code = "conflict"
    status = 409


class VoicePreparing(Conflict):
    """The voice is still being prepared. Try again later."""

    code = "voice_preparing"
    retryable = True


class PreconditionFailed(RequestError):
    """The resource has changed since it was read."""

    code = "precondition_failed"
    status = 412


class RateLimited(RequestError):
    """Too many requests. Try again later."""

    code = "rate_limited"
    status = 429
    retryable = True


class ReceiverFailed(RequestError):
    """The receiver responded with an error or an invalid response."""

    code = "fetch_failed"
    status = 422


class ReceiverUnavailable(ReceiverFailed):
    """The receiver cannot be reached at the moment. Try again later."""

    retryable = True


class HttpError(RequestError):
    """The request was refused with an HTTP status that has no class of its own."""

    code = "http_error"

    def __init__(self, status: int, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


class Unavailable(ChorusError):
    """The service is temporarily unavailable. Try again shortly."""

    code = "unavailable"
    status = 503
    retryable = True


class LedgerUnavailable(Unavailable):
    """The ledger (Redis) is unavailable. Try again shortly."""

    code = "ledger_unavailable"


class StorageUnavailable(Unavailable):
    """The object storage (S3) is unavailable. Try again shortly."""

    code = "storage_unavailable"


class Overloaded(Unavailable):
    """There is too much unfinished work. Try again later."""

    code = "overloaded"


class ConfigurationError(ChorusError):
    """A setting or configuration file is invalid."""

    code = "configuration"


class WeightsError(ConfigurationError):
    """Model weights cannot be downloaded or have the wrong content."""

    code = "weights"


class StepError(ChorusError):
    """A step failed."""

    code = "step_failed"


class ModelFailed(StepError):
    """The model failed on this item."""

    code = "model_failed"


class OutOfMemory(StepError):
    """The item does not fit into the device's memory, even alone."""

    code = "out_of_memory"


class Poisoned(StepError):
    """The item killed its worker process each time it ran alone."""

    code = "poisoned"


class NoSpeech(StepError):
    """The recording contains no speech."""

    code = "no_speech"
    status = 422


class DeadlineExceeded(StepError):
    """The job did not finish before its deadline."""

    code = "deadline_exceeded"
    status = 504


class ArtifactMissing(StepError):
    """An artifact that this step needs is missing."""

    code = "artifact_missing"
    retryable = True


class ArtifactsLost(StepError):
    """Rendered artifacts were lost repeatedly."""

    code = "artifacts_lost"


class InternalError(StepError):
    """An unexpected error occurred. See the worker's log for details."""

    code = "internal_error"
