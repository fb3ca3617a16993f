"""Outgoing calls against real servers on loopback, and hostile URLs that must reach none."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import io
import selectors
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidRequest, ReceiverFailed, RequestError
from core.outgoing.egress import MAX_HEAD, Egress, Fetched
from tests.waiting import wait_for

Handler = Callable[[socket.socket, threading.Event], None]
HOST = "receiver.test"
SLACK = 2.0  # seconds that a busy machine may add to a deadline


class Server:
    """A TCP server on loopback that counts connections and hands each to `handler` in a thread of its own."""

    def __init__(self, handler: Handler | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._handler = handler
        self._tls = tls
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._peers: list[Any] = []
        self._knocks: set[Any] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    @property
    def connections(self) -> int:
        """Connections so far. A knock of our own goes last into the listener's queue, so none is missed."""
        with socket.create_connection(("127.0.0.1", self.port)) as knock:
            self._knocks.add(knock.getsockname())
            name = knock.getsockname()
            wait_for(lambda: name in self._peers, 5, "the server to accept", every=0.002)
        return len([peer for peer in self._peers if peer not in self._knocks])

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                if selector.select(0.02):
                    conn, peer = self._listener.accept()
                    self._peers.append(peer)
                    self._start(self._serve, conn)

    def _serve(self, conn: socket.socket) -> None:
        conn.settimeout(5)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(conn.close)
            if self._handler is None:
                return
            if self._tls is not None:
                conn = self._tls.wrap_socket(conn, server_side=True)
                stack.callback(conn.close)
            self._handler(_Recorded(conn, self.requests), self._stop)  # type: ignore[arg-type]


