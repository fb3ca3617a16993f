"""Latency of webhooks to a healthy receiver while a thousand deliveries wait for failing ones."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import socket
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.support.receiver import Receiver, Reply
from benchmarks.support.service import DAY, Site, percentile, say, site, wait_until
from cli.local.layout import program
from core.names import EventType, Priority
from core.work import Plan
from storage.ledger.documents import JobDocument
from storage.ledger.records import Hook, NewJob
from storage.ledger.registry import live_workers
from storage.webhooks.endpoints import WebhookEndpoint, Webhooks

#: Endpoints that are dead, a third each in another way, and deliveries that wait for them.
DEAD, WAITING = 24, 1000

#: Events for the living one in a round, and how many a second.
EVENTS, RATE = 100, 30.0
ROUNDS = 3

#: Seconds between the dead ones' first attempts and the measurement: by then all slots that they can have are taken.
SETTLE = 3.0

PLAN = Plan.parse("prepare:cpu")
OWNERS = ("alive", "dead-1", "dead-2", "dead-3")


@dataclass(slots=True)
class Place:
    """What a round works with."""

    here: Site
    webhooks: Webhooks
    receiver: Receiver
    refusing: int  #: a port that nobody listens on
    dead: list[WebhookEndpoint] = field(default_factory=list)

    def tell(self, endpoint: WebhookEndpoint, count: int, rate: float | None = None) -> list[str]:
        """Makes jobs of which an endpoint is told that they are queued; their ids."""
        begin, jobs = time.monotonic(), []
        for number in range(count):
            if rate is not None:
                time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            jobs.append(f"job_{secrets.token_hex(12)}")
            self.here.ledger.create(
                NewJob(
                    id=jobs[-1],
                    owner=endpoint.owner,
                    priority=Priority.NORMAL,
                    plan=PLAN,
                    document=JobDocument(owner=endpoint.owner, pipeline="sim"),
                    deadline=DAY,
                    keep=DAY,
                    hook=Hook(endpoint.id),
                )
            )
        return jobs

    def made(self, owner: str, url: str) -> WebhookEndpoint:
        return self.webhooks.create(owner, url, [EventType.JOB_QUEUED], None)[0]

    def kill(self) -> None:
        """Lets a thousand deliveries wait for dead endpoints: one hangs, one drips, one refuses the connection."""
        ways = (self.receiver.url("/hang"), self.receiver.url("/drip"), f"http://127.0.0.1:{self.refusing}/")
        for number in range(DEAD):
            owner = OWNERS[1 + number // len(ways) % (len(OWNERS) - 1)]
            self.dead.append(self.made(owner, f"{ways[number % len(ways)]}"))
        for number, endpoint in enumerate(self.dead):
            self.tell(endpoint, WAITING * (number + 1) // DEAD - WAITING * number // DEAD)

    def reap(self) -> None:
        """Takes the dead endpoints and what waits for them away."""
        for endpoint in self.dead:
            self.webhooks.delete(endpoint.owner, endpoint.id)
        self.dead.clear()


def latencies(place: Place, endpoint: WebhookEndpoint) -> list[float]:
    """Seconds from each event to its arrival."""
    jobs = set(place.tell(endpoint, EVENTS, RATE))

    def arrived() -> bool:
        return jobs <= {one.event["data"]["id"] for one in place.receiver.at("/live")}

    wait_until("the events", arrived, every=0.1)
    found = []
    for one in place.receiver.at("/live"):
        if one.event["data"]["id"] in jobs:
            created = float(place.here.client.hget(f"ch:job:{one.event['data']['id']}", "created") or 0)
            found.append(one.at - created)
    return found


@contextlib.contextmanager
def placed() -> Iterator[Place]:
    """A sender as a process, a receiver, and a port that nobody listens on."""
    with site(storage=True) as here, Receiver() as receiver, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        refusing = bound.getsockname()[1]
        here.env = {**here.env, "CHORUS_EGRESS_ALLOW": f"127.0.0.1:{receiver.port},127.0.0.1:{refusing}"}
        receiver.answer("/hang", Reply(hang=True))
        receiver.answer("/drip", Reply(200, drip=True))

        def registered() -> bool:
            return any(worker["name"] == "sender" for worker in live_workers(here.client))

        with here.process("sender", program("sender"), registered):
            yield Place(here, Webhooks(here.client), receiver, refusing)


def measure(rounds: int) -> Mapping[str, Sequence[float]]:
    """The 95th percentiles of both sides, round by round."""
    quiet: list[float] = []
    beside: list[float] = []
    with placed() as place:
        live = place.made(OWNERS[0], place.receiver.url("/live"))
        latencies(place, live)  # warms up
        for _ in range(rounds):
            quiet.append(percentile(latencies(place, live), 0.95))
            place.kill()
            time.sleep(SETTLE)
            beside.append(percentile(latencies(place, live), 0.95))
            waiting = sum(int(place.here.client.zcard(f"ch:due:{one.id}")) for one in place.dead)
            say(f"p95 {quiet[-1] * 1000:.1f} ms alone, {beside[-1] * 1000:.1f} ms beside {waiting} that wait")
            place.reap()
    return {"quiet": quiet, "beside": beside}


def run(arguments: argparse.Namespace) -> Mapping[str, float | int | str]:
    """Both sides in turns; medians over the rounds."""
    found = measure(ROUNDS)
    quiet, beside = statistics.median(found["quiet"]), statistics.median(found["beside"])
    return {
        "live_p95_beside_dead_over_alone": round(beside / quiet, 3),
        "alone_p95_s": round(quiet, 4),
        "beside_p95_s": round(beside, 4),
        "waiting_for_dead": WAITING,
        "events": EVENTS,
        "rounds": ROUNDS,
    }
