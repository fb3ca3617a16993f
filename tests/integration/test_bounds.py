"""Requests that are small and would become large: each is judged before it is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.errors import ConfigurationError, LedgerUnavailable, Overloaded
from core.names import Priority
from core.redis import connect
from core.settings import Settings, load_settings
from core.work import Plan
from storage.access.keys import create_key
from storage.ledger.documents import JobDocument
from storage.ledger.ledger import Ledger
from storage.ledger.records import NewJob
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    create_key(connect(valkey), "ann")
    return settings_for(valkey, seaweedfs)


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


def post(client: FlaskClient, path: str, text: str) -> Any:
    return client.post(path, data=text.encode(), content_type="application/json")


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e400", "NaN"])
@pytest.mark.parametrize(
    "field", ['"options": {"seed": %s}', '"options": {"speed": %s}', '"deadline": %s', '"expires_in": %s']
)
def test_a_number_beyond_all_bounds_is_refused(client: FlaskClient, field: str, number: str) -> None:
    answer = post(client, "/v1/jobs", '{"pipeline": "piper", "text": "Hello.", %s}' % (field % number))
    code = "not_json" if number == "NaN" else "number_out_of_range"
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)


@pytest.mark.parametrize("bad", ['{"seed": 1%s}' % ("0" * 400), '{"speed": 1e400}', '{"speed": 1e308}', '{"seed": -1}'])
def test_in_a_batch_it_is_that_items_error(client: FlaskClient, settings: Settings, bad: str) -> None:
    good = '{"custom_id": "good", "job": {"text": "Hello."}}'
    wrong = '{"custom_id": "wrong", "job": {"text": "Hello.", "options": ' + bad + "}}"
    body = '{"defaults": {"pipeline": "piper"}, "items": [' + f"{wrong}, {good}]}}"
    answer = post(client, "/v1/batches", body)
    assert answer.status_code == 202, answer.data
    CpuLine(settings).run(1)
    found = client.get(f"/v1/batches/{answer.get_json()['id']}").get_json()
    assert found["counts"]["failed"] == 1 and found["counts"]["queued"] + found["counts"]["running"] == 1
    assert [error["line"] for error in found["errors"]] == [1]
    assert found["errors"][0]["code"] != "internal_error"


def test_defaults_are_bounded_as_well(client: FlaskClient) -> None:
    body = '{"defaults": {"pipeline": "piper", "options": {"speed": 1e400}}, "items": [{"custom_id": "a", "job": {}}]}'
    answer = post(client, "/v1/batches", body)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "not_json")


def test_what_nobody_foresaw_in_an_item_is_that_items_error(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.steps import expand

    def fail(*_: object) -> None:
        raise OverflowError("int too large to convert to float")

    items = [{"custom_id": name, "job": {"text": "Hello."}} for name in ("a", "b")]
    made = client.post("/v1/batches", json={"defaults": {"pipeline": "piper"}, "items": items}).get_json()
    real = expand._job
    monkeypatch.setattr(expand, "_job", lambda *a: fail() if a[3] == 0 else real(*a))
    CpuLine(settings).run(1)
    found = client.get(f"/v1/batches/{made['id']}").get_json()
    assert [(e["line"], e["code"]) for e in found["errors"]] == [(1, "internal_error")]
    assert found["counts"]["queued"] == 1


def test_json_is_bounded_far_below_uploads(valkey: str, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_json_bytes": 10_000}))
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
    large = client.post("/v1/jobs", json=job(text="Hello. " * 2_000))
    assert (large.status_code, large.get_json()["code"]) == (413, "json_too_large")
    assert "upload" in large.get_json()["detail"]
    for path in ("/v1/batches", "/v1/voices", "/v1/webhooks"):
        assert post(client, path, '{"a": "%s"}' % ("x" * 10_000)).status_code == 413
    deep = post(client, "/v1/jobs", '{"a":' * 100 + "1" + "}" * 100)
    assert (deep.status_code, deep.get_json()["code"]) == (400, "not_json")


def test_a_byte_order_mark_loses_nothing(client: FlaskClient, settings: Settings) -> None:
    bom = b"\xef\xbb\xbf"
    assert (
        client.post("/v1/jobs", data=bom + json.dumps(job()).encode(), content_type="application/json").status_code
        == 202
    )
    upload = client.post("/v1/uploads").get_json()
    lines = b"\n".join(json.dumps({"custom_id": n, "job": {"text": "Hello."}}).encode() for n in "abc")
    assert client.put(f"/v1/uploads/{upload['id']}", data=bom + lines).status_code == 200
    body = {"defaults": {"pipeline": "piper"}, "upload": upload["id"], "strict": True}
    made = client.post("/v1/batches", json=body).get_json()
    CpuLine(settings).run(1)
    found = client.get(f"/v1/batches/{made['id']}").get_json()
    assert found["errors"] == [] and found["counts"]["queued"] == 3


def test_metadata_is_bounded_in_bytes(client: FlaskClient) -> None:
    most = {f"k{n}": "é" * 400 for n in range(20)}
    assert client.post("/v1/jobs", json=job(metadata=most)).status_code == 202
    answer = client.post("/v1/jobs", json=job(metadata=most | {"more": "é" * 400}))
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "metadata")


def test_defaults_count_for_each_item_that_they_are_laid_under(client: FlaskClient, valkey: str) -> None:
    """56 kB that would be 210,000 utterances, and 121 kB that would be 70 MB of the ledger."""
    items = [{"custom_id": f"i{n}", "job": {}} for n in range(420)]
    text = {"pipeline": "piper", "text": "Some words. " * 3_500}
    titles = {"pipeline": "piper", "chapters": [{"title": "t" * 500, "text": "Hello."}] * 40}
    metadata = {"pipeline": "piper", "text": "Hello.", "metadata": {f"k{n}": "\U0001f600" * 80 for n in range(48)}}
    client.get("/v1/batches")  # which is counted as a request, as are those that are refused
    before = len(connect(valkey).keys())  # type: ignore[arg-type]
    for defaults in (text, titles, {**metadata, "options": {f"o{n}": "x" * 200 for n in range(60)}}):
        answer = client.post("/v1/batches", json={"defaults": defaults, "items": items})
        assert (answer.status_code, answer.get_json()["code"]) == (422, "batch_too_large"), defaults.keys()
    assert len(connect(valkey).keys()) == before  # type: ignore[arg-type]
    assert client.post("/v1/batches", json={"defaults": metadata, "items": items[:200]}).status_code == 202


PLAN = Plan.parse("prepare:cpu *synthesize:voice assemble:cpu")


def new_job(name: str, owner: str, load: int) -> NewJob:
    return NewJob(
        id=name,
        owner=owner,
        priority=Priority.NORMAL,
        plan=PLAN,
        document=JobDocument(owner="ann", pipeline="sim"),
        deadline=60,
        keep=60,
        load=load,
    )


def test_no_owner_fills_the_service(valkey: str) -> None:
    """What an owner has above its own bound, for example since a text had more sentences than its length told, takes
    nobody else's place."""
    ledger = Ledger(connect(valkey), bounds=(50, 200))
    ledger.create(new_job("job_1", "ann", 1_000))
    with pytest.raises(Overloaded, match="You have"):
        ledger.create(new_job("job_2", "ann", 1))
    for number, owner in enumerate(("bob", "cid", "dan"), start=3):
        assert ledger.create(new_job(f"job_{number}", owner, 49))
    with pytest.raises(Overloaded, match="There is"):
        ledger.create(new_job("job_9", "eve", 10))


