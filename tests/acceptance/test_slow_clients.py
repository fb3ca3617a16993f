"""Clients that idle, drip or never read: the API serves all others meanwhile, and gets rid of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from core.redis import connect
from storage.access.keys import create_key, digest_of, key_id, revoke_key
from tests.acceptance.test_following import Api, api_process, large, read_until, status_of
from tests.conftest import S3
from tests.waiting import wait_for

HEADERS_ONLY = b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: "


@pytest.fixture(scope="module")
def quick_api(valkey_server: str, seaweedfs: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One that gives up idle clients and headers after two seconds."""
    with contextlib.closing(connect(valkey_server)) as client:
        client.flushall()
    code = (
        "import api.http.front as f; f.HEADER_SECONDS = f.IDLE_SECONDS = f.BODY_SECONDS = 2.0; f.BODY_RATE = 10**9;"
        " import cli.main; cli.main.main()"
    )
    env = {"CHORUS_API_CONNECTIONS_PER_ADDRESS": "600", "CHORUS_API_STREAMS": "8", "CHORUS_API_STREAMS_PER_OWNER": "2"}
    folder = tmp_path_factory.mktemp("slow")
    with api_process(valkey_server, seaweedfs, folder, env, [sys.executable, "-P", "-c", code, "api"]) as api:
        yield api


