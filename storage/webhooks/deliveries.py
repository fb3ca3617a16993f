"""Deliveries: events for webhook endpoints, and the log of their attempts.

The ledger's scripts create a delivery in the same call as the change that it reports (``publish`` in
``deliveries.lua``). From then on it is due at its time, in the lane of its destination: ``live`` if the destination's
last response was a success, else ``doubtful``, so that failing destinations do not delay healthy ones. A sender takes
it under a lease. If it is not settled in time, it is due again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import redis

from core.errors import Conflict, NotFound
from core.names import TEST_EVENT, DeliveryState, EventType, Lane
from core.redis import redis_errors
from storage.ledger.events import events_of
from storage.ledger.keys import key
from storage.ledger.pages import newest
from storage.ledger.records import Job
from storage.ledger.scripts import Scripts

#: Seconds that a delivery stays in the log after it has ended.
LOG_SECONDS = 7 * 86_400

_DISABLED = 2
_TOLD = frozenset(EventType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: when it ended (Unix seconds), how long it took (seconds), what came of it."""

    at: float
    seconds: float
    status: int | None = None  #: of the receiver's answer
    code: str | None = None  #: what went wrong
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one destination: an endpoint's id, or ``{owner}/own_…``. Times are Unix seconds."""

    id: str
    event: str  #: ``{job}:{generation}:{sequence}``
    owner: str
    destination: str
    type: str
    at: float  #: when it happened
    state: DeliveryState
    attempts: int  #: of this round
    log: tuple[Attempt, ...] = ()
    url: str | None = None  #: of a job's own; an endpoint's stands with the endpoint
    due: float | None = None  #: when it is to be sent
    document: Mapping[str, Any] | None = None  #: the result or error that it tells of, as far as it is small

    @property
    def job(self) -> str:
        """The job or batch of the event; for a test, the test's own name."""
        return self.event.split(":")[0]

    @property
    def generation(self) -> int:
        return int(self.event.split(":")[1])

    @property
    def sequence(self) -> int:
        return int(self.event.split(":")[2])


def delivery_id(event: str, destination: str) -> str:
    """The id of an event's delivery to a destination; the ledger's scripts make the same."""
    return f"de_{hashlib.sha1(f'{event}/{destination}'.encode()).hexdigest()[:24]}"


class Deliveries:
    """The deliveries in Redis. Every method raises `LedgerUnavailable` if Redis cannot be reached."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts = Scripts(client)
        self._token = secrets.token_hex(6)  #: of this process

    def claim(self, lane: Lane, places: int, *, lease: float, share: int, held: Mapping[str, int]) -> list[Delivery]:
        """Take up to ``places`` deliveries of a lane for ``lease`` seconds, owners and destinations in turns.

        An owner gets at most ``share`` of them at once; ``held`` (by owner) are already being sent by this sender.
        """
        answers = self._scripts.run(
            "claim",
            lane=lane.value,
            now=time.time(),
            lease=lease,
            places=places,
            share=share,
            held=dict(held),
            token=self._token,
        )
        return [_delivery(answer[0].decode(), _pairs(answer[1:])) for answer in answers]

    def settle(
        self,
        delivery: Delivery,
        attempt: Attempt,
        *,
        delivered: bool = False,
        due: float | None = None,
        gone: bool = False,
    ) -> bool:
        """Record the result of an attempt: ``delivered``, ``due`` again at that time, or else failed for good.

        ``gone``: the receiver responded 410. True if this disabled the endpoint, or a delivery that failed for good
        did, while no other succeeded.
        """
        kind = "delivered" if delivered else "failed" if due is None else "again"
        answer = self._scripts.run(
            "settle",
            delivery=delivery.id,
            token=self._token,
            now=attempt.at,
            kind=kind,
            attempt=json.dumps(asdict(attempt)),
            due=due,
            began=delivery.log[-delivery.attempts].at if delivery.attempts else attempt.at,
            gone=gone,
            keep=LOG_SECONDS,
        )
        return int(answer) == _DISABLED

    def get(self, owner: str, delivery: str) -> Delivery:
        """The owner's delivery of that id. Raises `NotFound` (``delivery_not_found``)."""
        found = self._read([delivery])
        if not found or found[0].owner != owner:
            raise NotFound("The delivery does not exist.", code="delivery_not_found")
        return found[0]

    def page(self, destination: str, behind: str | None, limit: int) -> list[Delivery]:
        """Deliveries to a destination, newest first, starting after ``behind``. Raises `InvalidRequest`."""
        return self._read(newest(self._redis, key("sent", destination), behind, limit))

    def of_job(self, job: Job, destinations: Sequence[str]) -> list[Delivery]:
        """Deliveries of a job's events in its present generation, oldest first."""
        events = [event.id for event in events_of(job) if event.type in _TOLD]
        return self._read([delivery_id(event, to) for event in events for to in destinations])

    def test(self, owner: str, endpoint: str) -> Delivery:
        """Create a test delivery for an endpoint, regardless of its events."""
        event = f"test_{secrets.token_hex(12)}:1:1"
        made = self._scripts.run(
            "deliver", event=event, owner=owner, destination=endpoint, type=TEST_EVENT, now=time.time()
        )
        return self.get(owner, bytes(made).decode())

    def redeliver(self, owner: str, delivery: str) -> Delivery:
        """Schedule a delivery again, at once. Raises `NotFound`, `Conflict` (``delivery_sending``)."""
        self.get(owner, delivery)
        if not self._scripts.run("redeliver", delivery=delivery, now=time.time()):
            raise Conflict("The delivery is being sent.", code="delivery_sending", retry_after=5)
        return self.get(owner, delivery)

    def _read(self, deliveries: Sequence[str]) -> list[Delivery]:
        pipe = self._redis.pipeline(transaction=False)
        for name in deliveries:
            pipe.hgetall(key("delivery", name))
        with redis_errors():
            records = pipe.execute() if deliveries else []
        known = [(name, record) for name, record in zip(deliveries, records, strict=True) if record]
        for name, record in known:
            pipe.zscore(key("due", record[b"to"].decode()), name)
        with redis_errors():
            due = pipe.execute() if known else []
        return [_delivery(name, record, at) for (name, record), at in zip(known, due, strict=True)]


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _delivery(name: str, record: Mapping[bytes, bytes], due: float | None = None) -> Delivery:
    fields = {key.decode(): value.decode() for key, value in record.items()}
    return Delivery(
        id=name,
        event=fields["event"],
        owner=fields["owner"],
        destination=fields["to"],
        type=fields["type"],
        at=float(fields["at"]),
        state=DeliveryState(fields["state"]),
        attempts=int(fields["attempts"]),
        log=tuple(Attempt(**json.loads(line)) for line in fields.get("log", "").splitlines()),
        url=fields.get("url"),
        due=due,
        document=json.loads(fields["document"]) if "document" in fields else None,
    )
