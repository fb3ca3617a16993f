"""Clients that hold connections and do as little as they can, in a process of their own.

``python -m benchmarks.support.slow_peers URL KEY JOB SECONDS``: opens them from many addresses of the loopback network,
opens those again that the server closes, and prints how many it had at once.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

#: How many of each kind.
IDLE, HEADERS, BODIES, UNREAD = 1000, 500, 500, 100

#: Addresses that they come from, and seconds between two bytes of one that drips.
ADDRESSES, DRIP = 16, 1.0


class Peers:
    """All slow clients of one server."""

    def __init__(self, host: str, port: int, key: str, job: str) -> None:
        self._place = (host, port)
        self._selector = selectors.DefaultSelector()
        head = f"Host: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n".encode()
        self._kinds: list[tuple[int, bytes, bytes]] = [
            (IDLE, b"", b""),
            (HEADERS, b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", b"a"),
            (BODIES, b"POST /v1/jobs HTTP/1.1\r\n" + head + b"Content-Length: 100000\r\n\r\n{", b" "),
            (UNREAD, b"GET /v1/jobs/" + job.encode() + b"/audio HTTP/1.1\r\n" + head + b"\r\n", b""),
        ]
        self._number = 0
        self._unread: list[socket.socket] = []
        self.most = 0

    def run(self, seconds: float, say: Callable[[str], None]) -> None:
        """Opens them all, says so, and keeps them up."""
        end = time.monotonic() + seconds
        for count, begin, drip in self._kinds:
            for _ in range(count):
                self._open(begin, drip)
        say("open")
        next_drip = time.monotonic()
        while time.monotonic() < end:
            self._look(max(0.0, min(0.2, next_drip - time.monotonic())))
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + DRIP
                self._drip()
            self.most = max(self.most, len(self._selector.get_map()) + len(self._unread))

    def _open(self, begin: bytes, drip: bytes) -> None:
        self._number += 1
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(OSError):
            sock.bind((f"127.0.1.{1 + self._number % ADDRESSES}", 0))
            sock.settimeout(5)
            sock.connect(self._place)
            sock.sendall(begin)
            sock.setblocking(False)
            if begin.startswith(b"GET /v1"):
                self._unread.append(sock)  # nobody looks at what arrives
            else:
                self._selector.register(sock, selectors.EVENT_READ, (begin, drip))
            return
        sock.close()

    def _look(self, seconds: float) -> None:
        """Opens those again that the server has closed."""
        for key, _ in self._selector.select(seconds):
            begin, drip = key.data
            sock: socket.socket = key.fileobj  # type: ignore[assignment]
            with contextlib.suppress(BlockingIOError):
                try:
                    data = sock.recv(4096)
                except OSError:
                    data = b""
                if not data:
                    self._selector.unregister(sock)
                    sock.close()
                    self._open(begin, drip)

    def _drip(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data[1]:
                with contextlib.suppress(OSError):
                    key.fileobj.send(key.data[1])  # type: ignore[union-attr]


def main() -> None:
    url, key, job, seconds = sys.argv[1:]
    place = urlsplit(url)
    peers = Peers(place.hostname or "", place.port or 0, key, job)
    peers.run(float(seconds), lambda text: print(text, flush=True))
    print(peers.most, flush=True)


if __name__ == "__main__":
    main()
