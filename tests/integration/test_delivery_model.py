"""Deliveries under any order of events, claims, answers, crashes and deletions, on a real Valkey.

Whatever happens: what waits is due or on its way and nowhere else, it is taken by one at a time, and stands in the one
lane that its destination's last answer tells; what has ended left nothing behind.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import storage.webhooks.deliveries
from core.errors import Conflict, NotFound
from core.names import DeliveryState, EventType, Lane
from core.redis import connect
from storage.webhooks.deliveries import Attempt, Deliveries, Delivery
from storage.webhooks.endpoints import Webhooks

OWNERS = ("ann", "bob")
LEASE, SHARE, AT_ONCE = 10.0, 3, {Lane.LIVE: 8, Lane.DOUBTFUL: 1}


class World(RuleBasedStateMachine):
    """Two owners with two endpoints each, two senders, and a clock of the test's own."""

    url: str
    clock: SimpleNamespace

    def __init__(self) -> None:
        super().__init__()
        self.redis = connect(self.url)
        self.redis.flushall()
        self.clock.now = 1_000_000.0
        self.clock.ids = count()
        self.senders = [Deliveries(self.redis), Deliveries(self.redis)]
        self.webhooks = Webhooks(self.redis)
        self.endpoints: dict[str, str] = {}  #: id -> owner
        for owner in OWNERS:
            for _ in range(2):
                made, _secret = self.webhooks.create(owner, "http://x.test/", [EventType.JOB_FAILED], None)
                self.endpoints[made.id] = owner
        self.numbers = count()
        self.taken: list[tuple[int, Lane, Delivery, float]] = []  #: sender, lane, what, when its lease ends
        self.live: dict[str, bool] = {}
        self.ended: set[str] = set()

    def pick(self, number: int) -> str | None:
        names = sorted(self.endpoints)
        return names[number % len(names)] if names else None

    @rule(number=st.integers(0, 3))
    def event(self, number: int) -> None:
        if endpoint := self.pick(number):
            self.senders[0].test(self.endpoints[endpoint], endpoint)

    @rule(sender=st.integers(0, 1), lane=st.sampled_from(Lane), places=st.integers(1, 5))
    def claim(self, sender: int, lane: Lane, places: int) -> None:
        held: dict[str, int] = {}
        for who, where, delivery, _ in self.taken:
            if (who, where) == (sender, lane):
                held[delivery.owner] = held.get(delivery.owner, 0) + 1
        now = self.clock.now
        self.expire()
        found = self.senders[sender].claim(lane, places, lease=LEASE, share=SHARE, held=held)
        assert len(found) <= places and len({d.destination for d in found}) == len(found)
        for delivery in found:
            assert delivery.state is DeliveryState.WAITING
            assert delivery.id not in {d.id for _, _, d, _ in self.taken}, "taken twice"
            assert self.live.get(delivery.destination, False) == (lane is Lane.LIVE)
            self.taken.append((sender, lane, delivery, now + LEASE))
        for owner in OWNERS:
            ours = sum(d.owner == owner for s, w, d, _ in self.taken if (s, w) == (sender, lane))
            assert ours <= max(SHARE, held.get(owner, 0))
        for endpoint in self.endpoints:
            under_way = sum(d.destination == endpoint for _, _, d, _ in self.taken)
            assert under_way <= AT_ONCE[Lane.LIVE]

    def expire(self) -> None:
        """Forgets what was taken so long ago that others may take it."""
        self.taken = [entry for entry in self.taken if entry[3] > self.clock.now]

    @precondition(lambda self: self.taken)
    @rule(number=st.integers(0, 20), end=st.sampled_from(["delivered", "again", "failed", "gone", "dies"]))
    def answer(self, number: int, end: str) -> None:
        self.expire()
        if not self.taken:
            return
        sender, _, delivery, _ = self.taken[number % len(self.taken)]
        if end == "dies":  # it says nothing more, and its lease ends
            self.taken = [entry for entry in self.taken if entry[2].id != delivery.id]
            self.clock.now += LEASE
            return
        attempt = Attempt(
            at=self.clock.now, seconds=0.1, status=204, code=None if end == "delivered" else "fetch_failed"
        )
        due = self.clock.now + 5 if end == "again" else None
        self.senders[sender].settle(delivery, attempt, delivered=end == "delivered", due=due, gone=end == "gone")
        self.taken = [entry for entry in self.taken if entry[2].id != delivery.id]
        if delivery.destination in self.endpoints:
            self.live[delivery.destination] = end == "delivered"
        if end != "again":
            self.ended.add(delivery.id)

    @rule(seconds=st.sampled_from([1.0, 6.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds
        self.expire()

    @precondition(lambda self: self.ended)
    @rule(number=st.integers(0, 50))
    def redeliver(self, number: int) -> None:
        name = sorted(self.ended)[number % len(self.ended)]
        for owner in OWNERS:
            try:
                self.senders[0].redeliver(owner, name)
            except (NotFound, Conflict):
                continue
            self.ended.discard(name)

    @rule(number=st.integers(0, 3))
    def enable(self, number: int) -> None:
        if endpoint := self.pick(number):
            self.webhooks.change(self.endpoints[endpoint], endpoint, enabled=True)

    @precondition(lambda self: len(self.endpoints) > 2)
    @rule(number=st.integers(0, 3))
    def delete(self, number: int) -> None:
        endpoint = self.pick(number)
        assert endpoint is not None
        self.webhooks.delete(self.endpoints.pop(endpoint), endpoint)
        self.live.pop(endpoint, None)
        self.taken = [entry for entry in self.taken if entry[2].destination != endpoint]

    @invariant()
    def nothing_is_lost_or_left(self) -> None:
        waiting: dict[str, str] = {}
        for key in self.redis.scan_iter("ch:delivery:*"):
            record = self.redis.hgetall(key)
            destination = record[b"to"].decode()  # type: ignore[index]
            assert destination in self.endpoints, "a delivery outlived its endpoint"
            name = key.decode().rpartition(":")[2]
            ended = record[b"state"] != b"waiting"  # type: ignore[index]
            assert ended == (self.redis.ttl(key) > 0), "what has ended goes by itself, what waits does not"  # type: ignore[operator]
            if not ended:
                waiting[name] = destination
        places = [
            (name.decode(), endpoint, kind)
            for endpoint in self.endpoints
            for kind in ("due", "sending")
            for name in self.redis.zrange(f"ch:{kind}:{endpoint}", 0, -1)  # type: ignore[union-attr]
        ]
        assert len(places) == len(waiting), "what waits is in one place"
        assert {name: endpoint for name, endpoint, _ in places} == waiting
        on_the_way = {name for name, _, kind in places if kind == "sending"}
        assert {d.id for _, _, d, until in self.taken if until > self.clock.now} <= on_the_way

    @invariant()
    def everything_stands_in_its_lane(self) -> None:
        for lane in Lane:
            owners = {o.decode() for o in self.redis.zrange(f"ch:lane:{lane}", 0, -1)}  # type: ignore[union-attr]
            for owner in OWNERS:
                lined = {d.decode() for d in self.redis.zrange(f"ch:lane:{lane}:{owner}", 0, -1)}  # type: ignore[union-attr]
                busy = {
                    endpoint
                    for endpoint, whose in self.endpoints.items()
                    if whose == owner and self.redis.exists(f"ch:due:{endpoint}", f"ch:sending:{endpoint}")
                }
                assert lined == {e for e in busy if self.live.get(e, False) == (lane is Lane.LIVE)}
                assert (owner in owners) == bool(lined)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    found = SimpleNamespace(now=0.0, ids=count())
    tick: Callable[[], float] = lambda: found.now  # noqa: E731
    monkeypatch.setattr(storage.webhooks.deliveries, "time", SimpleNamespace(time=tick))
    # Ids in order, not random: deliveries due at the same time are claimed in that order, and runs must repeat exactly.
    monkeypatch.setattr(secrets, "token_hex", lambda size: format(next(found.ids), f"0{2 * size}x"))
    yield found


@pytest.mark.timeout(240)
def test_deliveries_whatever_happens(valkey: str, clock: SimpleNamespace) -> None:
    World.url, World.clock = valkey, clock
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
