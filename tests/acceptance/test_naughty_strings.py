"""The Big List of Naughty Strings as text, id, metadata and header value, through a whole stack with a real voice.

No 5xx, no job that hangs, nothing executed, and what is taken comes back as it was. A fifth of the list in each run of
the tests, all of it in ``make proof``.
"""

from __future__ import annotations

import io
import json
import socket
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from cli.local.stack import Stack
from tests.shared_data import data_path
from tests.stack_access import StackAccess

pytestmark = [pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(600)]

#: What the list's own commands would leave behind, were one of them run.
CANARY = Path("/tmp/blns.fail")

#: Headers whose value somebody reads, by the request that they go with; those of one group go together.
HEADERS: dict[str, list[tuple[str, ...]]] = {
    "POST": [("Idempotency-Key",), ("Content-Type",), ("Prefer", "User-Agent", "Cookie")],
    "GET": [("Authorization",), ("X-API-Key",), ("Range", "If-Range"), ("If-None-Match", "Accept", "X-Forwarded-For")],
    "EVENTS": [("Last-Event-ID",)],
}


@pytest.fixture(scope="module", params=[5, pytest.param(1, marks=pytest.mark.proof)], ids=["a fifth", "all"])
def naughty(request: pytest.FixtureRequest) -> list[str]:
    """Every so manyth string; neighbours in the list are of one kind."""
    found: list[str] = json.loads(data_path("sentences/blns.json").read_text())
    return found[:: request.param]


@pytest.fixture(scope="module")
def access(stack: Stack) -> Iterator[StackAccess]:
    with StackAccess(stack) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_is_executed(access: StackAccess) -> Iterator[None]:
    """No command of the list leaves its trace, and no process of the stack has to be started again."""
    CANARY.unlink(missing_ok=True)
    restarts = [(p["name"], p["restarts"]) for p in access.state()["processes"]]
    yield
    assert not CANARY.exists()
    assert [(p["name"], p["restarts"]) for p in access.state()["processes"]] == restarts


