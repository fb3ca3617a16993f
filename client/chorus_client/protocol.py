"""What both clients do, without doing any input or output themselves.

An *operation* is a generator: it yields a `Call` and gets an `Answer`, or yields a `Pause` and gets nothing. Each
client drives it in its own way, so that waiting, retrying and parsing are written once.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chorus_client.errors import ApiError, ChorusError, ConnectionFailed, WaitTimeout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``timeout``: seconds for it, None for the client's own."""

    method: str
    path: str
    json: Any = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: list[tuple[str, Any]] | None = None
    data: Mapping[str, Any] | None = None
    content: Any = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    json: Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


Operation = Generator[Call | Pause, Any, T]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and for how long in all (seconds), a call is tried again that failed in a way that may pass."""

    attempts: int = 6
    seconds: float = 60.0
    first: float = 0.25  #: seconds before the second attempt; doubled with each, with jitter
    longest: float = 10.0

    def delay(self, attempt: int, error: ChorusError) -> float:
        """Seconds before attempt number ``attempt`` + 1."""
        wanted: float = min(self.longest, self.first * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        asked = error.retry_after if isinstance(error, ApiError) else None
        return max(wanted, asked or 0.0)


def may_pass(error: ChorusError) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, ApiError):
        return error.status in (429, 502, 503, 504)
    return isinstance(error, ConnectionFailed)


def problem_of(status: int, headers: Mapping[str, str], document: Any) -> ApiError:
    """The error that an answer tells of."""
    retry_after = headers.get("retry-after", "")
    seconds = float(retry_after) if retry_after.isdigit() else None
    return ApiError(status, document if isinstance(document, dict) else {}, seconds)


def sent(call: Call, retry: Retry) -> Operation[Answer]:
    """Sends a call, again where that may help."""
    end = time.monotonic() + retry.seconds
    attempt = 0
    while True:
        attempt += 1
        try:
            answer: Answer = yield call
            return answer
        except ChorusError as error:
            delay = retry.delay(attempt, error)
            if not may_pass(error) or attempt >= retry.attempts or time.monotonic() + delay > end:
                raise
        yield Pause(delay)


def once(call: Call) -> Call:
    """The same call under a key of its own, so that trying it again makes nothing twice."""
    return replace(call, headers={**call.headers, "Idempotency-Key": str(uuid.uuid4())})


def until(
    ask: Callable[[float], Operation[T]], over: Callable[[T], bool], timeout: float | None, each: Callable[[T], None]
) -> Operation[T]:
    """Asks again and again until it is over. ``ask`` gets the seconds that its answer may wait.

    Raises `WaitTimeout` after ``timeout`` seconds."""
    end = None if timeout is None else time.monotonic() + timeout
    pause = 0.1
    while True:
        left = 20.0 if end is None else max(0.0, end - time.monotonic())
        began = time.monotonic()
        found = yield from ask(min(20.0, left))
        each(found)
        if over(found):
            return found
        if end is not None and time.monotonic() >= end:
            raise WaitTimeout("it has not ended in time")
        if time.monotonic() - began < 1.0:  # the answer did not wait
            yield Pause(pause if end is None else min(pause, max(0.0, end - time.monotonic())))
            pause = min(2.0, pause * 1.4)


def same_origin(url: str, base: str) -> bool:
    """Whether ``url`` is the API's own: only then does the key go with the request."""
    a, b = urlsplit(url), urlsplit(base)
    return not a.netloc or (a.scheme, a.netloc) == (b.scheme, b.netloc)


class EventReader:
    """Lines of a ``text/event-stream`` to events (WHATWG HTML, 9.2.6)."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._type = ""
        self._data: list[str] = []
        self.last_id: str | None = None
        self.retry = 2.0  #: seconds before connecting again

    def line(self, text: str) -> tuple[str, str, str | None] | None:
        """Takes a line; gives type, data and id where an event is complete."""
        if text == "":
            found = (self._type or "message", "\n".join(self._data), self._id) if self._data else None
            if self._id is not None:
                self.last_id = self._id
            self._type, self._data, self._id = "", [], None
            return found
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry = int(value) / 1000
        return None