class _Recorded:
    """A connection that keeps what it received."""

    def __init__(self, conn: socket.socket, requests: list[bytes]) -> None:
        self._conn = conn
        self._requests = requests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def request(self) -> bytes:
        """One whole request: head, and as much body as its Content-Length says."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._conn.recv(65536) or _closed()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        while len(body) < length:
            body += self._conn.recv(65536) or _closed()
        self._requests.append(head + b"\r\n\r\n" + body)
        return head


def _closed() -> bytes:
    raise ConnectionError


def saying(*parts: bytes) -> Handler:
    """Reads the request, sends the parts, closes."""

    def handler(conn: Any, stop: threading.Event) -> None:
        conn.request()
        for part in parts:
            conn.sendall(part)
        conn.shutdown(socket.SHUT_WR)

    return handler


def dripping(head: bytes, drop: bytes, every: float = 0.02) -> Handler:
    """Sends `head`, then `drop` again and again, until the other side has had enough."""

    def handler(conn: Any, stop: threading.Event) -> None:
        conn.request()
        conn.sendall(head)
        while not stop.wait(every):
            conn.sendall(drop)

    return handler


def silent(conn: Any, stop: threading.Event) -> None:
    stop.wait(20)


def reset(conn: Any, stop: threading.Event) -> None:
    conn.request()
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    fields = {"Content-Length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def egress_to(server: Server) -> Egress:
    return Egress([f"{HOST}:{server.port}"], resolver=loopback)


def fetch(server: Server, *, max_bytes: int = 100_000, timeout: float = 10.0, **more: Any) -> Fetched:
    return egress_to(server).get(f"http://{HOST}:{server.port}/x?y=1", max_bytes=max_bytes, timeout=timeout, **more)


def failure(call: Callable[[], object]) -> RequestError:
    with pytest.raises((InvalidRequest, ReceiverFailed)) as caught:
        call()
    return caught.value


# --- what leaves the process: seen by an audit hook, which cannot be removed and so is switched


class _Watch:
    def __init__(self) -> None:
        self.on = False
        self.connects: list[Any] = []
        self.lookups: list[Any] = []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event == "socket.connect":
            self.connects.append(args[1])
        elif self.on and event == "socket.getaddrinfo":
            self.lookups.append(args[0])


_WATCH = _Watch()
sys.addaudithook(_WATCH)


@pytest.fixture
def watch() -> Iterator[_Watch]:
    """Every connect and every look-up of this process while it is used."""
    _WATCH.connects, _WATCH.lookups, _WATCH.on = [], [], True
    yield _WATCH
    _WATCH.on = False


@pytest.fixture(scope="module")
def bait() -> Iterator[Server]:
    with Server(saying(answer("200 OK", b"secret"))) as server:
        yield server


# --- hostile URLs. {p} is the bait's port, which these calls may use: the address alone must stop them.

#: What the names of the table resolve to; other names are unknown.
NAMES = {
    "localhost": ["127.0.0.1"],
    "loop.test": ["127.0.0.1"],
    "loop6.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "mixed.test": ["93.184.216.34", "127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::1"],
    "teredo.test": ["2001:0:7f00:1::1"],
    "unspecified.test": ["0.0.0.0"],
    "link.test": ["fe80::1%1"],
    "127.0.0.1.nip.test": ["127.0.0.1"],
    "xn--trkei-kva.test": ["127.0.0.1"],
    "good.test": ["93.184.216.34"],
}

HOSTILE = [
    # loopback and its neighbours
    ("http://127.0.0.1:{p}/", "url_not_allowed"),
    ("https://127.0.0.1:{p}/", "url_not_allowed"),
    ("http://127.0.0.2:{p}/", "url_not_allowed"),
    ("http://127.255.255.254:{p}/", "url_not_allowed"),
    ("http://0.0.0.0:{p}/", "url_not_allowed"),
    ("http://localhost:{p}/", "url_not_allowed"),
    ("http://LOCALHOST:{p}/", "url_not_allowed"),
    ("http://loop.test:{p}/", "url_not_allowed"),
    ("http://loop6.test:{p}/", "url_not_allowed"),
    ("http://mixed.test:{p}/", "url_not_allowed"),
    ("http://unspecified.test:{p}/", "url_not_allowed"),
    ("http://127.0.0.1.nip.test:{p}/", "url_not_allowed"),
    ("http://xn--trkei-kva.test:{p}/", "url_not_allowed"),
    # numbers that inet_aton() reads as loopback
    ("http://2130706433:{p}/", "url_not_allowed"),
    ("http://017700000001:{p}/", "url_not_allowed"),
    ("http://0x7f000001:{p}/", "url_not_allowed"),
    ("http://0X7F000001:{p}/", "url_not_allowed"),
    ("http://0x7f.0x0.0x0.0x1:{p}/", "url_not_allowed"),
    ("http://0177.0.0.1:{p}/", "url_not_allowed"),
    ("http://0177.0.0.01:{p}/", "url_not_allowed"),
    ("http://127.0.0.01:{p}/", "url_not_allowed"),
    ("http://0x7f.1:{p}/", "url_not_allowed"),
    ("http://127.1:{p}/", "url_not_allowed"),
    ("http://127.0.1:{p}/", "url_not_allowed"),
    ("http://0:{p}/", "url_not_allowed"),
    ("http://4294967297:{p}/", "url_not_allowed"),
    ("http://127.0.0.1.1:{p}/", "url_not_allowed"),
    ("http://0x:{p}/", "url_not_allowed"),
    # private, link-local, CGNAT, reserved
    ("http://10.0.0.1/", "url_not_allowed"),
    ("http://172.16.0.1/", "url_not_allowed"),
    ("http://192.168.0.1/", "url_not_allowed"),
    ("http://169.254.169.254/latest/meta-data/", "url_not_allowed"),
    ("http://metadata.test/", "url_not_allowed"),
    ("http://100.64.0.1/", "url_not_allowed"),
    ("http://100.100.100.200/", "url_not_allowed"),
    ("http://168.63.129.16/", "url_not_allowed"),
    ("http://192.0.2.1/", "url_not_allowed"),
    ("http://198.18.0.1/", "url_not_allowed"),
    ("http://224.0.0.1/", "url_not_allowed"),
    ("http://255.255.255.255/", "url_not_allowed"),
    # IPv6, and IPv4 inside it
    ("http://[::1]:{p}/", "url_not_allowed"),
    ("http://[0:0:0:0:0:0:0:1]:{p}/", "url_not_allowed"),
    ("http://[::]:{p}/", "url_not_allowed"),
    ("http://[::ffff:127.0.0.1]:{p}/", "url_not_allowed"),
    ("http://[::ffff:7f00:1]:{p}/", "url_not_allowed"),
    ("http://[::127.0.0.1]:{p}/", "url_not_allowed"),
    ("http://mapped.test:{p}/", "url_not_allowed"),
    ("http://[2002:7f00:1::]:{p}/", "url_not_allowed"),
    ("http://sixtofour.test/", "url_not_allowed"),
    ("http://[64:ff9b::127.0.0.1]:{p}/", "url_not_allowed"),
    ("http://[64:ff9b:1::a00:1]/", "url_not_allowed"),
    ("http://nat64.test/", "url_not_allowed"),
    ("http://teredo.test/", "url_not_allowed"),
    ("http://[fd00:ec2::254]/", "url_not_allowed"),
    ("http://[fe80::1]/", "url_not_allowed"),
    ("http://link.test/", "url_not_allowed"),
    ("http://[fec0::1]/", "url_not_allowed"),
    ("http://[ff02::1]/", "url_not_allowed"),
    ("http://[2001:db8::1]/", "url_not_allowed"),
    ("http://[fe80::1%251]:{p}/", "url_malformed"),
    ("http://[::1%lo]:{p}/", "url_malformed"),
    ("http://[v1.1]:{p}/", "url_malformed"),
    ("http://[127.0.0.1]:{p}/", "url_malformed"),
    ("http://[::1:{p}/", "url_malformed"),
    ("http://::1:{p}/", "url_malformed"),
    # characters that some parser maps to others
    ("http://１２７.0.0.1:{p}/", "url_malformed"),
    ("http://127。0。0。1:{p}/", "url_malformed"),
    ("http://127．0．0．1:{p}/", "url_malformed"),
    ("http://①②⑦.0.0.1:{p}/", "url_malformed"),
    ("http://١٢٧.0.0.1:{p}/", "url_malformed"),
    ("http://ⓛocalhost:{p}/", "url_malformed"),
    ("http://ſlocalhost:{p}/", "url_malformed"),
    ("http://\u212aelvin.test:{p}/", "url_malformed"),
    ("http://local\u00adhost:{p}/", "url_malformed"),
    ("http://local\u200bhost:{p}/", "url_malformed"),
    ("http://\u202elocalhost:{p}/", "url_malformed"),
    ("http://good.test\uff0f@127.0.0.1:{p}/", "url_has_credentials"),
    ("http://%31%32%37.0.0.1:{p}/", "url_malformed"),
    ("http://localhost%00.good.test:{p}/", "url_malformed"),
    # dots, brackets and ports out of place
    ("http://localhost.:{p}/", "url_malformed"),
    ("http://127.0.0.1.:{p}/", "url_malformed"),
    ("http://.localhost:{p}/", "url_malformed"),
    ("http://a..test:{p}/", "url_malformed"),
    ("http://:{p}/", "url_malformed"),
    ("http://", "url_malformed"),
    ("http:///127.0.0.1:{p}/", "url_malformed"),
    ("http:127.0.0.1:{p}/", "url_malformed"),
    ("http:/127.0.0.1:{p}/", "url_malformed"),
    ("//127.0.0.1:{p}/", "url_malformed"),
    ("127.0.0.1:{p}/", "url_malformed"),
    ("", "url_malformed"),
    ("http://good.test:80:{p}/", "url_malformed"),
    ("http://good.test:/", "url_malformed"),
    ("http://good.test:+80/", "url_malformed"),
    ("http://good.test:８０/", "url_malformed"),
    ("http://good.test:65616/", "url_malformed"),
    ("http://good.test:080/", "url_malformed"),
    # credentials, and what looks like them
    ("http://good.test@127.0.0.1:{p}/", "url_has_credentials"),
    ("http://user:password@good.test/", "url_has_credentials"),
    ("http://@127.0.0.1:{p}/", "url_has_credentials"),
    ("http://good.test:80@127.0.0.1:{p}/", "url_has_credentials"),
    ("http://127.0.0.1:{p}#@good.test/", "url_not_allowed"),
    ("http://127.0.0.1:{p}?@good.test/", "url_not_allowed"),
    ("http://127.0.0.1:{p}\\@good.test/", "url_malformed"),
    ("http://good.test\\@127.0.0.1:{p}/", "url_malformed"),
    ("http:\\\\127.0.0.1:{p}\\", "url_malformed"),
    # control characters
    ("http://good.test/\r\nHost: 127.0.0.1:{p}", "url_malformed"),
    ("http://good.test/ HTTP/1.1\r\nX: y", "url_malformed"),
    ("http://127.0.0.1:{p}/\0", "url_malformed"),
    ("http://127.0.0\t.1:{p}/", "url_malformed"),
    (" http://127.0.0.1:{p}/", "url_malformed"),
    ("http://127.0.0.1:{p}/\n", "url_malformed"),
    ("http://good.test/\ud800", "url_malformed"),
    ("http://good.test\u2028:{p}/", "url_malformed"),
    # schemes
    ("ftp://127.0.0.1:{p}/", "url_scheme_not_allowed"),
    ("file:///etc/passwd", "url_scheme_not_allowed"),
    ("gopher://127.0.0.1:{p}/_x", "url_scheme_not_allowed"),
    ("javascript:alert(1)", "url_scheme_not_allowed"),
    ("data:text/plain,x", "url_scheme_not_allowed"),
    ("ws://127.0.0.1:{p}/", "url_scheme_not_allowed"),
    ("httpſ://127.0.0.1:{p}/", "url_malformed"),
    ("ｈttp://127.0.0.1:{p}/", "url_malformed"),
    ("url:http://127.0.0.1:{p}/", "url_scheme_not_allowed"),
    # ports
    ("http://good.test:22/", "url_port_not_allowed"),
    ("http://good.test:6379/", "url_port_not_allowed"),
    ("http://127.0.0.1:6379/", "url_port_not_allowed"),
    ("http://good.test:0/", "url_port_not_allowed"),
    # lengths
    ("http://127.0.0.1:{p}/" + "a" * 3000, "url_malformed"),
    ("http://" + "a" * 64 + ".test:{p}/", "url_malformed"),
    ("http://" + "a." * 200 + "test:{p}/", "url_malformed"),
    ("http://" + "ü" * 60 + ".test:{p}/", "url_malformed"),
    # names that are not there
    ("http://unknown.test:{p}/", "url_not_resolved"),
]


def table(host: str, port: int) -> list[str]:
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    return NAMES[host]


def test_there_are_many_hostile_urls() -> None:
    assert len({url for url, _ in HOSTILE}) == len(HOSTILE) >= 50


@pytest.mark.parametrize(("url", "code"), HOSTILE, ids=lambda value: ascii(value)[:60])
def test_a_hostile_url_reaches_nothing(url: str, code: str, bait: Server, watch: _Watch) -> None:
    egress = Egress(ports=(80, 443, bait.port), resolver=table)
    url = url.replace("{p}", str(bait.port))
    for call in (
        lambda: egress.check(url),
        lambda: egress.get(url, max_bytes=1000, timeout=5.0),
        lambda: egress.post(url, b"{}", {}, timeout=5.0),
    ):
        error = failure(call)
        assert error.code == code
        assert error.status == 422
    assert watch.connects == []
    assert watch.lookups == []  # the resolver is the test's own; nothing may ask the system's behind its back
    assert bait.connections == 0


def test_the_bait_and_the_watch_do_count(watch: _Watch) -> None:
    with Server(saying(answer("200 OK", b"secret"))) as server:
        assert fetch(server).body == b"secret"
        assert watch.connects == [("127.0.0.1", server.port)]
        assert server.connections == 1


def test_the_systems_resolver_is_held_to_the_same_policy(bait: Server, watch: _Watch) -> None:
    egress = Egress(ports=(bait.port,))
    assert (
        failure(lambda: egress.get(f"http://localhost:{bait.port}/", max_bytes=9, timeout=5)).code == "url_not_allowed"
    )
    assert watch.lookups == ["localhost"]
    assert watch.connects == []


# --- rebinding


class Rebinding:
    """A resolver that answers differently each time, as an attacker's does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = answers
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def test_a_name_is_resolved_once_and_the_call_goes_to_that_address(watch: _Watch) -> None:
    with Server(saying(answer("200 OK", b"first"))) as server:
        resolver = Rebinding(["127.0.0.1"], ["127.0.0.2"])
        egress = Egress([f"127.0.0.1:{server.port}"], resolver=resolver)
        url = f"http://{HOST}:{server.port}/"
        assert egress.get(url, max_bytes=100, timeout=10).body == b"first"
        assert resolver.asked == 1
        assert watch.connects == [("127.0.0.1", server.port)]
        assert watch.lookups == []
        # The next call resolves anew, and is refused by what it finds.
        assert failure(lambda: egress.get(url, max_bytes=100, timeout=10)).code == "url_not_allowed"
        assert len(watch.connects) == 1


