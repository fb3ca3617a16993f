"""What both clients do, without doing any input or output themselves.

An *operation* is a generator: it yields a `Call` and gets an `Reply`, or yields a `Pause` and gets nothing. Each
client drives it in its own way, so that waiting, retrying and parsing are written once.
"""

from __future__ import annotations

import math
import random
import re
import time
import uuid
from codecs import getincrementaldecoder
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from chorus_client.errors import ApiError, ChorusError, ConnectionFailed, WaitTimeout

T = TypeVar("T")

_LINE_END = re.compile(r"\r\n|\n|\r")

#: Longest reconnection delay, in seconds, that a stream of events may set.
_LONGEST_RETRY = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``timeout``: seconds for it, None for the client's own."""

    method: str
    path: str
    json: Any = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Any = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
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
    """How often, and for how long (seconds from its first failure on), a call is tried again that failed in a way that
    may pass."""

    attempts: int = 6
    seconds: float = 60.0
    first: float = 0.25  #: seconds before the second attempt; doubled with each, with jitter
    longest: float = 10.0

    def delay(self, attempt: int, error: ChorusError) -> float:
        """Seconds before attempt number ``attempt`` + 1."""
        wanted: float = min(self.longest, self.first * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.0)
        asked = error.retry_after if isinstance(error, ApiError) else None
        return max(wanted, asked or 0.0)


class Tries:
    """The attempts at one call. ``within``: seconds from the first failure, if less than usual."""

    def __init__(self, retry: Retry, within: float = math.inf) -> None:
        self._retry = retry
        self._seconds = min(retry.seconds, within)
        self._end = math.inf
        self.failures = 0

    def failed(self, error: ChorusError) -> float:
        """Seconds until the next attempt. Raises ``error`` if there is none."""
        now = time.monotonic()
        if not self.failures:
            self._end = now + self._seconds
        self.failures += 1
        delay = self._retry.delay(self.failures, error)
        if not may_pass(error) or self.failures >= self._retry.attempts or now + delay > self._end:
            raise error
        return delay

    def went_on(self) -> None:
        """Reset the count of attempts after progress."""
        self.failures = 0


def may_pass(error: ChorusError) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, ApiError):
        return error.retryable and error.status in (429, 502, 503, 504)
    return isinstance(error, ConnectionFailed)


def problem_of(status: int, headers: Mapping[str, str], document: Any) -> ApiError:
    """The error in a response."""
    problem = document if isinstance(document, dict) else {}
    return ApiError(status, problem, _retry_after(headers.get("retry-after", "").strip()))


def _retry_after(value: str) -> float | None:
    """Seconds, from seconds or from a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def settled(
    call: Call, retry: Retry, arrived: Callable[[ApiError], bool], within: float = math.inf
) -> Operation[Reply | None]:
    """Send a call, and retry it if that may help.

    Returns None if a later attempt is rejected with an error that shows, by ``arrived``, that an earlier one
    succeeded and only its response was lost.
    """
    tries = Tries(retry, within)
    while True:
        try:
            answer: Reply = yield call
            return answer
        except ChorusError as error:
            if tries.failures and isinstance(error, ApiError) and arrived(error):
                return None
            delay = tries.failed(error)
        yield Pause(delay)


def sent(call: Call, retry: Retry, within: float = math.inf) -> Operation[Reply]:
    """Send a call, and retry it if that may help."""
    answer = yield from settled(call, retry, lambda _: False, within)
    assert answer is not None
    return answer


def once(call: Call) -> Call:
    """The same call with an idempotency key, so that retries do not create anything twice."""
    return replace(call, headers={**call.headers, "Idempotency-Key": str(uuid.uuid4())})


def until(
    ask: Callable[[float], Operation[T]], over: Callable[[T], bool], timeout: float | None, each: Callable[[T], None]
) -> Operation[T]:
    """Asks again and again until it is over. ``ask`` gets the seconds that are left.

    Raises `WaitTimeout` after ``timeout`` seconds."""
    end = math.inf if timeout is None else time.monotonic() + timeout
    pause = 0.1
    while True:
        began = time.monotonic()
        found = yield from ask(max(0.0, end - began))
        each(found)
        if over(found):
            return found
        now = time.monotonic()
        if now >= end:
            raise WaitTimeout("It has not finished in time.")
        if now - began < 1.0:  # the answer did not wait
            yield Pause(min(pause, end - now))
            pause = min(2.0, pause * 1.4)


class EventReader:
    """Bytes of a ``text/event-stream`` to events (WHATWG HTML, 9.2.6), over one connection after the other."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry = 2.0  #: seconds before connecting again
        self.connected()

    def connected(self) -> None:
        """Start a new connection: discard incomplete data of the previous one, but keep its last id."""
        self._decoder = getincrementaldecoder("utf-8-sig")("replace")
        self._rest, self._after_cr = "", False
        self._forget()

    def _forget(self) -> None:
        self._type = ""
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[tuple[str, str, str | None]]:
        """Type, data and id of each event that ``data`` completes. The id is None if the event has none."""
        text = self._decoder.decode(data)
        if not text:
            return []
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *lines, self._rest = _LINE_END.split(self._rest + text)
        return [event for line in lines if (event := self._line(line))]

    def _line(self, text: str) -> tuple[str, str, str | None] | None:
        if text == "":
            found = (self._type or "message", "\n".join(self._data), self._id) if self._data else None
            if self._id is not None:
                self.last_id = self._id
            self._forget()
            return found
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = min(int(value[:9]) / 1000, _LONGEST_RETRY)
        return None
