"""The sender: takes due deliveries and sends them to their receivers, by Standard Webhooks.

A separate process with its own slots, of which any number can run: no job waits for a receiver. Its two lanes have
separate slots, and a destination that does not respond has at most one of them, so that failing destinations delay no
others. Whatever happens to a sender, its deliveries are due again once their leases have expired.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook

from core.errors import ChorusError, InternalError, InvalidRequest, ReceiverFailed, Unavailable
from core.failpoints import reach
from core.names import Lane
from core.outgoing.egress import EgressResponse
from pipelines.connections import Connections
from storage.metrics import count
from storage.webhooks.deliveries import Attempt, Deliveries, Delivery
from storage.webhooks.endpoints import Webhooks
from workers.retry import retry_until_available
from workers.webhooks.body import body_of

log = logging.getLogger(__name__)

#: Seconds between two checks for due deliveries.
POLL = 0.05

#: Seconds that a lease lasts beyond the time that an attempt may take.
SPARE = 5.0

#: Share of a lane's slots that one owner may have.
SHARE = 0.75

#: Each gap between attempts is longer by up to this share, so that they do not come in step.
JITTER = 0.1

#: Seconds that a receiver may ask to be left alone for, at the most.
LONGEST_RETRY_AFTER = 86_400.0

#: Bytes of an answer that are read: nothing is done with them.
_ANSWER = 4096


#: Errors that a retry cannot resolve.
_FINAL = frozenset(("webhook_disabled", "webhook_not_found"))

_GONE = 410


@dataclass(slots=True)
class _Slots:
    """The slots of one lane: how many, and how many each owner has."""

    most: int
    held: Counter[str]

    @property
    def free(self) -> int:
        return self.most - self.held.total()

    @property
    def share(self) -> int:
        return max(1, int(self.most * SHARE))


class Sender:
    """Sends due deliveries until ``stop``."""

    def __init__(self, connections: Connections, stop: threading.Event) -> None:
        settings = connections.settings
        self._connections = connections
        self._egress = connections.egress
        self._deliveries = Deliveries(connections.redis)
        self._webhooks = Webhooks(connections.redis)
        self._gaps = settings.webhook_gap_seconds
        self._timeout = settings.webhook_timeout
        self._slots: Mapping[Lane, _Slots] = {lane: _Slots(settings.webhook_slots, Counter()) for lane in Lane}
        self._threads = ThreadPoolExecutor(len(Lane) * settings.webhook_slots, thread_name_prefix="webhook")
        self._lock = threading.Lock()
        self._stop = stop

    def run(self) -> None:
        """Take and send deliveries until stopped; then wait for those being sent."""
        while not self._stop.is_set():
            try:
                taken = sum([self._fill(lane) for lane in Lane])
            except Unavailable as error:
                log.warning("waiting: %s", error)
                taken = 0
                self._stop.wait(1.0)
            if not taken:
                self._stop.wait(POLL)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _fill(self, lane: Lane) -> int:
        """Takes as many deliveries as the lane has free slots; how many it got."""
        slots = self._slots[lane]
        with self._lock:
            free, held = slots.free, dict(slots.held)
        if not free:
            return 0
        taken = self._deliveries.claim(lane, free, lease=self._timeout + SPARE, share=slots.share, held=held)
        for delivery in taken:
            with self._lock:
                slots.held[delivery.owner] += 1
            self._threads.submit(self._bring, lane, delivery)
        return len(taken)

    def _bring(self, lane: Lane, delivery: Delivery) -> None:
        try:
            self._attempt(delivery)
        except Unavailable as error:  # it is due again once its lease has ended
            log.warning("%s: %s", delivery.id, error)
        except Exception:
            log.exception("%s failed", delivery.id)
        finally:
            slots = self._slots[lane]
            with self._lock:
                slots.held[delivery.owner] -= 1
                slots.held += Counter()  # none is kept that has nothing

    def _attempt(self, delivery: Delivery) -> None:
        """One attempt, and what follows from it."""
        began = time.monotonic()
        answer: EgressResponse | None = None
        problem: ChorusError | None = None
        try:
            answer = self._post(delivery, self._url(delivery))
            problem = _problem(answer)
        except Unavailable:
            raise
        except ChorusError as error:
            problem = error
        except Exception:
            log.exception("%s could not be sent", delivery.id)
            problem = InternalError()
        reach("sender.sent")
        attempt = Attempt(
            at=time.time(),
            seconds=round(time.monotonic() - began, 3),
            status=answer.status if answer else None,
            code=problem.code if problem else None,
            message=problem.message[:500] if problem else None,
        )
        self._settle(delivery, attempt, answer.retry_after if answer else None)

    def _settle(self, delivery: Delivery, attempt: Attempt, retry_after: float | None) -> None:
        delivered, gone = attempt.code is None, attempt.status == _GONE
        final = delivered or gone or attempt.code in _FINAL
        due = None if final else self._due(delivery.attempts + 1, retry_after)

        def settle() -> bool:
            return self._deliveries.settle(delivery, attempt, delivered=delivered, due=due, gone=gone)

        if retry_until_available(settle, self._stop):
            reason = "it is gone (410)" if gone else "nothing has arrived for days"
            log.warning("Webhook endpoint %s was disabled: %s", delivery.destination, reason)
        outcome = "delivered" if delivered else "again" if due else "failed"
        count(self._connections.redis, [("chorus_webhook_attempts_total", (outcome,), 1.0)])

    def _due(self, made: int, retry_after: float | None) -> float | None:
        """The time of the attempt after ``made`` attempts (Unix seconds), None if there is none."""
        if made > len(self._gaps):
            return None
        gap = self._gaps[made - 1] * random.uniform(1.0, 1.0 + JITTER)
        return time.time() + max(gap, min(retry_after or 0.0, LONGEST_RETRY_AFTER))

    def _url(self, delivery: Delivery) -> str:
        """The URL of the destination. Raises `InvalidRequest` (``webhook_disabled``), `NotFound`."""
        if delivery.url is not None:
            return delivery.url
        endpoint = self._webhooks.get(delivery.owner, delivery.destination)
        if not endpoint.enabled:
            raise InvalidRequest("The endpoint is disabled.", code="webhook_disabled")
        return endpoint.url

    def _post(self, delivery: Delivery, url: str) -> EgressResponse:
        body, moment = body_of(self._connections, delivery), datetime.now(UTC)
        secrets = self._webhooks.secrets(delivery.owner, delivery.destination)
        signatures = [Webhook(secret).sign(delivery.event, moment, body.decode()) for secret in secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.event,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return self._egress.post(url, body, headers, timeout=self._timeout, max_response_bytes=_ANSWER)


def _problem(answer: EgressResponse) -> ChorusError | None:
    """Why an answer is no success: any status but 2xx, and a redirect too."""
    if 200 <= answer.status < 300:
        return None
    if 300 <= answer.status < 400:
        return ReceiverFailed("The receiver redirects. Register the final URL.", code="webhook_redirected")
    return ReceiverFailed(f"The receiver responded with status {answer.status}.", code="webhook_refused")


def run_sender(connections: Connections, stop: threading.Event) -> None:
    """Sends until ``stop``."""
    Sender(connections, stop).run()
