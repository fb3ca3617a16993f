"""Creating once, waiting, listing, canceling, retrying and deleting jobs, over WSGI on real servers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.errors import ModelFailed
from core.redis import connect
from core.work import CPU
from storage.access.keys import create_key
from storage.ledger.events import events_of
from storage.ledger.ledger import Ledger
from storage.ledger.records import Outcome
from storage.ledger.registry import WorkerRecord, announce
from tests import present
from tests.conftest import S3
from tests.integration.test_api import job, settings_for


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


def created(client: FlaskClient, **changes: Any) -> str:
    answer = client.post("/v1/jobs", json=job(**changes))
    assert answer.status_code == 202, answer.data
    return str(answer.get_json()["id"])


def end(valkey: str, job_id: str, **changes: Any) -> None:
    """Ends a job at its first step, as a worker would."""
    ledger = Ledger(connect(valkey))
    outcome = Outcome(ref=present.item(ledger, job_id), station=CPU, **changes)
    assert ledger.advance([outcome]) == [True]


def test_two_hundred_creates_under_one_key_make_one_job(app: Flask, valkey: str) -> None:
    key = create_key(connect(valkey), "ann")

    def create(_: int) -> tuple[int, str]:
        headers = {"X-API-Key": key, "Idempotency-Key": "once"}
        answer = app.test_client().post("/v1/jobs", json=job(), headers=headers)
        return answer.status_code, answer.get_json()["id"]

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(create, range(200)))
    assert len(answers) == 1
    assert len(connect(valkey).keys("ch:job:*")) == 1  # type: ignore[arg-type]


def test_a_key_stands_for_one_body(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/jobs", json=job(), headers=headers).get_json()["id"]
    assert client.post("/v1/jobs", json=job(), headers=headers).get_json()["id"] == first
    other = client.post("/v1/jobs", json=job(text="Another text."), headers=headers)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    assert client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "l"}).get_json()["id"] != first


def test_a_refusal_is_not_kept(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k"}
    assert client.post("/v1/jobs", json=job(text=""), headers=headers).status_code == 422
    assert client.post("/v1/jobs", json=job(), headers=headers).status_code == 202
    assert client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "x" * 256}).status_code == 422


def test_an_answer_may_wait_for_the_end(client: FlaskClient, valkey: str) -> None:
    job_id = created(client)
    began = time.monotonic()
    assert client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=1"}).get_json()["state"] == "queued"
    assert 0.9 < time.monotonic() - began < 5
    timer = threading.Timer(0.3, end, (valkey, job_id), {"error": ModelFailed("no", step="prepare")})
    timer.start()
    began = time.monotonic()
    waited = client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "respond-async, wait=30"}).get_json()
    timer.join()
    assert waited["state"] == "failed" and time.monotonic() - began < 5


def test_cancel_and_retry(client: FlaskClient, valkey: str) -> None:
    job_id = created(client)
    first = present.item(Ledger(connect(valkey)), job_id)
    canceled = client.post(f"/v1/jobs/{job_id}/cancel")
    assert canceled.get_json()["state"] == "canceled"
    again = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.get_json()["code"]) == (409, "job_canceled")
    retried = client.post(f"/v1/jobs/{job_id}/retry")
    assert (retried.status_code, retried.get_json()["state"]) == (202, "queued")
    assert client.post(f"/v1/jobs/{job_id}/retry").get_json()["code"] == "job_queued"
    # What the first generation still does is not wanted any more.
    outcome = Outcome(ref=first, station=CPU)
    assert Ledger(connect(valkey)).advance([outcome]) == [False]


def test_a_deleted_job_is_gone_with_its_results(client: FlaskClient, app: Flask, valkey: str) -> None:
    job_id = created(client, text="A text that is long enough to lie in storage. " * 1000)
    objects = app.extensions["chorus"].objects
    assert list(objects.names(f"ann/jobs/{job_id}/"))
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 404
    assert not list(objects.names(f"ann/jobs/{job_id}/"))
    left = [k for k in connect(valkey).keys("ch:*") if job_id.encode() in k]  # type: ignore[union-attr]
    assert not left


def test_jobs_are_listed_by_pages_newest_first(client: FlaskClient) -> None:
    ids = [created(client, metadata={"n": str(n % 2)}) for n in range(7)][::-1]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/jobs", query_string=query).get_json()
        seen += [j["id"] for j in page["data"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids
    odd = client.get("/v1/jobs?metadata.n=1").get_json()["data"]
    assert [j["id"] for j in odd] == [i for n, i in enumerate(ids) if (6 - n) % 2 == 1]


def test_jobs_are_filtered(client: FlaskClient, valkey: str) -> None:
    first, second = created(client), created(client)
    end(valkey, first, error=ModelFailed())
    by_state = client.get("/v1/jobs?state=failed").get_json()["data"]
    assert [j["id"] for j in by_state] == [first]
    assert len(client.get("/v1/jobs?pipeline=piper").get_json()["data"]) == 2
    moment = client.get(f"/v1/jobs/{second}").get_json()["created"]
    later = client.get("/v1/jobs", query_string={"created_after": moment}).get_json()["data"]
    assert first not in [j["id"] for j in later]
    eve = client.get("/v1/jobs", headers={"X-API-Key": create_key(connect(valkey), "eve")}).get_json()
    assert eve == {"object": "list", "data": [], "next": None}


@pytest.mark.parametrize(
    "query",
    ["state=done", "limit=0", "limit=9999", "limit=x", "cursor=!!", "cursor=YQ==", "created_after=yesterday", "foo=1"],
)
def test_a_bad_filter_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/v1/jobs?{query}")
    assert (answer.status_code, len(answer.get_json()["errors"])) == (422, 1)


def test_too_much_unfinished_work_is_a_503(valkey: str, seaweedfs: S3) -> None:
    create_key(connect(valkey), "ann")
    app = create_app(settings_for(valkey, seaweedfs, auth="off", max_unfinished_per_owner=3))
    client = app.test_client()
    for _ in range(3):
        assert client.post("/v1/jobs", json=job()).status_code == 202
    full = client.post("/v1/jobs", json=job())
    assert (full.status_code, full.get_json()["code"]) == (503, "overloaded")
    assert int(full.headers["Retry-After"]) >= 1
    assert len(connect(valkey).keys("ch:job:*")) == 3  # type: ignore[arg-type]


def test_a_job_under_an_id_of_ones_own(client: FlaskClient, valkey: str) -> None:
    first = client.put("/v1/jobs/chapter-1", json=job())
    again = client.put("/v1/jobs/chapter-1", json=job())
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert again.get_json()["custom_id"] == "chapter-1"
    other = client.put("/v1/jobs/chapter-1", json=job(text="Something else."))
    assert (other.status_code, other.get_json()["code"]) == (409, "id_taken")
    assert client.get("/v1/jobs/chapter-1").get_json()["id"] == first.get_json()["id"]
    assert client.post("/v1/jobs/chapter-1/cancel").get_json()["state"] == "canceled"
    assert client.get("/v1/jobs/chapter-2").status_code == 404
    # Another owner's id of the same name is another job.
    eve = {"X-API-Key": create_key(connect(valkey), "eve")}
    assert client.get("/v1/jobs/chapter-1", headers=eve).status_code == 404
    theirs = client.put("/v1/jobs/chapter-1", json=job(text="Theirs."), headers=eve)
    assert theirs.status_code == 202 and theirs.get_json()["id"] != first.get_json()["id"]


@pytest.mark.parametrize(
    "name", ["job_0123456789abcdef01234567", "job_mine", "a%20b", "x" * 129, "%00", "ä", ".", ".."]
)
def test_an_id_of_ones_own_is_plain(client: FlaskClient, name: str) -> None:
    answer = client.put(f"/v1/jobs/{name}", json=job())
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_id")


def test_forty_puts_at_once_make_one_job(app: Flask, valkey: str) -> None:
    key = create_key(connect(valkey), "ann")

    def put(number: int) -> tuple[int, str]:
        body = job(text="The same." if number % 2 else "Another.")
        answer = app.test_client().put("/v1/jobs/mine", json=body, headers={"X-API-Key": key})
        return answer.status_code, answer.get_json().get("id", "")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(40)))
    assert len({found for status, found in answers if status in (200, 202)}) == 1
    assert {status for status, _ in answers} <= {200, 202, 409}
    assert len(connect(valkey).keys("ch:job:*")) == 1  # type: ignore[arg-type]


def test_the_eta_is_told_by_the_workers_and_then_by_the_job(client: FlaskClient, valkey: str) -> None:
    job_id = created(client, text="One sentence. " * 60)
    assert client.get(f"/v1/jobs/{job_id}").get_json()["progress"]["eta"] is None  # no worker has said how fast it is
    redis = connect(valkey)
    announce(redis, WorkerRecord(name="w", pid=1, host="h", capacity={"piper-joe": 8}, pace={"piper-joe": 0.5}))
    alone = client.get(f"/v1/jobs/{job_id}").get_json()["progress"]["eta"]
    load = Ledger(redis).get(job_id).load  # type: ignore[union-attr]
    assert alone == pytest.approx(load * 0.5)
    announce(redis, WorkerRecord(name="v", pid=2, host="h", capacity={"piper-joe": 8}, pace={"piper-joe": 0.5}))
    assert client.get(f"/v1/jobs/{job_id}").get_json()["progress"]["eta"] == pytest.approx(alone / 2, abs=0.06)
    bob = {"X-API-Key": create_key(redis, "bob")}
    client.post("/v1/jobs", json=job(), headers=bob)
    assert client.get(f"/v1/jobs/{job_id}").get_json()["progress"]["eta"] == pytest.approx(alone)
    redis.hset(f"ch:job:{job_id}", mapping={"state": "running", "started": time.time() - 10, "done": 20, "total": 60})
    assert client.get(f"/v1/jobs/{job_id}").get_json()["progress"]["eta"] == pytest.approx(20, abs=1)
    assert client.post(f"/v1/jobs/{job_id}/cancel").get_json()["progress"]["eta"] is None


def test_the_log_of_a_job_tells_its_events(client: FlaskClient, valkey: str) -> None:
    ledger = Ledger(connect(valkey))
    job_id = created(client)
    assert [e.type for e in events_of(ledger.get(job_id))] == ["job.queued"]  # type: ignore[arg-type]
    first = present.item(ledger, job_id)
    ledger.take(CPU, [first])
    end(valkey, job_id, error=ModelFailed())
    events = events_of(ledger.get(job_id))  # type: ignore[arg-type]
    assert [e.type for e in events] == ["job.queued", "job.running", "step.running", "step.failed", "job.failed"]
    assert [e.id for e in events] == [f"{job_id}:{first.generation}:{n}" for n in range(1, 6)]
    assert events[2].step is not None and events[2].step.name == "prepare" and events[2].at
    client.post(f"/v1/jobs/{job_id}/retry")
    second = present.generation(ledger, job_id)
    assert second > first.generation
    assert [e.id for e in events_of(ledger.get(job_id))] == [f"{job_id}:{second}:1"]  # type: ignore[arg-type]
