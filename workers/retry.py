"""Retries: of calls until Redis and the storage are available, and of items after a delay."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity

from core.errors import ChorusError, InternalError, Unavailable
from core.redaction import Redactor
from core.settings import settings
from core.work import ItemRef
from storage.ledger.records import Outcome

log = logging.getLogger(__name__)

#: Mean seconds until an item that failed in a way that may pass is tried again.
RETRY_DELAY = 3.0

Result = TypeVar("Result")


def retry_until_available(call: Callable[[], Result], stop: threading.Event | None = None) -> Result:
    """Repeat a call until Redis and the storage are available, with growing delays of up to 5 s.

    Once ``stop`` is set, the last `Unavailable` is raised instead: unacknowledged items then run elsewhere.
    """
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unavailable),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5.0),
        stop=tenacity.stop_when_event_set(stop) if stop else tenacity.stop_never,
        sleep=tenacity.sleep_using_event(stop) if stop else tenacity.nap.sleep,
        before_sleep=lambda state: log.warning("waiting: %s", state.outcome and state.outcome.exception()),
        reraise=True,
    ):
        with attempt:
            return call()
    raise Unavailable


def failed(ref: ItemRef, station: str, error: ChorusError, source: tuple[int, int, int] | None = None) -> Outcome:
    """The outcome of a failed item: a retry after a delay with jitter, if that may help."""
    delay = RETRY_DELAY * random.uniform(0.5, 1.5) if error.retryable else None
    return Outcome(ref=ref, station=station, error=error, again_in=delay, source=source)


def as_chorus_error(error: BaseException, kind: type[ChorusError], step: str) -> ChorusError:
    """Convert any exception to a `ChorusError` with its step; an unexpected one becomes ``kind``.

    Owners read its message. That of an exception from our own code can hold what is not theirs, so only the log has it;
    a model's may, without secrets, since it is about their input."""
    if isinstance(error, ChorusError):
        error.step = error.step or step
        return error
    name = type(error).__name__
    if kind is InternalError:
        return kind(f"An unexpected error occurred ({name}). The worker's log has the details.", step=step)
    return kind(Redactor.of(settings())(f"{name}: {error}")[:500], step=step)
