"""The HTTP server, built on waitress: one thread reads the requests of all connections completely, and only then passes
them to a thread of the app.

Adds the limits that waitress lacks: on the time for headers, bodies and responses, and on the number of connections,
in total and per address. Malformed HTTP gets the same problem document as other errors.

Written for one release of waitress, because it uses its internals.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from waitress import task, wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from api.http.browsers import DEFAULTS
from api.http.parser import MAX_HEADERS, MAX_UNSENT, Limits, Parser, Problem
from api.http.problems import document
from core.errors import ChorusError, RateLimited, Unauthorized

log = logging.getLogger(__name__)


#: Seconds that a client has for its headers; that a connection may idle between two requests; and that a client may
#: send on once it was refused.
HEADER_SECONDS, IDLE_SECONDS, LINGER_SECONDS = 10.0, 30.0, 2.0

#: A body has so many seconds, and one more for every so many bytes.
BODY_SECONDS, BODY_RATE = 30.0, 4096

#: Connections accepted in one iteration before existing ones are served.
ACCEPTED_AT_ONCE = 64


class ErrorTask(task.ErrorTask):
    """Answers with a problem document; the connection lingers, so that the client gets to read it."""

    def execute(self) -> None:
        self.request.error = Problem.of(self.request.error)
        self.channel.refused = True
        super().execute()


class AppTask(task.WSGITask):
    """Shows the app its connection (``chorus.socket``) and a way to send the head of its answer before its body
    (``chorus.send_head``)."""

    def get_environment(self) -> dict[str, Any]:
        environ = cast(dict[str, Any], super().get_environment())
        environ["chorus.socket"] = self.channel.socket
        environ["chorus.send_head"] = lambda: self.write(b"")
        return environ


class KeyCheck:
    """Checks the API key of a request with a large body before the body is read, so that a client without a key cannot
    fill the disk."""

    def __init__(self, channel: Channel, request: Parser) -> None:
        self._channel = channel
        self._request = request

    def service(self) -> None:
        """Allow the body to be read, or end the request."""
        channel, problem = self._channel, self._refusal()
        with channel.requests_lock:
            channel.asks = False
            if problem is not None and channel.request is self._request:
                self._request.error, self._request.completed = problem, True
                channel.request = None
                channel.requests.append(self._request)
                if len(channel.requests) == 1:
                    channel.server.add_task(channel)
        channel.server.pull_trigger()

    def _refusal(self) -> Problem | None:
        try:
            secret = self._request.secret
            return Problem(Unauthorized()) if secret is None else self._channel.server.refusal(secret)
        except ChorusError as error:
            return Problem(error)

    def cancel(self) -> None:
        """The process ends."""
        self._channel.asks = False


#: The connection that the present thread answers.
_serving = threading.local()


class Channel(HTTPChannel):
    """One connection."""

    task_class = AppTask
    error_task_class = ErrorTask
    parser_class = Parser

    refused = False  #: whether its request was rejected
    lingers: float | None = None  #: until when input is read and discarded
    known: Any = None  #: the request whose API key has been or is being checked
    asks = False  #: whether a thread is checking the API key of the request; reading is paused until then
    muted = False  #: whether reading is paused, because a request of this connection is being processed
    began = 0.0  #: when the current request started
    served = False  #: whether it has had a response

    def __init__(self, server: Front, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        self.address = str(addr[0])
        super().__init__(server, sock, addr, adj, map)

    def add_channel(self, map: Any = None) -> None:  # noqa: A002
        super().add_channel(map)
        self.server.touched.add(self._fileno)
        self.server.addresses[self.address] += 1

    def del_channel(self, map: Any = None) -> None:  # noqa: A002
        self.server.forget(self._fileno)
        if self._fileno in self.server.active_channels:
            self.server.addresses[self.address] -= 1
        super().del_channel(map)

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.began = time.time()
        going_on = bool(super().received(data))
        request = self.request
        if request is not None and request is not self.known and request.headers_finished and request.has_large_body:
            self.known = request
            if not self.server.limits.anonymous:
                self.asks = True
                self.server.add_task(KeyCheck(self, request))
        return going_on

    def service(self) -> None:
        _serving.channel = self
        try:
            super().service()
        finally:
            _serving.channel = None
        self.served = True

    @property
    def needs_loop(self) -> bool:
        """Whether the thread that waits for all connections has something to do for this one."""
        return bool(self.muted or self.total_outbufs_len or self.will_close or self.close_when_flushed)

    def readable(self) -> bool:
        return self.lingers is not None or (not self.asks and bool(super().readable()))

    def handle_read(self) -> None:
        if self.lingers is None:
            super().handle_read()
            return
        with contextlib.suppress(OSError):
            if self.recv(65536):
                return
        self.handle_close()

    def handle_write(self) -> None:
        if self.refused and self.close_when_flushed and self.lingers is None:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self._linger()
                return
        super().handle_write()

    def _linger(self) -> None:
        """Announce the end of the response, and read on for a while: closing a connection with unread bytes would
        discard the response."""
        self.close_when_flushed, self.lingers = False, time.time() + LINGER_SECONDS
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True

    @property
    def is_busy(self) -> bool:
        """Whether a thread of the app may change what this connection waits for."""
        return bool(self.requests or self.asks or self.total_outbufs_len or self.will_close or self.close_when_flushed)

    def is_overdue(self, now: float, stalled: float) -> bool:
        """Whether the client has taken longer than it may."""
        if self.lingers is not None:
            return now > self.lingers
        if self.total_outbufs_len:
            return bool(now - self.last_activity > stalled)
        if self.requests:
            return False
        if self.request is not None and self.request.headers_finished:
            return bool(now - self.began > BODY_SECONDS + self.request.body_bytes_received / BODY_RATE)
        if self.request is not None:
            return now - self.began > HEADER_SECONDS
        return bool(now - self.last_activity > (IDLE_SECONDS if self.served else HEADER_SECONDS))


class Front(TcpWSGIServer):
    """One process's connections, around ``app``, on ``sock`` (bound already)."""

    channel_class: Any = Channel
    accepting: bool

    def __init__(
        self, app: Any, sock: socket.socket, limits: Limits, threads: int, refusal: Callable[[str], Problem | None]
    ) -> None:
        self.limits = limits
        self.refusal = (
            refusal  #: the problem of a request with a key, if any; asked by a thread, may raise `ChorusError`
        )
        self.touched: set[int] = set()  #: descriptors of which it is to be asked anew what they wait for
        self.addresses: Counter[str] = Counter()
        self._wishes: dict[int, int] = {}
        self._poller: select.epoll | None = None
        self._checked = 0.0
        self._threads = threads
        self._stop_by: float | None = None
        parser = type("Parser", (Parser,), {"limits": limits})
        self.channel_class = type("Channel", (Channel,), {"parser_class": parser})
        adj = Adjustments(
            sockets=[sock],
            threads=1,
            ident=None,
            connection_limit=1 << 30,
            channel_timeout=1 << 30,
            cleanup_interval=1 << 30,
            max_request_header_size=MAX_HEADERS,
            outbuf_high_watermark=MAX_UNSENT,
            max_request_body_size=max(limits.body, limits.upload) + 1,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=False,
            expose_tracebacks=False,
            asyncore_use_poll=True,
        )
        super().__init__(
            app,
            map={},
            _sock=sock,
            adj=adj,
            bind_socket=False,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
        )

    def add_task(self, task: Any) -> None:
        """Has a thread answer; another is started where all have something to do, up to as many as there may be."""
        dispatcher = self.task_dispatcher
        with dispatcher.lock:
            dispatcher.queue.append(task)
            dispatcher.queue_cv.notify()
            running = len(dispatcher.threads)
            lacking = len(dispatcher.queue) > running - dispatcher.active_count
        if lacking and running < self._threads:
            dispatcher.set_thread_count(running + 1)

    def pull_trigger(self) -> None:
        """Wake the thread that waits for all connections if it has something to do. Usually this is not needed: the
        thread that created a response also writes it, and the client's next bytes wake the loop."""
        channel = getattr(_serving, "channel", None)
        if channel is None or channel.needs_loop:
            super().pull_trigger()

    def handle_accept(self) -> None:
        """Accept several waiting connections at once, so that a normal client is not delayed behind many others."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted = self.accept()
            except OSError:
                return
            if accepted is None:
                return
            self._take(*accepted)

    def _take(self, connection: socket.socket, address: Any) -> None:
        """Start to serve a connection; reject it if its address has too many."""
        with contextlib.suppress(OSError):
            self.set_socket_options(connection)
        if self.addresses[address[0]] >= self.limits.per_address:
            _turn_away(connection)
            return
        if len(self.active_channels) >= self.limits.connections:
            self._make_room()
        self.channel_class(self, connection, address, self.adj, map=self._map)

    def _make_room(self) -> None:
        """Closes the connection that has been idle for the longest."""
        idle = [channel for channel in self.active_channels.values() if not channel.is_busy]
        if idle:
            min(idle, key=lambda channel: channel.last_activity).handle_close()

    def forget(self, descriptor: int | None) -> None:
        """A descriptor is about to be closed."""
        if descriptor is not None and self._wishes.pop(descriptor, 0) and self._poller is not None:
            with contextlib.suppress(OSError):
                self._poller.unregister(descriptor)

    def stop(self, seconds: float) -> None:
        """Takes no more connections, and ends `run` once what runs is answered, or ``seconds`` are over. May be called
        by a signal's handler."""
        self._stop_by = time.time() + seconds
        self.pull_trigger()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_by is not None

    def run(self) -> None:
        """Serves until `stop`."""
        self._poller = select.epoll() if hasattr(select, "epoll") else None
        while not self._is_over():
            self._close_overdue()
            if self._poller is None:
                wasyncore.poll2(0.5, self._map)
            else:
                self._turn(self._poller)
        self.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def _turn(self, poller: select.epoll) -> None:
        """Wait once and handle all activity. Only connections with activity, or for which a thread works, are
        polled, so idle connections cost nothing."""
        busy = set()
        for descriptor in [*self.touched, self._fileno, self.trigger._fileno]:
            if (one := self._map.get(descriptor)) is not None:
                # Asked first: a thread that ends its work from here on pulls the trigger, and then it is asked again.
                if getattr(one, "is_busy", False):
                    busy.add(descriptor)
                self._register(poller, descriptor, one)
        self.touched = busy
        for descriptor, flags in poller.poll(0.5):
            if (one := self._map.get(descriptor)) is not None:
                self.touched.add(descriptor)
                waits = flags & select.EPOLLIN and _mute(one)
                wasyncore.readwrite(one, flags & ~select.EPOLLIN if waits else flags)

    def _register(self, poller: select.epoll, descriptor: int, one: Any) -> None:
        known = self._wishes.get(descriptor, 0)
        if one.readable():
            one.muted = False
            wish = select.EPOLLIN
        else:  # left as it is until something comes: most clients wait for their answer
            wish = 0 if getattr(one, "muted", True) else known & select.EPOLLIN
        if one.writable() and not one.accepting:
            wish |= select.EPOLLOUT
        if wish == known:
            return
        if not known:
            poller.register(descriptor, wish)
        elif not wish:
            poller.unregister(descriptor)
        else:
            poller.modify(descriptor, wish)
        self._wishes[descriptor] = wish

    def _close_overdue(self) -> None:
        now = time.time()
        if now - self._checked < 0.5:
            return
        self._checked = now
        for descriptor, channel in list(self.active_channels.items()):
            if channel.is_overdue(now, self.limits.stalled):
                channel.will_close = True
                self.touched.add(descriptor)

    def _is_over(self) -> bool:
        if self._stop_by is None:
            return False
        if self.accepting:
            self.accepting = False
            self.forget(self._fileno)
            self.del_channel()
            self.socket.close()
        busy = [channel for channel in self.active_channels.values() if channel.is_busy]
        return not busy or time.time() > self._stop_by


def _mute(one: Any) -> bool:
    """Whether what came is to wait. Marked first and looked at then: a thread that ends an answer does it the other way
    round, so that one of the two notices."""
    one.muted = True
    if one.readable():
        one.muted = False
    return bool(one.muted)


def _turn_away(connection: socket.socket) -> None:
    error = RateLimited("Too many connections are open from this address.", code="too_many_connections")
    body = document(error)
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nConnection: close\r\nRetry-After: 5\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
    ) + "".join(f"{name}: {value}\r\n" for name, value in DEFAULTS.items())
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.send(head.encode() + b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
    connection.close()
