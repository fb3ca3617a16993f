"""Webhooks: endpoints, what is delivered, and what happens where a receiver does not take it. Real sockets."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from chorus_client import verify_webhook
from flask.testing import FlaskClient
from standardwebhooks import Webhook, WebhookVerificationError

from api import create_app
from benchmarks.support.receiver import Receiver, Reply
from core.redis import connect
from core.settings import Settings
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.webhooks.endpoints import ROTATION
from tests import present
from tests.conftest import S3
from tests.integration.test_api import job, settings_for
from tests.integration.webhook_line import PATIENCE, WebhookLine, verified
from tests.shared_data import data_path
from tests.waiting import wait_for
from workers.webhooks.sender import JITTER

GAPS = (0.2, 0.3, 0.4)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def settings(valkey: str, seaweedfs: S3, receiver: Receiver) -> Settings:
    return settings_for(
        valkey,
        seaweedfs,
        egress_allow=f"127.0.0.1:{receiver.port}",
        webhook_gaps=",".join(map(str, GAPS)),
        webhook_timeout=1.0,
        webhook_slots=8,
        api_public_url="https://chorus.example/speech/",
    )


@pytest.fixture
def line(settings: Settings, valkey: str) -> Iterator[WebhookLine]:
    create_key(connect(valkey), "ann")
    with create_app(settings).test_client() as client:
        client.environ_base["HTTP_X_API_KEY"] = create_key(connect(valkey), "ann")
        yield WebhookLine(client, Connections.connect(settings))


# -- what is delivered


def test_a_delivery_is_signed_and_tells_of_the_job_as_polled(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.queued", "job.failed")
    with line.sending():
        job_id = line.failed_job(metadata={"chapter": "1"})
        line.settled(endpoint["id"], 2)
    queued, failed = sorted(receiver.at("/a"), key=lambda one: one.event["sequence"])
    assert verified(endpoint["secret"], queued)["type"] == "job.queued"
    event = verified(endpoint["secret"], failed)
    assert event == verify_webhook(endpoint["secret"], failed.headers, failed.body)
    assert (event["type"], event["sequence"]) == ("job.failed", 5)
    assert failed.headers["webhook-id"] == f"{job_id}:{present.generation(line.connections.ledger, job_id)}:5"
    assert failed.headers["content-type"] == "application/json"
    assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
    polled = line.client.get(f"/v1/jobs/{job_id}").get_json()
    assert event["data"] == polled
    assert polled["links"]["self"] == f"https://chorus.example/speech/v1/jobs/{job_id}"
    with pytest.raises(WebhookVerificationError):
        Webhook(line.endpoint(receiver.url("/b"))["secret"]).verify(failed.body, dict(failed.headers))


def test_the_vector_of_standard_webhooks() -> None:
    vector = json.loads(data_path("api/standardwebhooks_vector.json").read_text())
    moment, payload = vector["webhook_timestamp"], vector["payload"]
    signature = Webhook(vector["secret"]).sign(vector["webhook_id"], datetime.fromtimestamp(int(moment), UTC), payload)
    assert signature == vector["webhook_signature"]
    headers = {name.replace("_", "-"): value for name, value in vector.items()}
    assert verify_webhook(vector["secret"], headers, payload, now=float(moment)) == json.loads(payload)


def test_endpoints_get_what_they_ask_for(line: WebhookLine, receiver: Receiver) -> None:
    ends = line.endpoint(receiver.url("/ends"))
    canceled = line.endpoint(receiver.url("/canceled"), "job.canceled")
    with line.sending():
        line.failed_job()
        other = line.job()
        assert line.client.post(f"/v1/jobs/{other}/cancel").status_code == 200
        line.settled(ends["id"], 2)
        line.settled(canceled["id"], 1)
    assert sorted(one.event["type"] for one in receiver.at("/ends")) == ["job.canceled", "job.failed"]
    assert [one.event["type"] for one in receiver.at("/canceled")] == ["job.canceled"]


def test_a_job_may_name_one_endpoint_or_bring_a_url(line: WebhookLine, receiver: Receiver) -> None:
    named, other = line.endpoint(receiver.url("/named")), line.endpoint(receiver.url("/other"))
    secret = line.client.get("/v1/webhook-secret").get_json()["secret"]
    own = {"url": receiver.url("/own?token=t"), "events": ["job.running", "job.failed"]}
    with line.sending():
        first = line.failed_job(webhook=named["id"])
        second = line.failed_job(webhook=own)
        line.settled(named["id"])
        wait_for(lambda: len(receiver.at("/own?token=t")) == 2, PATIENCE, "the job's own")
        wait_for(lambda: _states(line, second) == {"delivered"}, PATIENCE, "settled")
    assert [one.event["data"]["id"] for one in receiver.at("/named")] == [first]
    assert not receiver.at("/other") and not line.deliveries(other["id"])
    assert sorted(verified(secret, one)["type"] for one in receiver.at("/own?token=t")) == ["job.failed", "job.running"]
    log = line.client.get(f"/v1/jobs/{second}/deliveries").get_json()["data"]
    assert [(one["type"], one["webhook"], one["state"]) for one in log] == [
        ("job.running", None, "delivered"),
        ("job.failed", None, "delivered"),
    ]
    assert [one["webhook"] for one in line.client.get(f"/v1/jobs/{first}/deliveries").get_json()["data"]] == [
        named["id"]
    ]


def _states(line: WebhookLine, job_id: str) -> set[str]:
    return {one["state"] for one in line.client.get(f"/v1/jobs/{job_id}/deliveries").get_json()["data"]}


def test_a_batch_tells_once_that_it_is_completed(line: WebhookLine, receiver: Receiver) -> None:
    from workers.steps.cpu import run_cpu_item

    endpoint = line.endpoint(receiver.url("/b"), "batch.completed")
    items = [{"custom_id": str(n), "job": {"pipeline": "piper", "text": text}} for n, text in enumerate(["One.", "…"])]
    batch = line.client.post("/v1/batches", json={"items": items}).get_json()["id"]
    with line.sending():
        line.connections.ledger.release(["cpu"])
        run_cpu_item(line.connections, str(present.item(line.connections.ledger, batch)))
        [job_id] = [one["id"] for one in line.client.get(f"/v1/jobs?batch={batch}").get_json()["data"]]
        line.fail(job_id)
        line.settled(endpoint["id"])
    [received] = receiver.at("/b")
    event = verified(endpoint["secret"], received)
    assert event["type"] == "batch.completed"
    assert event["data"] == line.client.get(f"/v1/batches/{batch}").get_json()
    assert event["data"]["counts"]["failed"] == 2


def test_an_event_tells_of_the_job_as_it_was(line: WebhookLine, receiver: Receiver) -> None:
    """Retried before the first delivery went out: the failure is told as a failure all the same."""
    endpoint = line.endpoint(receiver.url("/a"), "job.failed", "job.queued")
    job_id = line.failed_job()
    first = f"{job_id}:{present.generation(line.connections.ledger, job_id)}"
    assert line.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    second = f"{job_id}:{present.generation(line.connections.ledger, job_id)}"
    with line.sending():
        line.settled(endpoint["id"], 3)
    told = {one.headers["webhook-id"]: one.event["data"] for one in receiver.at("/a")}
    assert told[f"{first}:5"]["state"] == "failed"
    assert told[f"{first}:5"]["error"]["code"] == "model_failed"
    assert told[f"{second}:1"]["state"] == "queued" and told[f"{second}:1"]["error"] is None


def test_a_deleted_job_is_told_by_its_id(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")
    job_id = line.failed_job(metadata={"a": "b"})
    assert line.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    with line.sending():
        line.settled(endpoint["id"])
    assert receiver.at("/a")[0].event["data"] == {"id": job_id, "state": "failed"}


def test_a_large_job_is_told_in_less_than_20_kb(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.queued")
    job_id = line.job(metadata={f"key {n}": '"' * 320 for n in range(50)})
    with line.sending():
        line.settled(endpoint["id"])
    [received] = receiver.at("/a")
    event = verified(endpoint["secret"], received)
    assert len(received.body) < 20_000
    assert event["omitted"][-1] == "metadata" and event["data"]["metadata"] == {}
    assert event["data"]["id"] == job_id


def test_a_voice_that_is_made_is_no_job_of_the_clients(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.queued", "job.canceled")["id"]
    recording = next(iter(sorted(data_path("speakers").glob("*/*.flac"))))
    with recording.open("rb") as file:
        voice = line.client.post("/v1/voices", data={"name": "Ann", "files": (file, "a.flac")}).get_json()["id"]
    assert line.client.delete(f"/v1/voices/{voice}").status_code == 204
    assert line.deliveries(endpoint) == []


# -- attempts


@pytest.mark.parametrize(
    ("reply", "code", "status"),
    [
        (Reply(500), "webhook_refused", 500),
        (Reply(404), "webhook_refused", 404),
        (Reply(302, {"Location": "http://127.0.0.1/x"}), "webhook_redirected", 302),
        (Reply(hang=True), "fetch_timeout", None),
        (Reply(200, drip=True), "fetch_timeout", None),
        (Reply(drop=True), "fetch_failed", None),
        (Reply(200, body=b"." * 10**6), None, 200),
    ],
    ids=["500", "404", "redirect", "timeout", "slow-body", "dropped", "long-answer"],
)
def test_whatever_the_receiver_does(
    line: WebhookLine, receiver: Receiver, reply: Reply, code: str | None, status: int | None
) -> None:
    """It is tried again under the same id, newly signed, until it is taken."""
    receiver.answer("/a", reply, Reply(204))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")
    with line.sending():
        job_id = line.failed_job()
        [delivery] = line.settled(endpoint["id"])
    assert delivery["state"] == "delivered"
    assert (delivery["attempts"][0]["code"], delivery["attempts"][0]["status"]) == (code, status)
    assert len(delivery["attempts"]) == len(receiver.at("/a")) == (1 if code is None else 2)
    assert {one.headers["webhook-id"] for one in receiver.at("/a")} == {
        f"{job_id}:{present.generation(line.connections.ledger, job_id)}:5"
    }
    for one in receiver.at("/a"):
        verified(endpoint["secret"], one)


def test_nobody_listens(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")
    receiver.__exit__(None, None, None)
    with line.sending():
        line.failed_job()
        wait_for(lambda: line.deliveries(endpoint["id"])[0]["attempts"], PATIENCE, "an attempt")
        receiver.__enter__()
        [delivery] = line.settled(endpoint["id"])
    assert delivery["attempts"][0]["code"] == "fetch_failed" and delivery["state"] == "delivered"


def test_gaps_grow_and_an_end_comes(line: WebhookLine, receiver: Receiver) -> None:
    """All attempts, then `failed`; the endpoint, to which nothing else went, is disabled and says so."""
    receiver.answer("/a", Reply(503))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    with line.sending():
        line.failed_job()
        [delivery] = line.settled(endpoint)
    times = [one.at for one in receiver.at("/a")]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(times) == 1 + len(GAPS)
    for gap, least in zip(gaps, GAPS, strict=True):
        assert least <= gap < least * (1 + JITTER) + 0.5
    assert delivery["state"] == "failed" and len(delivery["attempts"]) == len(times)
    view = line.client.get(f"/v1/webhooks/{endpoint}").get_json()
    assert view["enabled"] is False and view["disabled"]["reason"] == "failing" and view["failing_since"]
    # Nothing more is let wait for it; enabled again it begins anew, and what failed can be sent once more.
    line.failed_job()
    assert len(line.deliveries(endpoint)) == 1
    receiver.answer("/a", Reply(204))
    view = line.client.patch(f"/v1/webhooks/{endpoint}", json={"enabled": True}).get_json()
    assert view["enabled"] is True and view["disabled"] is None and view["failing_since"] is None
    again = line.client.post(f"/v1/deliveries/{delivery['id']}/redeliver")
    assert again.status_code == 202 and again.get_json()["state"] == "waiting"
    with line.sending():
        wait_for(lambda: line.deliveries(endpoint)[0]["state"] == "delivered", PATIENCE, "redelivered")
    assert len({one.headers["webhook-id"] for one in receiver.at("/a")}) == 1
    assert len(line.deliveries(endpoint)[0]["attempts"]) == len(times) + 1


def test_an_endpoint_that_takes_something_stays_enabled(line: WebhookLine, receiver: Receiver) -> None:
    receiver.answer("/a", Reply(500), Reply(500), Reply(204), Reply(500))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    with line.sending():
        line.failed_job()
        line.failed_job()
        found = line.settled(endpoint, 2)
    assert sorted(one["state"] for one in found) == ["delivered", "failed"]
    assert line.client.get(f"/v1/webhooks/{endpoint}").get_json()["enabled"] is True


def test_410_disables_at_once(line: WebhookLine, receiver: Receiver) -> None:
    receiver.answer("/a", Reply(410))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    with line.sending():
        line.failed_job()
        [delivery] = line.settled(endpoint)
    assert delivery["state"] == "failed" and len(receiver.at("/a")) == 1
    view = line.client.get(f"/v1/webhooks/{endpoint}").get_json()
    assert (view["enabled"], view["disabled"]["reason"]) == (False, "gone")


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(line: WebhookLine, receiver: Receiver, as_date: bool) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True) if as_date else "2"
    receiver.answer("/a", Reply(429, {"Retry-After": when}), Reply(204))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    with line.sending():
        line.failed_job()
        line.settled(endpoint)
    first, second = (one.at for one in receiver.at("/a"))
    assert 1.0 < second - first < 5.0


def test_the_gaps_of_the_defaults_are_ten_attempts_over_three_days() -> None:
    gaps = Settings().webhook_gap_seconds
    assert len(gaps) + 1 == 10 and list(gaps) == sorted(gaps)
    assert 70 * 3600 < sum(gaps) < 80 * 3600
    assert all(a * (1 + JITTER) < b for a, b in itertools.pairwise(gaps))  # jitter keeps them growing


def test_what_a_sender_had_taken_is_due_again(line: WebhookLine, receiver: Receiver) -> None:
    """A sender that died with it in its hands: its lease ends, and another brings it."""
    from core.names import Lane
    from storage.webhooks.deliveries import Deliveries

    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    line.failed_job()
    died = Deliveries(line.connections.redis)
    [taken] = died.claim(Lane.DOUBTFUL, 5, lease=1.0, share=5, held={})
    assert died.claim(Lane.DOUBTFUL, 5, lease=1.0, share=5, held={}) == []
    began = time.monotonic()
    with line.sending():
        line.settled(endpoint)
    assert time.monotonic() - began > 0.7
    # It was not dead, only slow: what it says now changes nothing, and is no second delivery.
    from storage.webhooks.deliveries import Attempt

    assert died.settle(taken, Attempt(at=time.time(), seconds=1.0, code="fetch_failed"), due=time.time()) is False
    assert line.deliveries(endpoint)[0]["state"] == "delivered" and len(receiver.at("/a")) == 1
    assert not line.connections.redis.zcard("ch:lane:live") and not line.connections.redis.zcard("ch:lane:doubtful")


def test_a_dead_endpoint_has_one_slot_at_the_most(line: WebhookLine, receiver: Receiver) -> None:
    receiver.answer("/dead", Reply(hang=True))
    line.endpoint(receiver.url("/dead"), "job.failed")
    live = line.endpoint(receiver.url("/live"), "job.failed")["id"]
    for _ in range(6):
        line.failed_job()
    began = time.monotonic()
    with line.sending():
        line.settled(live, 6)
        assert time.monotonic() - began < 3.0
        assert len(receiver.at("/dead")) <= 3


# -- secrets


def test_while_a_secret_is_rotated_both_are_good(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")
    rotated = line.client.post(f"/v1/webhooks/{endpoint['id']}/rotate").get_json()
    assert rotated["secret"] != endpoint["secret"] and rotated["old_valid_for"] == ROTATION
    with line.sending():
        line.failed_job()
        line.settled(endpoint["id"])
    [received] = receiver.at("/a")
    for secret in (endpoint["secret"], rotated["secret"]):
        verified(secret, received)
    assert len(received.headers["webhook-signature"].split()) == 2
    # A day later the old one is no more.
    held = json.loads(line.connections.redis.hget(f"ch:webhook:{endpoint['id']}", "secrets"))  # type: ignore[arg-type]
    held[1][1] = time.time() - 1
    line.connections.redis.hset(f"ch:webhook:{endpoint['id']}", "secrets", json.dumps(held))
    with line.sending():
        line.failed_job()
        line.settled(endpoint["id"], 2)
    verified(rotated["secret"], receiver.at("/a")[1])
    with pytest.raises(WebhookVerificationError):
        verified(endpoint["secret"], receiver.at("/a")[1])


def test_no_answer_but_the_first_shows_a_secret(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"))
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", endpoint["secret"])
    for path in ("/v1/webhooks", f"/v1/webhooks/{endpoint['id']}", f"/v1/webhooks/{endpoint['id']}/deliveries"):
        assert b"whsec_" not in line.client.get(path).data
    first = line.client.get("/v1/webhook-secret").get_json()["secret"]
    assert line.client.get("/v1/webhook-secret").get_json()["secret"] == first
    rotated = line.client.post("/v1/webhook-secret/rotate").get_json()["secret"]
    assert line.client.get("/v1/webhook-secret").get_json()["secret"] == rotated != first


# -- endpoints


def test_an_endpoint_is_listed_changed_tested_and_deleted(line: WebhookLine, receiver: Receiver) -> None:
    made = line.endpoint(receiver.url("/a"), "job.failed", description="Mine")
    endpoint = made["id"]
    assert [one["id"] for one in line.client.get("/v1/webhooks").get_json()["data"]] == [endpoint]
    changed = line.client.patch(
        f"/v1/webhooks/{endpoint}", json={"url": receiver.url("/b"), "events": ["job.canceled"]}
    ).get_json()
    assert (changed["url"], changed["events"], changed["description"]) == (receiver.url("/b"), ["job.canceled"], "Mine")
    with line.sending():
        test = line.client.post(f"/v1/webhooks/{endpoint}/test")
        assert test.status_code == 202
        line.failed_job()
        line.settled(endpoint)
    [received] = receiver.at("/b")
    assert verified(made["secret"], received)["type"] == "webhook.test" and not receiver.at("/a")
    assert line.client.get(f"/v1/deliveries/{test.get_json()['id']}").get_json()["state"] == "delivered"
    assert line.client.delete(f"/v1/webhooks/{endpoint}").status_code == 204
    assert line.client.get(f"/v1/webhooks/{endpoint}").status_code == 404
    line.failed_job()
    keys = [key.decode() for key in line.connections.redis.keys("ch:*")]  # type: ignore[union-attr]
    assert not [key for key in keys if endpoint in key or ":delivery:" in key or ":lane:" in key]
    assert not line.connections.redis.hlen("ch:hooks:ann")


def test_disabled_by_hand_nothing_goes_out(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    line.failed_job()  # it waits while the endpoint is disabled
    disabled = line.client.patch(f"/v1/webhooks/{endpoint}", json={"enabled": False}).get_json()
    assert disabled["enabled"] is False and disabled["disabled"] is None
    line.failed_job()
    with line.sending():
        [delivery] = line.settled(endpoint)
    assert not receiver.received
    assert delivery["state"] == "failed" and delivery["attempts"][0]["code"] == "webhook_disabled"


def test_deliveries_come_by_pages(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    jobs = [line.failed_job() for _ in range(5)]
    found: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = line.client.get(f"/v1/webhooks/{endpoint}/deliveries", query_string=query).get_json()
        found += [one["event"].split(":")[0] for one in page["data"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == jobs[::-1]
    bad = line.client.get(f"/v1/webhooks/{endpoint}/deliveries?cursor=x")
    assert bad.status_code == 422


def test_another_owners_endpoints_are_not_there(line: WebhookLine, receiver: Receiver) -> None:
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    line.failed_job()
    delivery = line.deliveries(endpoint)[0]["id"]
    eve = {"X-API-Key": create_key(line.connections.redis, "eve")}
    for method, path in (
        ("GET", f"/v1/webhooks/{endpoint}"),
        ("PATCH", f"/v1/webhooks/{endpoint}"),
        ("DELETE", f"/v1/webhooks/{endpoint}"),
        ("POST", f"/v1/webhooks/{endpoint}/rotate"),
        ("POST", f"/v1/webhooks/{endpoint}/test"),
        ("GET", f"/v1/webhooks/{endpoint}/deliveries"),
        ("GET", f"/v1/deliveries/{delivery}"),
        ("POST", f"/v1/deliveries/{delivery}/redeliver"),
    ):
        answer = line.client.open(path, method=method, headers=eve, json={} if method == "PATCH" else None)
        assert answer.status_code == 404, (method, path)
    assert line.client.get("/v1/webhooks", headers=eve).get_json()["data"] == []
    refused = line.client.post("/v1/jobs", json=job(webhook=endpoint), headers=eve)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "webhook_not_found")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "url"),
        ({"url": ""}, "invalid_value", "url"),
        ({"url": "https://example.com", "events": []}, "invalid_value", "events"),
        ({"url": "https://example.com", "events": ["job.sung"]}, "invalid_value", "events.0"),
        ({"url": "https://example.com", "secret": "x"}, "unknown_field", "secret"),
        ({"url": "ftp://example.com/"}, "url_scheme_not_allowed", "url"),
        ({"url": "https://a:b@example.com/"}, "url_has_credentials", "url"),
        ({"url": "http://169.254.169.254/latest"}, "url_not_allowed", "url"),
        ({"url": "http://127.0.0.1:1/"}, "url_port_not_allowed", "url"),
    ],
)
def test_a_bad_endpoint_is_refused(line: WebhookLine, body: dict[str, Any], code: str, field: str) -> None:
    answer = line.client.post("/v1/webhooks", json=body)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["field"]) == (422, code, field)
    assert not line.connections.redis.keys("ch:webhook:*")


def test_an_owner_has_fifty_endpoints(line: WebhookLine, receiver: Receiver) -> None:
    for _ in range(50):
        line.endpoint(receiver.url("/a"))
    refused = line.client.post("/v1/webhooks", json={"url": receiver.url("/a")})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_webhooks")


def test_metrics_count_attempts(line: WebhookLine, receiver: Receiver) -> None:
    receiver.answer("/a", Reply(500), Reply(204))
    endpoint = line.endpoint(receiver.url("/a"), "job.failed")["id"]
    with line.sending():
        line.failed_job()
        line.settled(endpoint)

    def counted(client: FlaskClient) -> bool:
        text = client.get("/metrics").get_data(as_text=True)
        return all(f'chorus_webhook_attempts_total{{outcome="{name}"}} 1.0' in text for name in ("again", "delivered"))

    wait_for(lambda: counted(line.client), PATIENCE, "the counters")
