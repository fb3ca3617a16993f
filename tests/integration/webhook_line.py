"""An owner's webhooks without a stack: jobs whose state changes by hand, and a sender in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from flask.testing import FlaskClient
from standardwebhooks import Webhook

from benchmarks.support.receiver import Received
from core.errors import ModelFailed
from core.work import ItemRef
from pipelines.connections import Connections
from storage.ledger.records import Outcome
from tests.integration.test_api import job
from tests.waiting import wait_for
from workers.webhooks.sender import Sender

PATIENCE = 30.0


class WebhookLine:
    """Makes endpoints and events, and looks at what became of them."""

    def __init__(self, client: FlaskClient, connections: Connections) -> None:
        self.client = client
        self.connections = connections

    @contextmanager
    def sending(self) -> Iterator[None]:
        stop = Event()
        thread = Thread(target=Sender(self.connections, stop).run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def endpoint(self, url: str, *events: str, **more: Any) -> dict[str, Any]:
        body = {"url": url, **({"events": list(events)} if events else {}), **more}
        answer = self.client.post("/v1/webhooks", json=body)
        assert answer.status_code == 201, answer.data
        found: dict[str, Any] = answer.get_json()
        return found

    def job(self, **changes: Any) -> str:
        answer = self.client.post("/v1/jobs", json=job(**changes))
        assert answer.status_code == 202, answer.data
        return str(answer.get_json()["id"])

    def fail(self, job_id: str) -> None:
        """Ends a job as failed, with a state change and an event as any other."""
        found = self.connections.ledger.get(job_id)
        assert found is not None
        ref = ItemRef(job_id, found.generation, found.step)
        self.connections.ledger.take("cpu", [ref])
        self.connections.ledger.advance([Outcome(ref=ref, station="cpu", error=ModelFailed())])

    def failed_job(self, **changes: Any) -> str:
        job_id = self.job(**changes)
        self.fail(job_id)
        return job_id

    def deliveries(self, endpoint: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"/v1/webhooks/{endpoint}/deliveries").get_json()["data"]
        return found

    def settled(self, endpoint: str, count: int = 1) -> list[dict[str, Any]]:
        """The endpoint's deliveries, once ``count`` of them have ended."""

        def look() -> list[dict[str, Any]] | None:
            found = self.deliveries(endpoint)
            return found if sum(one["state"] != "waiting" for one in found) >= count else None

        found: list[dict[str, Any]] = wait_for(look, PATIENCE, "the deliveries' ends", every=0.02)
        return found


def verified(secret: str, received: Received) -> dict[str, Any]:
    """The event, by the package of Standard Webhooks. Raises where the signature does not fit."""
    found: dict[str, Any] = Webhook(secret).verify(received.body, dict(received.headers))
    return found