def test_an_endpoint_that_passed_the_check_is_checked_again_when_called(bait: Server, watch: _Watch) -> None:
    egress = Egress(ports=(80, bait.port), resolver=Rebinding(["93.184.216.34"], ["127.0.0.1"]))
    url = f"http://{HOST}:{bait.port}/"
    assert egress.check(url).addresses == ("93.184.216.34",)
    assert failure(lambda: egress.post(url, b"{}", {}, timeout=5)).code == "url_not_allowed"
    assert watch.connects == []


def test_another_checked_address_is_tried_when_the_first_does_not_answer() -> None:
    with Server(saying(answer("200 OK", b"second"))) as server:
        egress = Egress([f"{HOST}:{server.port}"], resolver=lambda host, port: ["::1", "127.0.0.1"])
        assert egress.get(f"http://{HOST}:{server.port}/", max_bytes=100, timeout=10).body == b"second"


def test_a_resolver_that_hangs_counts_against_the_time(watch: _Watch) -> None:
    release = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        release.wait(10)
        return ["93.184.216.34"]

    started = time.monotonic()
    error = failure(lambda: Egress(resolver=resolver).get(f"http://{HOST}/", max_bytes=9, timeout=0.2))
    assert error.code == "fetch_timeout"
    assert time.monotonic() - started < 0.2 + SLACK
    release.set()
    assert watch.connects == []


