"""Ways around the API key of a real API process: paths, headers that differ or override, keys in the wrong place."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from core.redis import connect
from storage.access.keys import create_key
from tests.acceptance.test_following import Api, api_process
from tests.conftest import S3

pytestmark = pytest.mark.patient


@pytest.fixture(scope="module")
def api(valkey_server: str, seaweedfs: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with contextlib.closing(connect(valkey_server)) as client:
        client.flushall()
    with api_process(valkey_server, seaweedfs, tmp_path_factory.mktemp("ways"), {}) as found:
        yield found


@pytest.fixture(scope="module")
def other(api: Api, valkey_server: str) -> str:
    """A key of another owner."""
    return create_key(connect(valkey_server), "bob")


def ask(api: Api, target: str, *headers: str, method: str = "GET", body: str = "") -> tuple[int, bytes]:
    """Status and whole answer to a request whose target and headers are sent as they are."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", api.port), timeout=15) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize(
    "target",
    [
        "/v1/jobs",
        "/%76%31/jobs",
        "//v1/jobs",
        "////v1//jobs",
        "/v1%2fjobs",
        "/%2fv1/jobs",
        "/%2f%2fv1/jobs",
        "/V1/jobs",
        "/v1/jobs/",
        "/v1/jobs;x=1",
        "/v1/jobs%00",
        "/v1/jobs%20",
        "/./v1/jobs",
        "/docs/../v1/jobs",
        "/docs/%2e%2e/v1/jobs",
        "/healthz/..%2fv1/jobs",
        "/healthz/%2e%2e/v1/jobs",
        "/v1\\jobs",
        "http://test/v1/jobs",
        "http://evil.example//v1/jobs",
        "/v1/jobs?api_key=KEY",
        "/v1/jobs?X-API-Key=KEY",
        "/v1/jobs?Authorization=Bearer%20KEY",
        "/v1/jobs#KEY",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_no_spelling_of_a_path_needs_no_key(api: Api, target: str, method: str) -> None:
    status, _ = ask(api, target.replace("KEY", api.key), method=method, body="{}" if method == "POST" else "")
    assert status in (401, 404, 405)


@pytest.mark.parametrize(
    "target",
    ["/v1/jobs/%2e%2e/webhook-secret", "/v1/jobs/..%2fwebhook-secret", "/V1/webhook-secret", "/v1//webhook-secret"],
)
def test_no_path_leads_from_one_resource_to_another(api: Api, target: str) -> None:
    assert ask(api, target, f"X-API-Key: {api.key}")[0] == 404


def test_of_keys_that_differ_none_is_guessed(api: Api, other: str) -> None:
    """Two of one header are no key at all; Authorization counts where both headers are there."""
    bearer = "Authorization: Bearer"
    for headers in (
        (f"{bearer} {api.key}", f"{bearer} {other}"),
        (f"X-API-Key: {api.key}", f"X-API-Key: {other}"),
        (f"{bearer} {api.key}, {bearer[15:]} {other}",),
        (f"X-API-Key: {api.key},{other}",),
        (f"{bearer} wrong", f"X-API-Key: {api.key}"),
        (f"X_API_Key: {api.key}",),
        (f"Authorization: {api.key}",),
        (f"Cookie: X-API-Key={api.key}; Authorization={api.key}",),
        (f"X-API-Key: {api.key.upper()}",),
    ):
        assert ask(api, "/v1/jobs", *headers)[0] == 401, headers
    job = api.job().id
    seen = {ask(api, f"/v1/jobs/{job}", f"{bearer} {a}", f"X-API-Key: {b}")[0] for a, b in ((api.key, other),)}
    hidden = {ask(api, f"/v1/jobs/{job}", f"{bearer} {other}", f"X-API-Key: {api.key}")[0]}
    assert (seen, hidden) == ({200}, {404})


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
def test_no_header_changes_the_method(api: Api, header: str) -> None:
    job = api.job().id
    assert (
        ask(api, f"/v1/jobs/{job}?_method=DELETE", f"X-API-Key: {api.key}", f"{header}: DELETE", method="GET")[0] == 200
    )
    assert ask(api, f"/v1/jobs/{job}", f"X-API-Key: {api.key}", f"{header}: DELETE", method="POST", body="{}")[0] == 405
    assert api.client.get(f"/v1/jobs/{job}").status_code == 200


def test_headers_of_proxies_are_not_believed(api: Api) -> None:
    """Neither for links, nor for the path, nor for the address that connections are counted for."""
    forged = (
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Prefix: /evil",
        "X-Script-Name: /evil",
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1;host=evil.example;proto=https",
        "X-Original-URL: /v1/webhook-secret",
        "X-Rewrite-URL: /v1/webhook-secret",
    )
    status, made = ask(
        api,
        "/v1/jobs",
        f"X-API-Key: {api.key}",
        *forged,
        method="POST",
        body='{"pipeline": "piper", "text": "Links."}',
    )
    assert status == 202 and b"\r\nLocation: http://test/v1/jobs/" in made and b"evil" not in made
    status, home = ask(api, "/", *forged)
    assert status == 302 and b"evil" not in home
    status, alive = ask(api, "/healthz", *forged)
    assert (status, b"ok" in alive, b"secret" in alive) == (200, True, False)


def test_a_request_inside_the_body_of_another_stays_a_body(api: Api) -> None:
    inner = f"GET /v1/webhook-secret HTTP/1.1\r\nHost: test\r\nX-API-Key: {api.key}\r\n\r\n"
    for spelling in ("Transfer_Encoding: chunked", "Content_Length: 0", "X-Content-Length: 0"):
        status, answer = ask(api, "/v1/jobs", spelling, method="POST", body=inner)
        assert status == 401 and answer.count(b"HTTP/1.1 ") == 1, spelling


def test_a_trailer_is_no_header(api: Api) -> None:
    head = (
        "POST /v1/jobs HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-API-Key"
    )
    with socket.create_connection(("127.0.0.1", api.port), timeout=15) as connection:
        connection.sendall(f"{head}\r\n\r\n2\r\n{{}}\r\n0\r\nX-API-Key: {api.key}\r\n\r\n".encode())
        assert b" 401 " in connection.recv(65536).split(b"\r\n")[0]
