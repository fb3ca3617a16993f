"""Use by day: counted where it happens, shown by ``/v1/usage``, the client and ``chorus usage``."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from chorus_client import AsyncClient, Client
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from api import create_app
from cli.main import chorus
from core.names import Scope
from core.redis import connect
from core.settings import Settings
from storage.access.keys import create_key, list_keys, revoke_key
from storage.access.limits import Limits
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from tests.integration.test_batches import result


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    create_key(connect(valkey), "ann", "first")
    return settings_for(valkey, seaweedfs)


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


def usage(client: FlaskClient, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/usage", query_string=query)
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = answer.get_json()
    return found


def with_key(app: Flask, valkey: str, owner: str, *scopes: Scope, **more: Any) -> FlaskClient:
    client = app.test_client()
    secret = create_key(connect(valkey), owner, scopes=frozenset(scopes or {Scope.JOBS_READ, Scope.JOBS_WRITE}), **more)
    client.environ_base["HTTP_X_API_KEY"] = secret
    return client


def test_use_is_counted_by_day_and_key(app: Flask, client: FlaskClient, valkey: str, settings: Settings) -> None:
    line, second = CpuLine(settings), with_key(app, valkey, "ann")
    first_id = client.post("/v1/jobs", json=job(text="Hello there.")).get_json()["id"]
    second_id = second.post("/v1/jobs", json=job(text="Hello, hello.")).get_json()["id"]
    result(line, first_id)
    line.end(second_id, failed=True)
    found = usage(client)
    assert found["object"] == "list" and len(found["data"]) == 2
    by_jobs = sorted(found["data"], key=lambda one: one["characters"])
    assert by_jobs[0] == {
        "date": by_jobs[1]["date"],
        "key": client.get("/v1/keys/current").get_json()["id"],
        "requests": 2,
        "jobs": 1,
        "succeeded": 1,
        "failed": 0,
        "characters": 12,
        "audio_seconds_in": 0.0,
        "audio_seconds_out": 1.0,
    }
    assert (by_jobs[1]["failed"], by_jobs[1]["requests"], by_jobs[1]["audio_seconds_out"]) == (1, 1, 0.0)
    assert found["totals"]["characters"] == 25 and found["totals"]["requests"] == 3
    for key in list_keys(connect(valkey)):
        if key.id == by_jobs[1]["key"]:
            revoke_key(connect(valkey), key.id)
    assert client.delete(f"/v1/jobs/{first_id}").status_code == 204
    assert second.get("/v1/usage").status_code == 401
    assert {one["key"] for one in usage(client)["data"]} == {one["key"] for one in by_jobs}
    assert usage(client)["totals"]["characters"] == 25


def test_refused_requests_are_not_counted(app: Flask, valkey: str) -> None:
    client = with_key(app, valkey, "ann", limits=Limits(requests_per_minute=5))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/v1/jobs").status_code, range(20)))
    assert (answers.count(200), answers.count(429)) == (5, 15)
    assert app.test_client().get("/v1/jobs", headers={"X-API-Key": "chorus_wrong"}).status_code == 401
    assert usage(with_key(app, valkey, "ann"))["totals"]["requests"] == 6


def test_days_are_chosen(app: Flask, client: FlaskClient, valkey: str) -> None:
    redis = connect(valkey)
    for days_ago in (0, 29, 30, 399, 400):
        day = (date.today() - timedelta(days_ago) - date(1970, 1, 1)).days
        redis.hset(f"ch:usage:ann:{day}", mapping={"key_0123456789abcdef|jobs": 1, "*|jobs": 1})
        redis.hset(f"ch:usage:bob:{day}", mapping={"-|jobs": 100, "*|jobs": 100})
    assert usage(client)["totals"]["jobs"] == 2
    first = str(date.today() - timedelta(399))
    assert usage(client, **{"from": first})["totals"]["jobs"] == 4
    assert usage(client, **{"from": first, "to": first})["data"][0]["date"] == first
    assert usage(client, to="0001-01-01")["data"] == []
    too_early = str(date.today() - timedelta(400))
    for query in (
        {"from": too_early},
        {"from": "2026-02-02", "to": "2026-02-01"},
        {"from": "20260201"},
        {"from": "2026-02-30"},
        {"from": "２０２６-02-01"},
        {"to": "today"},
        {"to": ""},
        {"owner": "a:b"},
        {"owner": ""},
        {"key": "key_0123456789abcdef"},
    ):
        answer = client.get("/v1/usage", query_string=query)
        ordered = "from" not in query or query["from"] not in (too_early, "2026-02-02")
        assert answer.status_code == 422, (query, answer.data)
        assert (answer.get_json()["code"] == "invalid_days") != ordered, (query, answer.data)


def test_only_an_administrator_sees_the_use_of_others(app: Flask, client: FlaskClient, valkey: str) -> None:
    with_key(app, valkey, "bob").get("/v1/jobs")
    assert usage(client, owner="ann")["totals"]["requests"] == 1
    refused = client.get("/v1/usage?owner=bob")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "missing_scope")
    assert client.get("/v1/usage?owner=nobody").status_code == 403
    admin = with_key(app, valkey, "operator", Scope.ADMIN)
    assert usage(admin, owner="bob")["totals"]["requests"] == 1
    assert usage(admin, owner="nobody")["data"] == []
    assert usage(admin)["totals"]["requests"] == 3
    writer = with_key(app, valkey, "ann", Scope.JOBS_WRITE)
    assert writer.get("/v1/usage").get_json()["code"] == "missing_scope"


def test_without_keys_use_has_none(valkey: str, seaweedfs: S3) -> None:
    client = create_app(settings_for(valkey, seaweedfs, auth="off")).test_client()
    assert client.post("/v1/jobs", json=job(text="Hello.")).status_code == 202
    [one] = usage(client)["data"]
    assert (one["key"], one["jobs"], one["characters"], one["requests"]) == (None, 1, 6, 0)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The API, over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def test_the_client_and_the_command_show_it(address: str, valkey: str) -> None:
    redis, secret = connect(valkey), create_key(connect(valkey), "ann")
    days = [date(2026, 2, 28), date(2026, 3, 1)]
    for number, day in enumerate(days, 1):
        uses = {"jobs": 2, "characters": 1_234_567, "audio_in": 3_661_400, "audio_out": 500, "failed": 1}
        keys = ("key_0123456789abcdef", f"key_{number}{'0' * 15}")
        fields = {f"{key}|{what}": amount for key in keys for what, amount in uses.items()}
        redis.hset(f"ch:usage:ann:{(day - date(1970, 1, 1)).days}", mapping=fields)
    with Client(address, secret) as client:
        found = client.usage(days[0], days[1])
        assert client.usage("2026-03-01", "2026-03-01").totals.jobs == 4
    assert [(one.date, one.jobs) for one in found.data] == [(str(day), 2) for day in days for _ in range(2)]
    assert (found.totals.characters, found.totals.audio_seconds_in) == (4_938_268, 14_645.6)

    async def other() -> Any:
        async with AsyncClient(address, secret) as client:
            return await client.usage(days[0], days[1])

    assert asyncio.run(other()) == found
    where = ["--url", address, "--api-key", secret, "--from", "2026-02-28", "--to", "2026-03-01"]

    def lines(*options: str) -> list[list[str]]:
        told = CliRunner().invoke(chorus, ["usage", *where, *options], env={"COLUMNS": "80"})
        assert told.exit_code == 0, told.output
        return [line.split() for line in told.output.splitlines()]

    assert lines() == [
        ["day", "requests", "jobs", "failed", "characters", "audio", "in", "audio", "out"],
        ["2026-02-28", "0", "4", "2", "2,469,134", "2:02:03", "0:00:01"],
        ["2026-03-01", "0", "4", "2", "2,469,134", "2:02:03", "0:00:01"],
        ["total", "0", "8", "4", "4,938,268", "4:04:06", "0:00:02"],
    ]
    assert [line[:3] for line in lines("--by-key")[1:]] == [
        ["key_0123456789abcdef", "0", "4"],
        ["key_1000000000000000", "0", "2"],
        ["key_2000000000000000", "0", "2"],
        ["total", "0", "8"],
    ]
    told = CliRunner().invoke(chorus, ["usage", *where, "--json"])
    assert json.loads(told.output)["totals"]["jobs"] == 8
    told = CliRunner().invoke(chorus, ["usage", *where, "--owner", "bob"])
    assert told.exit_code == 1 and "missing_scope" in told.output