# --- get


def test_get_brings_the_body_and_says_who_asks() -> None:
    with Server(saying(answer("200 OK", b"RIFF", Content_Type="audio/wav", X_A="1"))) as server:
        fetched = fetch(server)
    assert (fetched.status, fetched.body, fetched.size, fetched.content_type) == (200, b"RIFF", 4, "audio/wav")
    assert fetched.headers["x-a"] == "1"
    lines = server.requests[0].decode().lower().split("\r\n")
    assert lines[0] == "get /x?y=1 http/1.1"
    assert f"host: {HOST}:{server.port}" in lines
    assert "accept-encoding: identity" in lines
    assert "connection: close" in lines
    assert not [line for line in lines if line.startswith(("cookie", "authorization", "content-length"))]


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 1000],
        [b"HTTP/1.0 200 OK\r\n\r\n", b"a" * 1000],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\na\r\n"] * 1000, b"0\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n", answer("200 OK", b"a" * 1000)],
        [answer("200 OK", b"a" * 1000, Content_Encoding="identity")],
    ],
)
def test_get_reads_bodies_however_they_are_framed_up_to_the_bound(parts: list[bytes], tmp_path: Path) -> None:
    with Server(saying(*parts)) as server:
        assert fetch(server, max_bytes=1000).body == b"a" * 1000
        held = io.BytesIO()
        fetched = fetch(server, max_bytes=1000, to=held)
        assert (held.getvalue(), fetched.body, fetched.size) == (b"a" * 1000, b"", 1000)
        path = tmp_path / "x.wav"
        assert fetch(server, max_bytes=1000, to=path).path == path
        assert path.read_bytes() == b"a" * 1000
        assert failure(lambda: fetch(server, max_bytes=999, to=path)).code == "fetch_too_large"
        assert not path.exists()


