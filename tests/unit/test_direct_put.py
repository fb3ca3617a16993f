"""`storage.objects.direct_put`: PUT beside boto3, against a server that answers as it is told."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from pydantic import SecretStr

from cli.local.storage_guard import certificate
from core.errors import StorageUnavailable
from core.settings import Settings
from storage.objects import direct_put, objects
from storage.objects.direct_put import MAX_REFUSALS
from storage.objects.objects import Objects

ACCESS, SECRET, REGION = "AK1", "SK1-secret", "eu-south-7"

Answer = Callable[["Handler"], None]


@dataclass
class Request:
    """A PUT as it came; ``source``: the client's port."""

    path: str
    headers: dict[str, str]
    body: bytes
    source: int

    @property
    def direct(self) -> bool:
        return "Boto3" not in self.headers.get("user-agent", "")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body, self.client_address[1])
        self.server.requests.append(request)
        if request.direct and self.server.answers:
            self.server.answers.pop(0)(self)
        else:
            self.server.usual(self)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def reply(self, status: int, *, close: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if close:
            self.send_header("Connection", "close")
        self.end_headers()


def answer(status: int, *, close: bool = False) -> Answer:
    return lambda handler: handler.reply(status, close=close)


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def half_a_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def silence(handler: Handler) -> None:
    time.sleep(1.0)
    handler.close_connection = True


@dataclass
class Server(ThreadingHTTPServer):
    """``answers`` go to direct requests, one after another; ``usual`` to all others."""

    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    usual: Answer = field(default_factory=lambda: answer(200))
    daemon_threads = True
    tls: ssl.SSLContext | None = None
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  #: connections, from this side

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if self.tls:
            self.socket = self.tls.wrap_socket(self.socket, server_side=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are no news."""

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed.release()

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def ways(self) -> str:
        """One letter a request: d for direct, b for boto3."""
        return "".join("d" if request.direct else "b" for request in self.requests)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, and nothing to wait for between boto3's attempts."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(objects, "READ_TIMEOUT", 0.3)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


def settings(endpoint: str, **other: Any) -> Settings:
    given = {"s3_access_key": ACCESS, "s3_secret_key": SecretStr(SECRET), "s3_region": REGION, **other}
    return Settings(s3_endpoint=endpoint, s3_bucket="speech", **given)


def at(server: Server, **other: Any) -> Objects:
    return Objects(settings(f"http://127.0.0.1:{server.port}", **other))


def put(storage: Objects, name: str = "ann/a.flac", data: bytes = b"fLaC", *, if_absent: bool = True) -> bool:
    return storage.put(name, data, "audio/flac", if_absent=if_absent)


# -- the way that boto3 teaches


def test_the_first_object_goes_through_boto3_and_teaches_the_way(server: Server) -> None:
    storage = at(server)
    assert [put(storage, f"ann/{n}.flac", b"%d" % n) for n in range(4)] == [True] * 4
    assert server.ways == "bddd"
    assert [request.path for request in server.requests] == [f"/speech/ann/{n}.flac" for n in range(4)]
    assert [request.body for request in server.requests] == [b"0", b"1", b"2", b"3"]
    assert len({request.source for request in server.requests[1:]}) == 1, "one connection, kept alive"
    by_boto3, direct = server.requests[0].headers, server.requests[1].headers
    for name in ("host", "content-type", "if-none-match", "content-length"):
        assert direct[name] == by_boto3[name]
    scope = re.compile(r"Credential=(\S+),")
    assert scope.findall(direct["authorization"]) == scope.findall(by_boto3["authorization"])


def test_if_none_match_is_sent_only_where_the_first_write_wins(server: Server) -> None:
    storage = at(server)
    put(storage)
    put(storage, if_absent=False)
    put(storage, if_absent=True)
    assert server.ways == "bdd"
    assert [request.headers.get("if-none-match") for request in server.requests] == ["*", None, "*"]


ODD = [
    "ann/a b.flac",
    "ann/ü/你好.flac",
    "ann/100%.flac",
    "ann/a+b=c&d?e#f.flac",
    "ann/~tilde_(1)!*'.flac",
    "ann//double.flac",
    "ann/../up.flac",
    "ann/%41.flac",
    "a",
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("first", ["ann/first.flac", *ODD[:4]])
def test_odd_names_are_signed_and_written_as_boto3_does(server: Server, first: str, name: str) -> None:
    storage = at(server)
    put(storage, first)
    put(storage, name)
    put(at(server), name)
    _, direct, by_boto3 = server.requests
    assert server.ways == "bdb"
    assert direct.path == by_boto3.path
    assert signature(direct) == signed_again(direct), "it covers what was sent"


def signature(request: Request) -> str:
    return request.headers["authorization"].partition("Signature=")[2]


def signed_again(request: Request, token: str | None = None) -> str:
    """The signature that a server finds for a request that it got."""
    listed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    made = AWSRequest(
        "PUT",
        f"http://{request.headers['host']}{request.path}",
        {name: value for name, value in request.headers.items() if name in listed and name != "x-amz-content-sha256"},
        request.body,
    )
    made.context["timestamp"] = request.headers["x-amz-date"]
    if request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD":
        made.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    auth = S3SigV4Auth(Credentials(ACCESS, SECRET, token), "s3", REGION)
    made.headers["x-amz-content-sha256"] = auth.payload(made)
    canonical = auth.canonical_request(made)
    return str(auth.signature(auth.string_to_sign(made, canonical), made))


def test_a_session_token_of_the_credential_chain_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-the-role")
    storage = at(server, s3_access_key="", s3_secret_key=SecretStr(""))
    put(storage)
    put(storage)
    assert server.ways == "bd"
    assert server.requests[1].headers["x-amz-security-token"] == "token-of-the-role"
    assert signature(server.requests[1]) == signed_again(server.requests[1], "token-of-the-role")


@pytest.mark.parametrize(
    ("url", "protected"),
    [
        ("http://127.0.0.1:8333/speech/", True),
        ("http://[::1]:8333/speech/", True),
        ("http://localhost/speech/", True),
        ("https://s3.example.com/speech/", True),
        ("http://seaweedfs:8333/speech/", False),
        ("http://10.0.0.7/speech/", False),
    ],
)
def test_the_payload_is_signed_where_others_could_change_it(url: str, protected: bool) -> None:
    assert direct_put._is_protected(url) is protected


def test_an_unprotected_payload_is_part_of_the_signature(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_put, "_is_protected", lambda _: False)
    storage = at(server)
    put(storage)
    put(storage, data=b"some audio")
    direct = server.requests[1]
    assert re.fullmatch("[0-9a-f]{64}", direct.headers["x-amz-content-sha256"])
    assert signature(direct) == signed_again(direct)
    direct.body = b"other audio"
    assert signature(direct) != signed_again(direct)


def test_buckets_as_hosts_and_the_region_that_boto3_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's own addresses; nothing is sent."""
    sent: list[tuple[str, str, dict[str, str]]] = []

    def send(self: direct_put._Connections, path: str, data: bytes, headers: dict[str, str]) -> int:
        sent.append((self._url.netloc, path, headers))
        return 200

    monkeypatch.setattr(direct_put._Connections, "send", send)
    storage = Objects(settings("", s3_region="eu-west-1"))
    storage.client.meta.events.register("before-send.s3.PutObject", written)
    put(storage, "ann/1.flac")
    put(storage, "ann/2 3.flac")
    ((host, path, headers),) = sent
    assert (host, path) == ("speech.s3.eu-west-1.amazonaws.com", "/ann/2%203.flac")
    assert headers["Host"] == host
    assert "/eu-west-1/s3/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"


def written(request: AWSPreparedRequest, **_: object) -> AWSResponse:
    """Botocore's event in place of a server."""

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield b""

    return AWSResponse(request.url, 200, {}, Raw())


def test_another_signature_is_left_to_boto3(server: Server) -> None:
    storage = at(server)
    storage.client.meta.events.register("choose-signer.s3.PutObject", lambda **_: "s3")
    assert [put(storage) for _ in range(3)] == [True] * 3
    assert server.ways == "bbb"


def test_a_proxy_is_left_to_boto3(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "")
    storage = Objects(settings("http://storage.example:8333"))
    assert [put(storage) for _ in range(2)] == [True] * 2
    assert [request.path for request in server.requests] == ["http://storage.example:8333/speech/ann/a.flac"] * 2
    assert server.ways == "bb"


def test_tls_is_checked_by_the_certificates_that_boto3_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = tmp_path / "certificate.pem"
    certificate(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with Server(tls=context) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
        storage = Objects(settings(f"https://localhost:{server.port}"))
        assert [put(storage) for _ in range(3)] == [True] * 3
        assert server.ways == "bdd"
        assert server.requests[1].source == server.requests[2].source
        route = storage._direct._route
        assert route is not None
        monkeypatch.delenv("AWS_CA_BUNDLE")
        stranger = direct_put._Connections(f"https://localhost:{server.port}/speech/", (3.0, 3.0), 1)
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.send("/speech/a", b"", {})


def test_certificates_that_cannot_be_read_leave_it_to_boto3(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> ssl.SSLContext:
        raise FileNotFoundError("no such bundle")

    monkeypatch.setattr(direct_put, "_tls", missing)
    storage = Objects(settings("https://s3.example.com"))
    storage.client.meta.events.register("before-send.s3.PutObject", written)
    assert [put(storage) for _ in range(2)] == [True] * 2
    assert storage._direct._route is None


# -- answers


@pytest.mark.parametrize("status", [409, 412])
def test_an_object_that_exists_is_kept(server: Server, status: int) -> None:
    storage = at(server)
    put(storage)
    server.answers = [answer(status)] * 2
    assert not put(storage)
    assert not put(storage)
    assert put(storage)
    assert server.ways == "bddd", "an object that exists is no failure"


def test_a_conflict_that_nobody_asked_for_is_an_error(server: Server) -> None:
    storage = at(server)
    put(storage)
    server.answers = [answer(412)]
    server.usual = answer(412)
    with pytest.raises(StorageUnavailable):
        put(storage, if_absent=False)
    assert server.ways == "bdb"


@pytest.mark.parametrize(
    "failure",
    [answer(500), answer(503), garbage, hang_up, silence],
    ids=["500", "503", "garbage", "hang_up", "silence"],
)
def test_what_fails_is_done_by_boto3_which_teaches_the_way_anew(server: Server, failure: Answer) -> None:
    storage = at(server)
    put(storage)
    for _ in range(MAX_REFUSALS + 1):
        server.answers = [failure]
        assert put(storage)
        assert put(storage)
    assert server.ways.startswith("bdbddbd")
    assert server.ways.count("b") == MAX_REFUSALS + 2


def test_boto3_tries_again_after_a_failure(server: Server) -> None:
    storage = at(server)
    put(storage)
    server.answers = [answer(503)]
    left = [answer(503), answer(500)]

    def usual(handler: Handler) -> None:
        (left.pop(0) if left else answer(200))(handler)

    server.usual = usual
    assert put(storage)
    assert server.ways == "bdbbb"


def test_storage_that_stays_away_is_unavailable(server: Server) -> None:
    storage = at(server)
    put(storage)
    server.answers, server.usual = [answer(503)] * 9, answer(503)
    with pytest.raises(StorageUnavailable):
        put(storage)
    assert server.ways == "bdbbbb", "one direct request, and boto3's four"
    with pytest.raises(StorageUnavailable):
        put(storage)
    assert server.ways == "bdbbbbbbbb", "no direct one until boto3 has written something"
    server.answers, server.usual = [], answer(200)
    assert put(storage)
    assert put(storage)
    assert server.ways.endswith("bd")


def test_a_server_that_is_gone_is_unavailable_and_may_come_back(server: Server) -> None:
    storage = at(server)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = Objects(settings(f"http://127.0.0.1:{closed.getsockname()[1]}"))
    with pytest.raises(StorageUnavailable):
        put(gone)
    put(storage)
    put(storage)
    route = storage._direct._route
    assert route is not None
    route._connections._url = urlsplit("http://127.0.0.1:1/speech/")
    route._connections.close()
    assert put(storage), "boto3 reaches it"
    assert server.ways == "bdb"


def test_a_server_that_refuses_direct_requests_is_asked_no_more(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    storage = at(server)
    server.answers = [answer(403)] * 100
    with caplog.at_level(logging.WARNING, logger="storage.objects.direct_put"):
        assert [put(storage) for _ in range(MAX_REFUSALS + 5)] == [True] * (MAX_REFUSALS + 5)
    assert server.ways.count("d") == MAX_REFUSALS
    assert server.ways.endswith("bbbb")
    assert len(caplog.records) == 1


def test_refusals_now_and_then_are_forgotten(server: Server) -> None:
    storage = at(server)
    put(storage)
    for _ in range(MAX_REFUSALS + 2):
        server.answers = [answer(400)]
        assert put(storage)
        assert put(storage)
    assert server.ways.endswith("dbd")


# -- connections


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(server: Server) -> None:
    storage = at(server)
    put(storage)
    server.answers = [answer(200, close=True)]
    put(storage)
    put(storage)

    def leave(handler: Handler) -> None:
        handler.reply(200)
        handler.close_connection = True

    server.answers = [leave]
    put(storage)
    for _ in range(2):  # this one, and the one that was answered with close
        assert server.closed.acquire(timeout=10)
    put(storage)
    assert server.ways == "bdddd", "no request failed"


def test_a_success_that_is_cut_off_is_one(server: Server) -> None:
    storage = at(server)
    put(storage)
    server.answers = [half_a_body]
    assert put(storage)
    assert put(storage)
    assert server.ways == "bdd"
    assert server.requests[1].source != server.requests[2].source


def test_threads_have_connections_of_their_own(server: Server) -> None:
    storage = at(server)
    put(storage)
    both = threading.Barrier(2)

    def meet(handler: Handler) -> None:
        both.wait(5)
        handler.reply(200)

    server.answers = [meet, meet]
    threads = [threading.Thread(target=put, args=(storage, f"ann/{n}.flac")) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.ways == "bdd"
    assert server.requests[1].source != server.requests[2].source
    route = storage._direct._route
    assert route is not None
    assert route._connections._idle.qsize() == 2


def test_idle_connections_are_limited_and_closed() -> None:
    class Fake:
        sock = object()
        closed = False

        def close(self) -> None:
            self.closed = True

    kept, over, late = Fake(), Fake(), Fake()
    connections = direct_put._Connections("http://127.0.0.1:1/", (1.0, 1.0), 1)
    connections._keep(kept, whole=True)  # type: ignore[arg-type]
    connections._keep(over, whole=True)  # type: ignore[arg-type]
    assert (kept.closed, over.closed) == (False, True)
    connections.close()
    connections._keep(late, whole=True)  # type: ignore[arg-type]
    assert (kept.closed, late.closed) == (True, True)
