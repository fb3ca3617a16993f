"""The API's processes: they share one listening socket, with one `Front` each."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import signal
import socket
import time
from functools import partial
from types import FrameType

from flask import Flask

from api.http.authentication import early_refusal
from api.http.front import Front
from api.http.parser import Limits
from api.streaming.streams import STALLED, bound_writes, stop_when
from core.errors import ConfigurationError
from core.settings import Settings

log = logging.getLogger(__name__)

#: Seconds that a stopping process waits for running requests.
GRACE = 8.0

#: Descriptors of a process that are no connections of clients.
_RESERVED = 256


class Server:
    """The API on its address, with threads for requests and, apart from them, for streams."""

    def __init__(self, app: Flask, settings: Settings, processes: int) -> None:
        self._app = app
        self._settings = settings
        self._processes = processes

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT. Raises `ConfigurationError` where the address cannot be listened on."""
        sock = self._bind()
        if self._processes == 1:
            self._serve(sock)
        else:
            _Prefork(self._processes, lambda: self._serve(sock)).run()

    def _bind(self) -> socket.socket:
        host, port = self._settings.api_host.strip("[]"), self._settings.api_port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            sock = socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            raise ConfigurationError(f"The API cannot listen on {host}:{port}: {error.strerror or error}.") from error
        bound_writes(sock)
        return sock

    def _serve(self, sock: socket.socket) -> None:
        s = self._settings
        _share_memory()
        limits = Limits(
            body=s.max_body_bytes,
            upload=s.max_upload_bytes,
            connections=_connections(s.api_connections),
            per_address=s.api_connections_per_address,
            stalled=STALLED,
            anonymous=s.auth == "off",
        )
        authenticator = self._app.extensions["authenticator"]
        threads = s.api_threads + s.api_streams + s.api_downloads
        front = Front(self._app, sock, limits, threads, partial(early_refusal, authenticator))
        stop_when(lambda: front.stopping)

        def stop(_number: int, _frame: FrameType | None) -> None:
            front.stop(GRACE)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        log.info("The API listens on %s", sock.getsockname()[:2])
        front.run()


def _share_memory() -> None:
    """Limit glibc to few arenas. By default it creates one per thread and never frees it, which with dozens of threads
    would be most of the process's memory (mallopt(3), M_ARENA_MAX)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-8, 2)


def _connections(asked: int) -> int:
    """The configured number of connections, limited by this process's file descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return asked if soft == resource.RLIM_INFINITY else max(16, min(asked, soft - _RESERVED))


class _Prefork:
    """Several processes that serve one socket; one that ends is followed by another."""

    def __init__(self, count: int, serve: object) -> None:
        self._count = count
        self._serve = serve
        self._children: set[int] = set()
        self._stopping = False

    def run(self) -> None:
        """Keeps the processes running until SIGTERM or SIGINT."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopping or self._children:
            while not self._stopping and len(self._children) < self._count:
                self._fork()
            self._reap()

    def _fork(self) -> None:
        pid = os.fork()
        if pid:
            self._children.add(pid)
            return
        code = 1
        try:
            self._serve()  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            self._children.clear()
            return
        if not pid:
            time.sleep(0.1)
            return
        self._children.discard(pid)
        if not self._stopping:
            log.warning("An API process ended (%s); starting another", os.waitstatus_to_exitcode(status))
            time.sleep(0.5)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
