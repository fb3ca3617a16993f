"""A receiver of webhooks on loopback that answers as it is told: for tests and benchmarks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its path, headers (names in lower case) and body, and when it came (Unix seconds)."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """How to answer: a status, after ``delay`` seconds; ``hang``: never; ``drop``: close without a word; ``drip``: a
    byte of the body every tenth of a second, without end."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    hang: bool = False
    drop: bool = False
    drip: bool = False


class Receiver:
    """Listens on a free port (or ``port``) while its context lasts."""

    def __init__(self, port: int = 0) -> None:
        self._wanted = port
        self._lock = threading.Lock()
        self._replies: dict[str, list[Reply]] = defaultdict(lambda: [Reply()])
        self._closed = threading.Event()
        self.received: list[Received] = []

    def answer(self, path: str, *replies: Reply) -> None:
        """Requests to ``path`` get these answers in order, the last one from then on."""
        with self._lock:
            self._replies[path] = list(replies)

    def at(self, path: str) -> list[Received]:
        """What came to ``path`` so far."""
        with self._lock:
            return [one for one in self.received if one.path == path]

    @property
    def port(self) -> int:
        return self._server.server_port

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_: Any) -> None:
                pass

        self._closed.clear()
        self._server = Server(("127.0.0.1", self._wanted), Handler)
        self._wanted = self._server.server_port  # the same one, when it is opened again
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            self.received.append(Received(request.path, headers, body, time.time()))
            replies = self._replies[request.path]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        request.close_connection = True
        if reply.hang:
            self._closed.wait(60)
        if reply.hang or reply.drop:
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        self._closed.wait(reply.delay)
        request.send_response(reply.status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(10**6 if reply.drip else len(reply.body)))
        request.end_headers()
        request.wfile.write(reply.body)
        while reply.drip and not self._closed.wait(0.1):
            request.wfile.write(b".")
            request.wfile.flush()