def test_as_text_and_as_names_in_a_batch(access: StackAccess, naughty: list[str]) -> None:
    """Each is spoken, or says why not; files get names that no file system trips over."""
    items = [
        {"custom_id": text, "job": {"text": text, "options": {"speed": 4.0}, "metadata": {"said": text}}}
        for text in naughty
    ]
    body = {"defaults": {"pipeline": "piper", "output": {"format": "flac"}}, "items": items}
    batch = access.http.post("/v1/batches", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert batch.status_code == 202, batch.text
    own = f"/v1/batches/{batch.json()['id']}"
    found = access.ended_batch(batch.json()["id"], 500)
    assert found["state"] == "completed"
    entries = [json.loads(line) for line in access.http.get(f"{own}/manifest").text.split("\n") if line]
    assert len(entries) == len(naughty) == sum(found["counts"].values())
    spoken = [entry for entry in entries if entry["state"] == "succeeded"]
    assert len(spoken) > len(naughty) * 0.4
    refused = {entry["error"]["code"] for entry in entries if entry["state"] != "succeeded"}
    known = {"empty_text", "no_words", "invalid_text", "unspeakable_text", "invalid_value", "duplicate_custom_id"}
    assert refused <= known, refused
    for entry, text in zip(entries, naughty, strict=True):
        assert entry["custom_id"] in (text, None)
    jobs = list(_jobs(access, batch.json()["id"]))
    assert {job["custom_id"] for job in jobs} == {job["metadata"]["said"] for job in jobs} <= set(naughty)
    with zipfile.ZipFile(io.BytesIO(access.http.get(f"{own}/zip").content)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert len({unicodedata.normalize("NFC", name.lower()) for name in names}) == len(names)
        assert not [c for name in names for c in name if unicodedata.category(c)[0] in "CZ" or c in '/\\:*?"<>|'], names
        assert not [name for name in names if name.startswith(".")], names
        assert any(not name.isascii() for name in names)


def _jobs(access: StackAccess, batch: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        params = {"batch": batch, "limit": 100, **({"cursor": cursor} if cursor else {})}
        page = access.http.get("/v1/jobs", params=params).json()
        yield from page["data"]
        cursor = page["next"]
        if cursor is None:
            return


def test_as_ids(access: StackAccess, naughty: list[str]) -> None:
    body = {"pipeline": "piper", "text": "Hello."}
    for text in naughty:
        name = quote(text, safe="")
        made = access.http.put(f"/v1/jobs/{name}", json=body)
        assert made.status_code in (200, 202, 404, 405, 422), (text, made.text)
        if made.is_success:
            found = access.http.get(f"/v1/jobs/{name}").json()
            assert (found["custom_id"], found["id"]) == (text, made.json()["id"])
        for path in ("jobs", "batches", "voices", "uploads"):
            for verb, more in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/audio"), ("GET", "/events")):
                if path == "jobs" and made.is_success:
                    continue
                answer = access.http.request(verb, f"/v1/{path}/{name}{more}")
                assert answer.status_code < 500, (verb, path, text, answer.text)
        for field in ("pipeline", "voice", "language", "models", "reference", "webhook", "priority"):
            given = {"reference": {"upload": text}, "models": {"synthesize": text}}.get(field, text)
            answer = access.http.post("/v1/jobs", json={**body, field: given})
            assert answer.status_code in (422, 202), (field, text, answer.text)
    assert access.http.get("/v1/jobs", params={"limit": 1}).is_success


def test_as_metadata_and_in_queries(access: StackAccess, naughty: list[str]) -> None:
    for text in naughty:
        body = {"pipeline": "piper", "text": "Hello.", "metadata": {"value": text, text[:64]: "key"}}
        made = access.http.post("/v1/jobs", json=body)
        if not text:  # no key is empty
            assert made.status_code == 422
            continue
        assert made.status_code == 202, (text, made.text)
        assert access.get(made.json()["id"])["metadata"] == body["metadata"]
        listed = access.http.get("/v1/jobs", params={"metadata.value": text, "limit": 1})
        assert [job["metadata"]["value"] for job in listed.json()["data"]] == [text]
        for params in ({"cursor": text}, {"state": text}, {"created_after": text}, {text: "1"}):
            answer = access.http.get("/v1/jobs", params={"limit": "2", **params})
            assert answer.status_code in (200, 422), (params, answer.text)


def test_as_header_values(access: StackAccess, naughty: list[str]) -> None:
    job = access.run({"pipeline": "piper", "text": "Hello."})["id"]
    body = json.dumps({"pipeline": "piper", "text": "Hello."}).encode()
    requests = {
        "POST": ("POST", "/v1/jobs", body),
        "GET": ("GET", f"/v1/jobs/{job}/audio", b""),
        "EVENTS": ("GET", f"/v1/jobs/{job}/events", b""),
    }
    for text in naughty:
        # A line break would be the client's own header injection.
        value = text.encode().replace(b"\r", b" ").replace(b"\n", b" ")
        for kind, groups in HEADERS.items():
            for names in groups:
                sent = {name.encode(): value for name in names}
                status = raw(access, *requests[kind][:2], sent, requests[kind][2])
                assert status < 500, (names, text, status)
                assert names != ("X-API-Key",) or status in (400, 401), (text, status)
    assert access.http.get("/healthz").is_success


def raw(access: StackAccess, method: str, path: str, headers: dict[bytes, bytes], body: bytes) -> int:
    """The status of a request whose headers no library looks at first."""
    place = urlsplit(access.stack.url)
    usual = {b"X-API-Key": access.stack.api_key.encode(), b"Content-Type": b"application/json"}
    head = [f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {len(body)}\r\n".encode()]
    head += [name + b": " + value + b"\r\n" for name, value in {**usual, **headers}.items()]
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as connection:
        connection.sendall(b"".join(head) + b"\r\n" + body)
        answer = b""
        while b"\r\n" not in answer:
            piece = connection.recv(4096)
            assert piece, (headers, answer)
            answer += piece
    return int(answer.split(b" ", 2)[1])


@pytest.mark.usefixtures("naughty")
def test_every_job_ends(access: StackAccess) -> None:
    """Whatever the tests above made, none of it hangs."""
    access.wait_for_all(300)
    with httpx.Client(base_url=access.stack.url) as http:
        assert http.get("/readyz").status_code == 200