ENDLESS = b"z" * 65536
BROKEN: dict[str, tuple[Handler, str, bool]] = {
    "declared too large": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"), "fetch_too_large", False),
    "declared absurd": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n"),
        "fetch_too_large",
        False,
    ),
    "endless body": (dripping(b"HTTP/1.1 200 OK\r\n\r\n", ENDLESS, 0), "fetch_too_large", False),
    "endless chunks": (
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + ENDLESS + b"\r\n", 0),
        "fetch_too_large",
        False,
    ),
    "chunk extensions": (
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;x=" + b"y" * 4000 + b"\r\na\r\n", 0),
        "fetch_too_large",
        False,
    ),
    "one huge header": (dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1000, 0), "fetch_too_large", False),
    "many headers": (dripping(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 100, 0), "fetch_too_large", False),
    "endless early hints": (dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10, 0), "fetch_too_large", False),
    "gzip bomb": (
        saying(answer("200 OK", gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")),
        "fetch_failed",
        False,
    ),
    "other encoding": (saying(answer("200 OK", b"x", Content_Encoding="br, gzip")), "fetch_failed", False),
    "body too short": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), "fetch_failed", True),
    "chunks cut off": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        "fetch_failed",
        True,
    ),
    "two lengths": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        "fetch_failed",
        True,
    ),
    "length not a number": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcd"), "fetch_failed", True),
    "reset": (reset, "fetch_failed", True),
    "closed at once": (saying(), "fetch_failed", True),
    "not HTTP": (saying(b"SSH-2.0-OpenSSH_9.9\r\n"), "fetch_failed", True),
    "switching protocols": (
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "fetch_failed",
        True,
    ),
    "no content": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), "fetch_status", False),
    "partial": (saying(answer("206 Partial Content", b"abc")), "fetch_status", False),
    "not found": (saying(answer("404 Not Found", b"abc")), "fetch_status", False),
    "server error": (saying(answer("500 Oops", b"abc")), "fetch_status", True),
    "not modified": (saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "fetch_redirect", False),
}


