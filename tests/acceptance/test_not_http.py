"""What is no HTTP, or too large to be taken for it, is refused by the server itself: a problem document, no 5xx."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from api.http.browsers import DEFAULTS
from cli.local.stack import Stack

pytestmark = pytest.mark.patient

REQUESTS = {
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "nonsense": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET /healthz\r\n\r\n", 400),
    "strange version": (b"GET /healthz HTTP/7.7\r\n\r\n", 400),
    "strange method": (b"G@T /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bad header name": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n", 400),
    "folded header": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "unknown coding": (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {-xF\r\n\r\n", 400),
    "two lengths": (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "length and chunks": (
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "long line": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "long header": (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(500)) + b"\r\n", 431),
    "two chunked": (
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a length that is no number": (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n{", 400),
    "a list of lengths": (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n{", 400),
    "space before a colon": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-API-Key : a\r\n\r\n", 400),
    "a header after a lone CR": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\rX-API-Key: c\r\n\r\n", 400),
    "empty host": (b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "a host with a path": (b"GET /healthz HTTP/1.1\r\nHost: evil.example/x\r\n\r\n", 400),
    "a host with a user": (b"GET /healthz HTTP/1.1\r\nHost: a@evil.example\r\n\r\n", 400),
    "markup in the host": (b'GET /healthz HTTP/1.1\r\nHost: x"><script>\r\n\r\n', 400),
    "a host with a strange port": (b"GET /healthz HTTP/1.1\r\nHost: x:99999\r\n\r\n", 400),
    "strange wish": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n", 417),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_it_is_refused_as_a_problem(stack: Stack, name: str) -> None:
    data, status = REQUESTS[name]
    place = urlsplit(stack.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=15) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) == status, answer
    assert b"Content-Type: application/problem+json" in head
    assert all(f"\r\n{name}: {value}".encode() in head for name, value in DEFAULTS.items())
    assert b"\r\nServer:" not in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, "malformed_request")