def body_of(api: Api) -> bytes:
    return f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.key}\r\nContent-Length: 1000\r\n\r\n{{".encode()


def test_hundreds_that_idle_and_drip_hold_up_nobody(quick_api: Api) -> None:
    place = ("127.0.0.1", quick_api.port)
    with contextlib.ExitStack() as held:
        slow: list[tuple[socket.socket, bytes]] = []
        for begin, drip in ((b"", b""), (HEADERS_ONLY, b"a"), (body_of(quick_api), b" ")):
            for number in range(150):
                source = (f"127.0.1.{1 + number % 8}", 0)
                sock = held.enter_context(socket.create_connection(place, timeout=10, source_address=source))
                sock.sendall(begin)
                slow.append((sock, drip))
        longest = 0.0
        for _ in range(10):
            for sock, drip in slow:
                with contextlib.suppress(OSError):
                    sock.send(drip)
            asked = time.monotonic()
            assert httpx.get(f"http://127.0.0.1:{quick_api.port}/healthz").status_code == 200
            longest = max(longest, time.monotonic() - asked)
        assert longest < 1.0
        wait_for(lambda: all(_closed(sock) for sock, _ in slow), 15, "all to be closed")


def _closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_an_address_with_too_many_connections_is_told_so(quick_api: Api) -> None:
    place = ("127.0.0.1", quick_api.port)
    with contextlib.ExitStack() as held:
        for _ in range(600):
            held.enter_context(socket.create_connection(place, timeout=10, source_address=("127.0.9.9", 0)))
        wait_for(lambda: _answer(place, "127.0.9.9").startswith(b"HTTP/1.1 429"), 5, "all to be taken")
        head, _, body = _answer(place, "127.0.9.9").partition(b"\r\n\r\n")
        assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head and b"\r\nCache-Control: no-store" in head
        assert b"Retry-After: " in head and json.loads(body)["code"] == "too_many_connections"
        assert _answer(place, "127.0.9.8").startswith(b"HTTP/1.1 200")


def _answer(place: tuple[str, int], source: str) -> bytes:
    with socket.create_connection(place, timeout=10, source_address=(source, 0)) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            while piece := sock.recv(4096):
                answer += piece
    return answer


def test_a_body_without_a_key_is_refused_before_it_is_read(quick_api: Api) -> None:
    with socket.create_connection(("127.0.0.1", quick_api.port), timeout=10) as sock:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        assert status_of(read_until(sock, b"\r\n\r\n")) == 401
    with socket.create_connection(("127.0.0.1", quick_api.port), timeout=10) as sock:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: {quick_api.key}\r\nContent-Length: 99999999999\r\n\r\n"
        sock.sendall(head.encode())
        assert status_of(read_until(sock, b"\r\n\r\n")) == 413


def test_a_large_body_with_a_made_up_key_is_refused_before_it_is_read(quick_api: Api) -> None:
    """Nobody without a key fills the disk; with one a large body goes on."""
    for head in (b"Content-Length: 60000000", b"Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", quick_api.port), timeout=10) as sock:
            sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: nobody\r\n" + head + b"\r\n\r\n")
            assert status_of(read_until(sock, b"\r\n\r\n")) == 401
    text = "Hello there. " * 10_000
    for content in (
        json.dumps({"pipeline": "piper", "text": text}).encode(),
        iter([b'{"pipeline": "piper", ', b'"text": "Hi."}']),
    ):
        answer = httpx.post(
            f"http://127.0.0.1:{quick_api.port}/v1/jobs",
            content=content,
            headers={"X-API-Key": quick_api.key, "Content-Type": "application/json"},
        )
        assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("begin", [b"", b"5;a=", b"0\r\nA: "], ids=["size", "extension", "trailer"])
def test_a_line_between_chunks_ends(quick_api: Api, begin: bytes) -> None:
    with socket.create_connection(("127.0.0.1", quick_api.port), timeout=10) as sock:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: {quick_api.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
        sock.sendall(head.encode() + begin)
        with contextlib.suppress(OSError):
            for _ in range(200):
                sock.sendall(b"1" * 1024)
        assert status_of(read_until(sock, b"\r\n\r\n")) == 400


def test_downloads_that_nobody_reads_are_bounded_by_owner(quick_api: Api) -> None:
    hand = large(quick_api.job())
    statuses = []
    with contextlib.ExitStack() as held:
        for _ in range(60):
            stalled = held.enter_context(quick_api.open(f"{hand.url}/audio", receive_buffer=4096))
            statuses.append(status_of(stalled.recv(256)))
        assert statuses == [200] * 8 + [503] * 52
        for _ in range(20):
            assert httpx.get(f"http://127.0.0.1:{quick_api.port}/healthz", timeout=2).status_code == 200
        with quick_api.http() as http:  # what is small needs no place
            part = http.get(f"{hand.url}/audio", headers={"Range": "bytes=0-999"})
            assert (part.status_code, len(part.content)) == (206, 1000)
    with quick_api.http() as http:
        wait_for(lambda: http.head(f"{hand.url}/audio").status_code == 200, 5, "places")
        wait_for(lambda: len(http.get(f"{hand.url}/audio").content) == 64 * 2**20, 30, "a whole download")


def test_requests_one_behind_the_other_are_answered_in_order(quick_api: Api) -> None:
    with socket.create_connection(("127.0.0.1", quick_api.port), timeout=10) as sock:
        paths = ["/healthz", "/nothing", "/healthz", "/nothing"]
        sock.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths[:3]))
        sock.sendall(f"GET {paths[3]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    statuses = [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200, 404]


def test_streams_of_one_owner_leave_places_for_others(quick_api: Api) -> None:
    hand = quick_api.job()
    with contextlib.ExitStack() as held:
        for _ in range(2):
            connection = held.enter_context(quick_api.open(f"{hand.url}/events"))
            assert status_of(read_until(connection, b"\r\n\r\n")) == 200
        with quick_api.open(f"{hand.url}/events") as third:
            assert status_of(read_until(third, b"\r\n\r\n")) == 503
        bob = create_key(hand.connections.redis, "bob")
        job = httpx.post(
            f"http://127.0.0.1:{quick_api.port}/v1/jobs",
            json={"pipeline": "piper", "text": "Hello."},
            headers={"X-API-Key": bob},
        ).json()["id"]
        url = f"http://127.0.0.1:{quick_api.port}/v1/jobs/{job}/events"
        with httpx.stream("GET", url, headers={"X-API-Key": bob}, timeout=10) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize("by", ["revocation", "expiry"])
def test_a_stream_ends_once_its_key_is_revoked(quick_api: Api, by: str) -> None:
    redis = connect(quick_api.connections.settings.redis_url)
    eve = create_key(redis, "eve", expires_in=3600)
    base = f"http://127.0.0.1:{quick_api.port}/v1/jobs"
    job = httpx.post(base, json={"pipeline": "piper", "text": "Hello."}, headers={"X-API-Key": eve}).json()["id"]
    with httpx.stream("GET", f"{base}/{job}/events", headers={"X-API-Key": eve}, timeout=20) as answer:
        chunks = answer.iter_raw()
        assert next(chunks)
        began = time.monotonic()
        end_key(redis, eve, by)
        with contextlib.suppress(httpx.RemoteProtocolError):
            list(chunks)
        assert time.monotonic() - began < 10
    assert httpx.get(f"{base}/{job}", headers={"X-API-Key": eve}).status_code == 401


def end_key(redis: Redis, secret: str, by: str) -> None:
    if by == "revocation":
        revoke_key(redis, key_id(digest_of(secret)))
    else:
        redis.hset(f"ch:key:{digest_of(secret)}", "expires", str(int(redis.time()[0])))  # type: ignore[index]


def test_a_download_ends_once_its_key_is_revoked(quick_api: Api) -> None:
    hand = large(quick_api.job())
    redis = connect(quick_api.connections.settings.redis_url)
    key = create_key(redis, "ann")
    url = f"http://127.0.0.1:{quick_api.port}{hand.url}/audio"
    with httpx.stream("GET", url, headers={"X-API-Key": key}, timeout=20) as answer:
        chunks, size = answer.iter_raw(65536), 0
        while size < 2**20:
            size += len(next(chunks))
        end_key(redis, key, "revocation")
        time.sleep(0.6)  # the server waits until this client reads on
        with pytest.raises(httpx.RemoteProtocolError):
            size += sum(map(len, chunks))
        assert size < 48 * 2**20


def test_several_processes_serve_one_address(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "cli.main", "api", "--processes", "2"]
    with api_process(valkey, seaweedfs, tmp_path, {}, command) as api:
        for _ in range(10):
            assert httpx.get(f"http://127.0.0.1:{api.port}/healthz").status_code == 200
        os.kill(api.pid, signal.SIGTERM)
        wait_for(api.ended, 12, "its end")