@pytest.mark.parametrize("case", BROKEN)
def test_get_from_a_server_that_misbehaves(case: str, tmp_path: Path) -> None:
    handler, code, retryable = BROKEN[case]
    path = tmp_path / "x"
    with Server(handler) as server:
        started = time.monotonic()
        error = failure(lambda: fetch(server, timeout=30, to=path))
        assert time.monotonic() - started < 10
    assert (error.code, error.retryable, error.status) == (code, retryable, 422)
    assert "SSH" not in error.message
    assert not path.exists()


def test_headers_pass_up_to_their_bound() -> None:
    fits = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: " + b"a" * (MAX_HEAD - 1000) + b"\r\n\r\nb"
    with Server(saying(fits)) as server:
        assert fetch(server).body == b"b"
    beyond = fits.replace(b"X: ", b"X: " + b"a" * 1100)
    with Server(saying(beyond)) as server:
        assert failure(lambda: fetch(server)).code == "fetch_too_large"


@pytest.mark.parametrize(
    "handler",
    [
        silent,
        dripping(b"HTTP/1.1 200 O", b"K"),
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"a"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["silent", "status", "header", "body", "body of a length", "chunks", "early hints"],
)
def test_slow_answers_end_at_the_deadline_however_steadily_they_drip(handler: Handler, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Server(handler) as server:
        started = time.monotonic()
        error = failure(lambda: fetch(server, timeout=0.6, to=path))
        took = time.monotonic() - started
    assert (error.code, error.retryable) == ("fetch_timeout", True)
    assert 0.6 <= took < 0.6 + SLACK
    assert not path.exists()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["http://127.0.0.1:{p}/", "//127.0.0.1:{p}/", "http://good.test/", ""])
def test_redirects_are_not_followed(status: int, place: str, bait: Server, watch: _Watch) -> None:
    place = place.replace("{p}", str(bait.port))
    with Server(saying(answer(f"{status} Elsewhere", b"", Location=place))) as server:
        assert failure(lambda: fetch(server)).code == "fetch_redirect"
        told = egress_to(server).post(f"http://{HOST}:{server.port}/", b"{}", {}, timeout=10)
        assert told.status == status
        assert set(watch.connects) == {("127.0.0.1", server.port)}
    assert bait.connections == 0


def test_nothing_listens() -> None:
    with Server() as server:
        pass
    error = failure(lambda: fetch(server))
    assert (error.code, error.retryable) == ("fetch_failed", True)


def test_proxies_of_the_environment_are_not_used(bait: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{bait.port}")
    with Server(saying(answer("200 OK", b"direct"))) as server:
        assert fetch(server).body == b"direct"
    assert bait.connections == 0


def test_a_busy_server_says_when_to_come_back() -> None:
    with Server(saying(answer("503 Busy", Retry_After="7"))) as server:
        error = failure(lambda: fetch(server))
    assert (error.code, error.retryable, error.retry_after) == ("fetch_status", True, 7.0)


# --- post


def send(server: Server, body: bytes = b'{"a":1}', timeout: float = 10.0, **headers: str) -> Any:
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    url = f"http://{HOST}:{server.port}/hook?token=t"
    return egress_to(server).post(url, body, named, timeout=timeout, max_response_bytes=100)


def test_post_sends_the_body_and_the_headers_but_frames_itself() -> None:
    with Server(saying(answer("202 Accepted", b"thanks", X_B="2"))) as server:
        told = send(
            server,
            webhook_id="msg_1",
            Content_Type="application/json",
            Host="other.test",
            Content_Length="1",
            Transfer_Encoding="chunked",
            Connection="keep-alive",
            Accept_Encoding="gzip",
            Expect="100-continue",
        )
    assert (told.status, told.body, told.truncated, told.retry_after) == (202, b"thanks", False, None)
    assert told.headers["x-b"] == "2"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"a":1}'
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?token=t http/1.1"
    assert sorted(line for line in lines[1:] if not line.startswith("user-agent")) == [
        "accept-encoding: identity",
        "connection: close",
        "content-length: 7",
        "content-type: application/json",
        f"host: {HOST}:{server.port}",
        "webhook-id: msg_1",
    ]


@pytest.mark.parametrize("header", [{"x": "a\r\nHost: b"}, {"x\r\ny": "a"}, {"x y": "a"}, {"x": "a\0"}])
def test_a_header_cannot_smuggle_another(header: dict[str, str]) -> None:
    with Server(saying(answer("200 OK"))) as server:
        assert failure(lambda: send(server, **header)).code == "fetch_failed"
        assert server.connections <= 1
        assert server.requests == []


@pytest.mark.parametrize("status", [200, 204, 400, 404, 410, 429, 500, 503])
def test_any_status_is_an_answer(status: int) -> None:
    length = "" if status == 204 else "Content-Length: 0\r\n"
    with Server(saying(f"HTTP/1.1 {status} Such\r\n{length}\r\n".encode())) as server:
        assert send(server).status == status


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), ("soon", None), ("-5", None), ("9" * 400, None), ("1.5", None), ("²", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + value.encode() + b"\r\n\r\n"
    with Server(saying(raw)) as server:
        assert send(server).retry_after == seconds


@pytest.mark.parametrize(("ahead", "low", "high"), [(100, 90, 100), (-100, 0, 0)])
def test_retry_after_as_a_date(ahead: float, low: float, high: float) -> None:
    when = email.utils.formatdate(time.time() + ahead, usegmt=True)
    with Server(saying(answer("429 Busy", Retry_After=when))) as server:
        told = send(server).retry_after
    assert told is not None
    assert low <= told <= high


def test_of_a_long_answer_the_beginning_is_kept() -> None:
    with Server(dripping(b"HTTP/1.1 200 OK\r\n\r\n", ENDLESS, 0)) as server:
        told = send(server)
        assert (told.status, told.body, told.truncated) == (200, b"z" * 100, True)
    with Server(saying(answer("200 OK", b"z" * 100))) as server:
        assert send(server).truncated is False


def test_an_answer_is_never_decoded() -> None:
    packed = gzip.compress(b"x" * 50)
    with Server(saying(answer("200 OK", packed, Content_Encoding="gzip"))) as server:
        assert send(server).body == packed


def test_an_answer_before_the_body_was_read_counts() -> None:
    def handler(conn: Any, stop: threading.Event) -> None:
        conn.recv(1000)
        conn.sendall(answer("413 Too Large"))
        conn.shutdown(socket.SHUT_WR)
        while conn.recv(1 << 20):
            pass

    with Server(handler) as server:
        assert send(server, body=bytes(2_000_000)).status == 413


@pytest.mark.parametrize(
    "handler",
    [
        silent,
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"a"),
    ],
    ids=["never reads", "slow headers", "slow body"],
)
@pytest.mark.parametrize("size", [10, 30_000_000])
def test_slow_receivers_end_at_the_deadline(handler: Handler, size: int) -> None:
    with Server(handler) as server:
        started = time.monotonic()
        error = failure(lambda: send(server, body=bytes(size), timeout=0.6))
        took = time.monotonic() - started
    assert (error.code, error.retryable) == ("fetch_timeout", True)
    assert 0.6 <= took < 0.6 + SLACK


