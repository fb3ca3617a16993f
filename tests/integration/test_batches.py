"""Batches: items to jobs, counts that follow them, manifest, ZIP, cancel, retry; over WSGI on real servers."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.names import AudioFormat
from core.redis import connect
from core.settings import Settings
from core.work import CPU, ItemRef, Plan
from storage.access.keys import create_key
from storage.ledger.batches import job_of
from storage.ledger.documents import OutputDocument
from storage.ledger.records import Outcome, Work
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from workers.steps.expand import expand

DEFAULTS = {"pipeline": "piper", "output": {"format": "flac"}, "metadata": {"set": "one"}}


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    create_key(connect(valkey), "ann")
    return settings_for(valkey, seaweedfs)


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def line(settings: Settings) -> CpuLine:
    return CpuLine(settings)


def item(name: str, **job: Any) -> dict[str, Any]:
    return {"custom_id": name, "job": {"text": f"This is {name}.", **job}}


def submit(client: FlaskClient, items: list[Any], **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/batches", json={"defaults": DEFAULTS, "items": items, **changes})
    assert answer.status_code == 202, answer.data
    found: dict[str, Any] = answer.get_json()
    return found


def get(client: FlaskClient, batch: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/batches/{batch}").get_json()
    return found


def open_(line: CpuLine) -> None:
    """Does the ``expand`` step and nothing behind it."""
    assert line.run(1) == 1


def result(line: CpuLine, job: str, data: bytes = b"fLaC") -> None:
    """Ends a job with audio, as ``assemble`` would."""
    found = line.connections.ledger.get(job)
    assert found is not None
    name = f"{found.owner}/jobs/{job}/{found.generation}/audio.flac"
    line.connections.objects.put(name, data, "audio/flac")
    audio = {"object": name, "format": "flac", "duration": 1.0, "sample_rate": 22050, "bytes": len(data), "sha256": "0"}
    shorter = Plan.parse("prepare:cpu assemble:cpu")
    line.connections.ledger.advance([Outcome(ref=ItemRef(job, found.generation, 0), station=CPU, plan=shorter)])
    done = {"audio": audio, "characters": 3, "seed": 0}
    line.connections.ledger.advance([Outcome(ref=ItemRef(job, found.generation, 1), station=CPU, result=done)])


def counts(**changes: int) -> dict[str, int]:
    return {"queued": 0, "running": 0, "succeeded": 0, "failed": 0, "canceled": 0, **changes}


def test_items_become_jobs_with_the_defaults_under_them(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item("a"), item("b", output={"loudness": -20}, metadata={"n": "2"}, priority="normal")])
    assert (batch["state"], batch["counts"]) == ("queued", counts(queued=2))
    open_(line)
    assert (get(client, batch["id"])["state"], get(client, batch["id"])["counts"]) == ("running", counts(queued=2))
    first, second = (line.connections.ledger.get(job_of(batch["id"], n)) for n in range(2))
    assert first is not None and second is not None
    assert (first.priority, second.priority) == ("bulk", "normal")
    assert second.document.output == OutputDocument(format=AudioFormat.FLAC, loudness=-20)
    assert second.document.metadata == {"set": "one", "n": "2"}
    listed = client.get("/v1/jobs", query_string={"batch": batch["id"]}).get_json()["data"]
    assert {(j["custom_id"], j["batch"]) for j in listed} == {("a", batch["id"]), ("b", batch["id"])}


BAD: list[Any] = [
    {"custom_id": "no-job"},
    {"custom_id": "no-text", "job": {}},
    {"custom_id": "a", "job": {"text": "The same name again."}},
    {"custom_id": "x", "job": {"text": "…"}},
    {"custom_id": "y", "job": {"text": "Hello.", "volume": 11}},
    {"custom_id": "z", "job": {"text": "Hello.", "voice": "nobody"}},
    {"custom_id": "ref", "job": {"text": "Hello.", "pipeline": "voice_match", "reference": {"base64": "AAAA"}}},
    {"job": {"text": "Hello."}},
]


def test_a_bad_item_does_not_sink_the_rest(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item("a"), *BAD, item("b")])["id"]
    open_(line)
    found = get(client, batch)
    assert found["counts"] == counts(queued=2, failed=len(BAD))
    codes = ["missing_field", "missing_text", "duplicate_custom_id", "no_words", "unknown_field", "unknown_voice"]
    assert [e["code"] for e in found["errors"]][:6] == codes
    assert [e["line"] for e in found["errors"]] == list(range(2, 2 + len(BAD)))
    line.end(job_of(batch, 0), failed=True)
    assert get(client, batch)["state"] == "running"
    line.end(job_of(batch, len(BAD) + 1), failed=True)
    ended = get(client, batch)
    assert (ended["state"], ended["counts"]) == ("completed", counts(failed=len(BAD) + 2))
    assert ended["ended"] and ended["expires"]


def test_a_strict_batch_makes_no_job_where_one_item_is_bad(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item("a"), *BAD], strict=True)["id"]
    open_(line)
    found = get(client, batch)
    assert (found["state"], found["error"]["code"]) == ("failed", "invalid_items")
    assert found["counts"] == counts(failed=len(BAD) + 1)
    assert len(found["errors"]) == len(BAD)
    assert client.get("/v1/jobs").get_json()["data"] == []
    assert line.run() == 0


def test_manifest_and_zip(client: FlaskClient, line: CpuLine) -> None:
    names = ["l1", "../../etc/passwd", "L1", "ä ö", "."]
    batch = submit(client, [item(name) for name in names] + [{"custom_id": "bad", "job": {"text": ""}}])["id"]
    early = client.get(f"/v1/batches/{batch}/manifest")
    assert (early.status_code, early.get_json()["code"]) == (409, "batch_queued")
    open_(line)
    for n in range(4):
        result(line, job_of(batch, n), f"audio {n}".encode())
    line.end(job_of(batch, 4), failed=True)
    answer = client.get(f"/v1/batches/{batch}/manifest")
    lines = [json.loads(text) for text in answer.text.splitlines()]
    assert [entry["custom_id"] for entry in lines] == [*names, "bad"]
    assert [entry["state"] for entry in lines] == ["succeeded"] * 4 + ["failed"] * 2
    assert [entry["file"] for entry in lines] == ["l1.flac", "_.._etc_passwd.flac", "L1-2.flac", "ä_ö.flac", None, None]
    assert lines[0]["url"].endswith(f"/v1/jobs/{lines[0]['job']}/audio") and lines[0]["duration"] == 1.0
    assert [entry["error"] and entry["error"]["code"] for entry in lines[3:]] == [None, "model_failed", "empty_text"]
    packed = client.get(f"/v1/batches/{batch}/zip")
    assert packed.headers["Content-Disposition"] == f'attachment; filename="{batch}.zip"'
    for kept in (answer, packed):
        assert kept.headers["Cache-Control"] == "no-store" and kept.headers["X-Content-Type-Options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {*(e["file"] for e in lines if e["file"]), "manifest.jsonl"}
        assert archive.read("L1-2.flac") == b"audio 2"
        told = [json.loads(text) for text in archive.read("manifest.jsonl").decode().splitlines()]
    assert [entry["custom_id"] for entry in told] == [*names, "bad"]


def test_cancel_and_retry(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item(str(n)) for n in range(4)])["id"]
    open_(line)
    result(line, job_of(batch, 0))
    line.end(job_of(batch, 1), failed=True)
    canceled = client.post(f"/v1/batches/{batch}/cancel").get_json()
    assert (canceled["state"], canceled["counts"]) == ("canceled", counts(succeeded=1, failed=1, canceled=2))
    again = client.post(f"/v1/batches/{batch}/cancel")
    assert (again.status_code, again.get_json()["code"]) == (409, "batch_canceled")
    retried = client.post(f"/v1/batches/{batch}/retry")
    assert (retried.status_code, retried.get_json()["counts"]) == (202, counts(succeeded=1, queued=3))
    assert retried.get_json()["state"] == "running" and retried.get_json()["expires"] is None
    for n in range(1, 4):
        line.end(job_of(batch, n), failed=True)
    assert get(client, batch)["state"] == "completed"


def test_canceled_before_it_was_opened_and_retried(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item(str(n)) for n in range(3)])["id"]
    canceled = client.post(f"/v1/batches/{batch}/cancel").get_json()
    assert (canceled["state"], canceled["counts"]) == ("canceled", counts(canceled=3))
    assert line.run() == 0 or client.get("/v1/jobs").get_json()["data"] == []
    assert client.post(f"/v1/batches/{batch}/retry").get_json()["counts"] == counts(queued=3)
    open_(line)
    assert len(client.get("/v1/jobs").get_json()["data"]) == 3


def test_an_expansion_that_died_goes_on_where_it_was(client: FlaskClient, line: CpuLine) -> None:
    batch = submit(client, [item(str(n)) for n in range(3)] + BAD[:1])["id"]
    open_(line)
    before = get(client, batch)["counts"]
    # The same step once more, as if its worker had died before it was recorded.
    found = line.connections.ledger.get(batch)
    assert found is not None
    line.connections.redis.hset(f"ch:job:{batch}", "state", "running")
    expand(line.connections, ItemRef(batch, found.generation, 0), Work(document=found.document, plan=found.plan))
    assert get(client, batch)["counts"] == before
    assert len(client.get("/v1/jobs").get_json()["data"]) == 3


def test_items_come_by_upload_as_json_lines(client: FlaskClient, line: CpuLine) -> None:
    upload = client.post("/v1/uploads").get_json()
    lines = [json.dumps(item("a")), "", "{broken", '["no object"]', json.dumps(item("b"))]
    client.put(f"/v1/uploads/{upload['id']}", data="\n".join(lines).encode())
    answer = client.post("/v1/batches", json={"defaults": DEFAULTS, "upload": upload["id"]})
    assert answer.get_json()["counts"] == counts(queued=4)
    open_(line)
    found = get(client, answer.get_json()["id"])
    assert found["counts"] == counts(queued=2, failed=2)
    assert [(e["line"], e["code"]) for e in found["errors"]] == [(2, "not_json"), (3, "not_json")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_value"),
        ({"items": []}, "invalid_value"),
        ({"items": [1]}, "invalid_value"),
        ({"items": [{}] * 10_001}, "invalid_value"),
        ({"items": [{}], "upload": "up_1"}, "invalid_value"),
        ({"upload": "up_1"}, "upload_not_found"),
        ({"items": [{}], "color": "red"}, "unknown_field"),
        ({"items": [{}], "webhook": "we_" + "0" * 24}, "webhook_not_found"),
    ],
)
def test_a_bad_batch_is_refused_whole(client: FlaskClient, body: dict[str, Any], code: str) -> None:
    answer = client.post("/v1/batches", json=body)
    assert answer.get_json()["code"] == code
    assert client.get("/v1/batches").get_json()["data"] == []


def test_one_batch_under_one_idempotency_key(client: FlaskClient) -> None:
    body, headers = {"defaults": DEFAULTS, "items": [item("a")]}, {"Idempotency-Key": "k"}
    first = client.post("/v1/batches", json=body, headers=headers).get_json()["id"]
    assert client.post("/v1/batches", json=body, headers=headers).get_json()["id"] == first
    other = client.post("/v1/batches", json={**body, "strict": True}, headers=headers)
    assert other.get_json()["code"] == "idempotency_key_reused"


def test_batches_are_listed_by_pages_and_hidden_from_others(client: FlaskClient, valkey: str) -> None:
    ids = [submit(client, [item("a")])["id"] for _ in range(5)][::-1]
    first = client.get("/v1/batches?limit=3").get_json()
    assert [b["id"] for b in first["data"]] == ids[:3]
    second = client.get("/v1/batches", query_string={"limit": 3, "cursor": first["next"]}).get_json()
    assert ([b["id"] for b in second["data"]], second["next"]) == (ids[3:], None)
    eve = {"X-API-Key": create_key(connect(valkey), "eve")}
    assert client.get(f"/v1/batches/{ids[0]}", headers=eve).status_code == 404
    assert client.get("/v1/batches?cursor=x").status_code == 422


def test_a_deleted_batch_leaves_nothing(client: FlaskClient, line: CpuLine, valkey: str) -> None:
    batch = submit(client, [item(str(n)) for n in range(3)] + BAD[:2])["id"]
    open_(line)
    result(line, job_of(batch, 0))
    assert client.delete(f"/v1/batches/{batch}").status_code == 204
    assert client.get(f"/v1/batches/{batch}").status_code == 404
    assert client.get("/v1/jobs").get_json()["data"] == []
    ids = [batch, *(job_of(batch, n) for n in range(5))]
    left = [k for k in connect(valkey).keys("ch:*") if any(i.encode() in k for i in ids)]  # type: ignore[union-attr]
    assert not left
    assert not [name for name in line.connections.objects.names("ann/") if any(i in name for i in ids)]