def test_the_bound_of_an_owner_is_below_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_MAX_UNFINISHED", "100")
    monkeypatch.setenv("CHORUS_MAX_UNFINISHED_PER_OWNER", "100")
    with pytest.raises(ConfigurationError, match="CHORUS_MAX_UNFINISHED_PER_OWNER"):
        load_settings()


def test_a_batch_hands_its_load_over_to_its_jobs(client: FlaskClient, settings: Settings, valkey: str) -> None:
    client_of_redis = connect(valkey)
    items = [{"custom_id": f"i{n}", "job": {"text": "Some words. " * 20}} for n in range(40)]
    assert client.post("/v1/batches", json={"defaults": {"pipeline": "piper"}, "items": items}).status_code == 202
    before = int(client_of_redis.hget("ch:load", "ann") or 0)  # type: ignore[arg-type]
    CpuLine(settings).run(1)
    after = int(client_of_redis.hget("ch:load", "ann") or 0)  # type: ignore[arg-type]
    assert 40 <= after <= before


def test_a_text_of_too_many_utterances_ends_with_a_clear_error(valkey: str, seaweedfs: S3) -> None:
    create_key(connect(valkey), "ann")
    settings = settings_for(valkey, seaweedfs, auth="off", max_unfinished=40, max_unfinished_per_owner=30)
    client = create_app(settings).test_client()
    made = client.post("/v1/jobs", json=job(text="No. Yes, I do it.\n\n" * 30)).get_json()
    CpuLine(settings).run(1)
    found = client.get(f"/v1/jobs/{made['id']}").get_json()
    assert (found["state"], found["error"]["code"]) == ("failed", "text_too_long")


def test_a_ledger_that_takes_no_writes_is_a_503(client: FlaskClient, valkey: str) -> None:
    """A failover made it a replica, or it is full."""
    redis = connect(valkey)
    made = client.post("/v1/jobs", json=job()).get_json()
    for refuse, relent in (
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
    ):
        redis.execute_command(*refuse)
        try:
            for answer in (client.post("/v1/jobs", json=job()), client.post(f"/v1/jobs/{made['id']}/cancel")):
                assert (answer.status_code, answer.get_json()["code"]) == (503, "ledger_unavailable"), (
                    refuse,
                    answer.data,
                )
                assert "Retry-After" in answer.headers
            ready = client.get("/readyz")
            assert ready.status_code == 503 and ready.get_json()["checks"]["ledger"] != "ok"
            with pytest.raises(LedgerUnavailable):
                Ledger(redis).cancel(made["id"])
        finally:
            redis.execute_command(*relent)
    assert client.post("/v1/jobs", json=job()).status_code == 202
