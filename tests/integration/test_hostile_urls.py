"""Hostile URLs through every door that takes one: refused by name, and nothing is reached, now or later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.outgoing.egress import Egress
from core.redis import connect
from core.settings import Settings
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from tests.integration.test_egress import HOSTILE, Rebinding, Server, answer, saying, table
from tests.integration.webhook_line import WebhookLine

HOST = "receiver.test"


@pytest.fixture(scope="module")
def bait() -> Iterator[Server]:
    with Server(saying(answer("200 OK", b"secret"))) as server:
        yield server
        assert server.connections == 0


@pytest.fixture
def settings(valkey: str, seaweedfs: S3, bait: Server) -> Settings:
    return settings_for(valkey, seaweedfs, egress_ports=f"80,443,{bait.port}", webhook_gaps="0.1", webhook_timeout=2.0)


@pytest.fixture
def app(settings: Settings, valkey: str) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings)


def resolve_by(thing: Any, egress: Egress) -> None:
    """Lets outgoing calls of an app or of a process's connections resolve names as the test says."""
    connections = thing.extensions["chorus"] if isinstance(thing, Flask) else thing
    object.__setattr__(connections, "egress", egress)  # which is frozen


def test_every_door_refuses_every_hostile_url(app: Flask, client: FlaskClient, bait: Server) -> None:
    resolve_by(app, Egress(ports=(80, 443, bait.port), resolver=table))
    made = client.post("/v1/webhooks", json={"url": "http://good.test/"}).get_json()["id"]
    for template, code in HOSTILE:
        url = template.replace("{p}", str(bait.port))
        doors = (
            ("POST", "/v1/webhooks", {"url": url}, "url"),
            ("PATCH", f"/v1/webhooks/{made}", {"url": url}, "url"),
            ("POST", "/v1/jobs", job(webhook={"url": url}), "webhook.url"),
            ("POST", "/v1/jobs", {"pipeline": "embed", "recording": {"url": url}}, "recording.url"),
            ("POST", "/v1/voices", {"name": "x", "recordings": [{"url": url}]}, "recordings.0.url"),
        )
        for method, path, body, field in doors:
            refused = client.open(path, method=method, json=body)
            problem = refused.get_json()
            # What is too long for its field, or half a character, is refused before it is read as a URL.
            assert (refused.status_code, problem["code"]) in ((422, code), (422, "invalid_value"), (400, "not_json"))
            if problem["code"] == code:
                assert problem["errors"][0]["field"] == field
    assert [one["url"] for one in client.get("/v1/webhooks").get_json()["data"]] == ["http://good.test/"]
    assert client.get("/v1/jobs").get_json()["data"] == []
    assert bait.connections == 0


def test_a_receiver_that_is_rebound_is_not_reached(
    app: Flask, client: FlaskClient, settings: Settings, bait: Server
) -> None:
    """Its name led to a public address when it was registered, and to this machine when it is called."""
    from pipelines.connections import Connections

    resolver = Rebinding(["93.184.216.34"], ["127.0.0.1"])
    resolve_by(app, Egress(ports=(bait.port,), resolver=resolver))
    connections = Connections.connect(settings)
    resolve_by(connections, Egress(ports=(bait.port,), resolver=resolver))
    line = WebhookLine(client, connections)
    endpoint = line.endpoint(f"http://{HOST}:{bait.port}/", "job.failed")["id"]
    with line.sending():
        line.failed_job()
        [delivery] = line.settled(endpoint)
    assert {attempt["code"] for attempt in delivery["attempts"]} == {"url_not_allowed"}
    assert "127.0.0.1" not in str(delivery) and bait.connections == 0


def test_a_recording_that_is_rebound_is_not_fetched(
    app: Flask, client: FlaskClient, settings: Settings, bait: Server
) -> None:
    resolver = Rebinding(["93.184.216.34"], ["127.0.0.1"])
    resolve_by(app, Egress(ports=(bait.port,), resolver=resolver))
    line = CpuLine(settings)
    resolve_by(line.connections, Egress(ports=(bait.port,), resolver=resolver))
    body = {"pipeline": "embed", "recording": {"url": f"http://{HOST}:{bait.port}/a.wav"}}
    job_id = client.post("/v1/jobs", json=body).get_json()["id"]
    line.run()
    ended = client.get(f"/v1/jobs/{job_id}").get_json()
    assert (ended["state"], ended["error"]["code"], ended["error"]["step"]) == ("failed", "url_not_allowed", "prepare")
    assert bait.connections == 0


def test_a_receiver_cannot_redirect_inwards(app: Flask, client: FlaskClient, settings: Settings, bait: Server) -> None:
    from pipelines.connections import Connections

    away = saying(answer("307 Temporary Redirect", Location=f"http://127.0.0.1:{bait.port}/"))
    with Server(away) as server:
        allowed = Egress([f"127.0.0.1:{server.port}"])
        resolve_by(app, allowed)
        connections = Connections.connect(settings)
        resolve_by(connections, allowed)
        line = WebhookLine(client, connections)
        endpoint = line.endpoint(f"http://127.0.0.1:{server.port}/", "job.failed")["id"]
        with line.sending():
            line.failed_job()
            [delivery] = line.settled(endpoint)
    assert {attempt["code"] for attempt in delivery["attempts"]} == {"webhook_redirected"}
    assert bait.connections == 0
