"""Webhooks through a whole stack: the sender is killed, the receiver is away, and every event arrives.

And the figure of `benchmarks.webhooks`: what waits for the dead does not hold up the living.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chorus_client import Client, verify_webhook
from standardwebhooks import Webhook

from benchmarks.support.receiver import Receiver, Reply
from benchmarks.webhooks import measure
from cli.local.layout import program, source_path
from core.failpoints import arm, armed
from tests.chaos.stack import ChaosStack
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

JOBS, KILLS = 120, 12


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture(scope="module")
def failpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failpoints")


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver, failpoints: Path) -> Iterator[StackAccess]:
    env = {
        "CHORUS_EGRESS_ALLOW": f"127.0.0.1:{receiver.port}",
        # In minutes instead of days; as many attempts as it takes.
        "CHORUS_WEBHOOK_GAPS": ",".join(["0.5"] * 60),
        "CHORUS_WEBHOOK_TIMEOUT": "1",
        "CHORUS_FAILPOINTS": str(failpoints),
    }
    with ChaosStack(tmp_path_factory.mktemp("webhooks") / "home", env=env) as stack:
        stack.wait_ready(120)
        with StackAccess(stack) as found:
            yield found


def endpoint(access: StackAccess, url: str, *events: str) -> dict[str, str]:
    answer = access.http.post("/v1/webhooks", json={"url": url, "events": list(events)})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def submit(access: StackAccess, number: int) -> str:
    body = {"pipeline": "sim", "text": f"This is number {number}.", "options": {"item_seconds": 0.0}}
    return str(access.submit(body)["id"])


def kill_sender(access: StackAccess) -> None:
    """SIGKILL, and the supervisor starts another."""
    access.wait_for_state("sender", lambda p: p["state"] == "ready", 60)
    entry = next(p for p in access.state()["processes"] if p["name"] == "sender")
    os.kill(entry["pid"], signal.SIGKILL)
    access.wait_for_state("sender", lambda p: p["state"] == "ready" and p["restarts"] > entry["restarts"], 60)


@pytest.mark.patient
def test_no_event_is_lost_under_sigkill_and_an_outage_of_the_receiver(
    access: StackAccess, receiver: Receiver, failpoints: Path
) -> None:
    """120 jobs; the sender is killed twelve times, four of them between sending and writing that down; the receiver is
    away for some seconds, and answers now and then with 500, or not at all."""
    chance = random.Random(7)
    bad = [Reply(500), Reply(hang=True), Reply(drop=True)]
    answers = [chance.choice(bad) if chance.random() < 0.1 else Reply(204) for _ in range(JOBS)]
    receiver.answer("/hook", *answers, Reply(204))
    made = endpoint(access, receiver.url("/hook"), "job.succeeded", "job.queued")
    jobs = []
    for number in range(JOBS):
        jobs.append(submit(access, number))
        if number % (JOBS // KILLS) == JOBS // KILLS - 1:
            if number // (JOBS // KILLS) % 3 == 0:
                arm(failpoints, "sender.sent")
                submitted = itertools.count(10_000)

                def dies(submitted: Iterator[int] = submitted) -> bool:
                    jobs.append(submit(access, next(submitted)))
                    return not armed(failpoints, "sender.sent")

                wait_for(dies, 60, "the sender to die between sending and writing that down", every=0.2)
            else:
                time.sleep(chance.uniform(0.0, 0.3))
                kill_sender(access)
        if number == JOBS // 2:
            receiver.__exit__(None, None, None)
            time.sleep(3)
            receiver.__enter__()
    wanted = set()
    for job in jobs:
        assert access.wait(job)["state"] == "succeeded"
        log, gen = (field.decode() for field in access.redis.hmget(f"ch:job:{job}", "log", "gen"))  # type: ignore[union-attr]
        wanted |= {f"{job}:{gen}:1", f"{job}:{gen}:{len(log.split())}"}

    def arrived() -> set[str]:
        return {one.headers["webhook-id"] for one in receiver.at("/hook")}

    wait_for(lambda: arrived() >= wanted, 90, lambda: f"{len(wanted - arrived())} of {len(wanted)} events", every=0.2)
    assert arrived() == wanted
    for one in receiver.at("/hook"):
        event = Webhook(made["secret"]).verify(one.body, dict(one.headers))
        assert one.headers["webhook-id"].startswith(event["data"]["id"])
        assert event["data"]["state"] == event["type"].removeprefix("job.")
    # Whatever was sent twice was sent under one id, and all of it is settled.
    queues = [f"ch:{kind}:{made['id']}" for kind in ("due", "sending")]
    wait_for(lambda: not any(access.redis.zcard(key) for key in queues), 30, "every delivery to be settled")
    assert access.http.get(f"/v1/webhooks/{made['id']}").json()["enabled"] is True
    access.http.delete(f"/v1/webhooks/{made['id']}").raise_for_status()


@pytest.mark.patient
def test_the_command_line(access: StackAccess, receiver: Receiver, tmp_path: Path) -> None:
    """An endpoint is made, tested, seen to fail, mended, and what failed is sent once more: `chorus webhooks`."""
    env = {**os.environ, **source_path(), "CHORUS_URL": access.stack.url, "CHORUS_API_KEY": access.stack.api_key}

    def chorus(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            program("webhooks", *words), env={**env, "COLUMNS": "200"}, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    made, secret = chorus("create", receiver.url("/cli"), "--event", "job.succeeded").split()
    assert "delivered" in chorus("test", made)
    receiver.answer("/cli", Reply(410), Reply(204))
    job = submit(access, 1)
    access.wait(job)
    wait_for(lambda: "disabled" in chorus("list"), 20, "the endpoint to be disabled")
    assert "410" in chorus("deliveries", made, "--failed")
    chorus("enable", made)
    assert chorus("redeliver", "--failed", made).startswith("de_")
    wait_for(lambda: len(receiver.at("/cli")) >= 3, 20, "the delivery that is sent once more")
    last = receiver.at("/cli")[-1]
    assert last.headers["webhook-id"] == receiver.at("/cli")[1].headers["webhook-id"]
    Webhook(secret).verify(last.body, dict(last.headers))
    assert chorus("rotate", made).startswith("whsec_")
    chorus("delete", made)
    assert made not in chorus("list")


@pytest.mark.patient
def test_the_client(access: StackAccess, receiver: Receiver) -> None:
    with Client(access.stack.url, access.stack.api_key) as chorus:
        made = chorus.create_webhook(receiver.url("/client"), ["job.succeeded"], "Mine")
        assert (
            made.secret and chorus.webhook(made).description == "Mine" and made.id in {w.id for w in chorus.webhooks()}
        )
        own = {"url": receiver.url("/own"), "events": ["job.succeeded"]}
        first, second = chorus.create("sim", "One."), chorus.create("sim", "Two.", webhook=own)
        assert chorus.wait(first, timeout=30).state == chorus.wait(second, timeout=30).state == "succeeded"
        [sent] = chorus.job_deliveries(second)
        assert chorus.wait_delivery(sent["id"], timeout=30)["state"] == "delivered"
        [arrived] = receiver.at("/own")
        assert verify_webhook(chorus.webhook_secret(), arrived.headers, arrived.body)["data"]["id"] == second.id
        [delivery] = chorus.deliveries(made)
        assert chorus.wait_delivery(delivery["id"], timeout=30)["event"].startswith(first.id)
        assert chorus.delivery(delivery["id"])["state"] == "delivered"
        again = chorus.redeliver(delivery["id"])
        assert chorus.wait_delivery(again["id"], timeout=30)["attempts"][-1]["status"] == 204
        assert chorus.change_webhook(made, enabled=False).enabled is False
        chorus.delete_webhook(made)


def test_a_thousand_that_wait_for_the_dead_hold_up_nobody() -> None:
    found = measure(3)
    quiet, beside = statistics.median(found["quiet"]), statistics.median(found["beside"])
    assert beside < 1.5 * quiet, found