def test_a_failure_does_not_tell_the_url() -> None:
    with Server(reset) as server:
        assert "token" not in failure(lambda: send(server)).message


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a certificate of it for ``receiver.test``, and a self-signed one for the same name."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509"]
    usage = ["-addext", f"subjectAltName=DNS:{HOST}"]
    leaf = [*usage, "-addext", "basicConstraints=critical,CA:FALSE"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key"]
    for name, more in {"ca": [], "leaf": [*leaf, *signed], "self": usage}.items():
        subject = ["-subj", f"/CN=Test {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([openssl, "req", *key, *subject, *more], cwd=folder, check=True, capture_output=True)
    return folder


def tls_server(folder: Path, name: str, seen: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.sni_callback = lambda _sock, server_name, _context: seen.append(server_name)
    return context


def https(server: Server, host: str, timeout: float = 10.0) -> Fetched:
    egress = Egress([f"127.0.0.1:{server.port}"], resolver=loopback)
    return egress.get(f"https://{host}:{server.port}/", max_bytes=100, timeout=timeout)


def test_tls_speaks_of_the_name_while_the_address_is_pinned(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, watch: _Watch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    seen: list[str | None] = []
    with Server(saying(answer("200 OK", b"sealed")), tls_server(certificates, "leaf", seen)) as server:
        assert https(server, HOST).body == b"sealed"
        assert seen == [HOST]
        assert watch.connects == [("127.0.0.1", server.port)]
        assert f"host: {HOST}:{server.port}".encode() in server.requests[0].lower()
        # the same certificate does not do for another name, nor for the bare address
        for other in ("other.test", "127.0.0.1"):
            error = failure(lambda other=other: https(server, other))
            assert error.code == "fetch_failed"
            assert "certificate" in error.message
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["self", "leaf"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificates: Path, name: str) -> None:
    with Server(saying(answer("200 OK", b"sealed")), tls_server(certificates, name, [])) as server:
        error = failure(lambda: https(server, HOST))
        assert error.code == "fetch_failed"
        assert "certificate" in error.message
        assert server.requests == []


def test_a_plain_server_does_not_pass_for_tls() -> None:
    def handler(conn: Any, stop: threading.Event) -> None:
        conn.recv(1000)
        conn.sendall(answer("200 OK", b"plain"))

    with Server(handler) as server:
        assert failure(lambda: https(server, HOST)).code == "fetch_failed"


def test_a_handshake_that_stalls_ends_at_the_deadline() -> None:
    with Server(silent) as server:
        started = time.monotonic()
        assert failure(lambda: https(server, HOST, timeout=0.6)).code == "fetch_timeout"
        assert 0.6 <= time.monotonic() - started < 0.6 + SLACK
