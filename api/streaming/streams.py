"""Streaming responses: limits on their number and duration, and detection of clients that no longer read.

Each stream occupies a thread of its process. So streams have their own threads (``api_streams``) in addition to those
of other requests, of which each owner may use a part; further streams are rejected with 503.

A client that stops reading would occupy its thread forever: `api.http.front` closes its connection after `STALLED`
seconds. While nothing is written, `Reader.wait` detects clients that have disconnected and keys that were revoked.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import struct
import time
from collections.abc import Callable, Generator, Mapping
from typing import TypeAlias, TypeVar

import tenacity
from flask import Response, request

from api.context import context, key_check, owner
from api.http.capacity import Place, Places
from core.errors import ChorusError, LedgerUnavailable, StorageUnavailable

log = logging.getLogger(__name__)

#: Seconds that a stream lives at most.
LONGEST = 4 * 3600.0

#: Seconds that a client may pause reading once the network buffers are full.
STALLED = 60

#: Seconds that a stream waits for ledger or storage to come back.
OUTAGE_TIMEOUT = 60.0

#: Seconds between two attempts during an outage.
RETRY_GAP = 0.5

#: Seconds between two looks at whether the key is still good.
RECHECK = 0.4

#: Bytes that are handed to the server at once.
PORTION = 32 * 1024

#: Seconds between two looks at whether this process is stopping.
_GLANCE = 0.25

#: Generates the bytes of one stream.
Make: TypeAlias = Callable[["Reader"], Generator[bytes, None, None]]

Returned = TypeVar("Returned")

PLACES = Places("streams")
_stopping: Callable[[], bool] = lambda: False  # noqa: E731


class StreamCut(ConnectionResetError):
    """A stream ends early. The server treats this as a lost connection: it closes without the end of the chunked body,
    which tells the client that data is missing, and without a traceback in the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


def stop_when(stopping: Callable[[], bool]) -> None:
    """End all streams of this process once ``stopping`` returns true."""
    global _stopping
    _stopping = stopping


def bound_writes(sock: socket.socket) -> None:
    """Let a write fail after `STALLED` seconds in which the client read nothing (SO_SNDTIMEO) or acknowledged nothing
    (TCP_USER_TIMEOUT, if available). Connections inherit the options of their listening socket."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", STALLED, 0))
    if hasattr(socket, "TCP_USER_TIMEOUT") and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED * 1000)


class Reader:
    """The client of one stream; ``sock`` is None if the server does not provide it.

    ``allowed``: whether it may still read, checked every `RECHECK` seconds.
    """

    def __init__(self, sock: socket.socket | None, allowed: Callable[[], bool] = lambda: True) -> None:
        self._end = time.monotonic() + LONGEST
        self._allowed = allowed
        self._recheck = time.monotonic() + RECHECK
        self._poll: select.poll | None = None
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock, getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR)

    def wait(self, seconds: float) -> None:
        """Wait. Raises `StreamCut` if the client has disconnected, the stream has lasted for `LONGEST`, or this process
        is stopping."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            self._look(max(0.0, min(left, _GLANCE)))
            if left <= _GLANCE:
                return

    def _look(self, seconds: float) -> None:
        if self._poll is None:
            time.sleep(seconds)
        elif self._poll.poll(seconds * 1000):
            raise StreamCut("the client left")
        now = time.monotonic()
        if now > self._end:
            raise StreamCut("the stream has reached its maximum duration")
        if _stopping():
            raise StreamCut("this process is stopping")
        if now > self._recheck:
            self._recheck = now + RECHECK
            self._check_key()

    def _check_key(self) -> None:
        try:
            allowed = self._allowed()
        except LedgerUnavailable:
            return  # reported where the ledger is used
        if not allowed:
            raise StreamCut("the key was revoked or has expired")


class Outage:
    """How long something has been away."""

    def __init__(self) -> None:
        self._since: float | None = None

    def recovered(self) -> None:
        """End the outage."""
        self._since = None

    def failed(self, error: ChorusError) -> None:
        """It is not. Raises ``error`` once that has been so for `OUTAGE_TIMEOUT` seconds."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > OUTAGE_TIMEOUT:
            raise error


def retry_until_available(call: Callable[[], Returned], reader: Reader) -> Returned:
    """Calls until ledger or storage answers; raises their error after `OUTAGE_TIMEOUT` seconds."""
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((LedgerUnavailable, StorageUnavailable)),
        wait=tenacity.wait_fixed(RETRY_GAP),
        stop=tenacity.stop_after_delay(OUTAGE_TIMEOUT),
        sleep=reader.wait,
        reraise=True,
    )
    return tries(call)


def open_stream(make: Make, content_type: str, headers: Mapping[str, str], place: Place | None = None) -> Response:
    """The response whose body is what ``make`` yields, outside of the request's context. HEAD occupies no thread.

    ``place``: what `stream_place` has taken for it, if it has. If ``make`` raises, the client can tell that the body is
    incomplete. Raises `Overloaded` (``too_many_streams``).
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers}
    if request.method == "HEAD":
        return Response(headers=headers, content_type=content_type)
    flow = _Flow(make, client_reader(), place or stream_place())
    send_head: Callable[[], None] = request.environ.get("chorus.send_head", lambda: None)
    try:
        answer = Response(flow.chunks(send_head), headers=headers, content_type=content_type)
        answer.call_on_close(flow.close)
    except BaseException:
        flow.close()
        raise
    return answer


def client_reader() -> Reader:
    """The client of the present request, as one that reads a stream."""
    return Reader(request.environ.get("chorus.socket"), key_check())


def stream_place() -> Place:
    """A place for a stream of the present owner. Raises `Overloaded` (``too_many_streams``)."""
    settings = context().settings
    return PLACES.take(owner(), settings.api_streams, settings.api_streams_per_owner)


class _Flow:
    """The body of one stream on its way."""

    def __init__(self, make: Make, reader: Reader, place: Place) -> None:
        self._make = make
        self._reader = reader
        self._place = place

    def chunks(self, send_head: Callable[[], None]) -> Generator[bytes, None, None]:
        """The output of ``make`` in portions, checking the reader before each; the response's headers are sent
        first."""
        yield b""  # by now the answer has begun
        try:
            send_head()
            with contextlib.closing(self._make(self._reader)) as made:
                for data in made:
                    for at in range(0, len(data), PORTION):
                        self._reader.wait(0)
                        yield data[at : at + PORTION]
        except StreamCut as cut:
            log.info("A stream was closed: %s", cut.strerror)
            raise
        except ChorusError as error:
            log.warning("A stream was closed: %s: %s", error.code, error.message)
            raise StreamCut(error.code) from error
        finally:
            self._place.leave()

    def close(self) -> None:
        """The answer is over, one way or another, and perhaps before it began."""
        self._place.leave()
