"""``/v1/webhooks``: endpoints that events are sent to, and the log of deliveries."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify

from api.context import context, owner
from api.http.json_body import read_json
from api.http.query import page
from api.job_views import root
from api.routes.jobs import find_job
from pipelines.intake import of_field
from schemas.requests import WebhookChange, WebhookRequest
from schemas.views import rfc3339
from storage.webhooks.deliveries import Deliveries, Delivery
from storage.webhooks.endpoints import ROTATION, WebhookEndpoint, Webhooks, is_endpoint, own_destination

routes = Blueprint("webhooks", __name__, url_prefix="/v1")


def webhooks() -> Webhooks:
    """The endpoints of the present request's ledger."""
    return Webhooks(context().redis)


def deliveries() -> Deliveries:
    """The deliveries of the present request's ledger."""
    return Deliveries(context().redis)


@routes.post("/webhooks")
def create() -> tuple[Response, int, dict[str, str]]:
    """Makes an endpoint. Its secret, with which deliveries are signed, is shown this once."""
    asked = WebhookRequest.model_validate(read_json())
    _check(asked.url)
    endpoint, secret = webhooks().create(owner(), asked.url, dict.fromkeys(asked.events), asked.description)
    view = endpoint_view(endpoint)
    return jsonify({**view, "secret": secret}), 201, {"Location": view["links"]["self"]}


@routes.get("/webhooks")
def list_endpoints() -> Response:
    """Every endpoint, without its secret."""
    return jsonify({"object": "list", "data": [endpoint_view(one) for one in webhooks().of(owner())]})


@routes.get("/webhooks/<endpoint_id>")
def get(endpoint_id: str) -> Response:
    """An endpoint: whether it is enabled, and since when nothing has arrived there."""
    return jsonify(endpoint_view(webhooks().get(owner(), endpoint_id)))


@routes.patch("/webhooks/<endpoint_id>")
def change(endpoint_id: str) -> Response:
    """Changes an endpoint's URL, events or description, disables it, or enables it again."""
    asked = WebhookChange.model_validate(read_json())
    webhooks().get(owner(), endpoint_id)
    if asked.url is not None:
        _check(asked.url)
    changed = webhooks().change(
        owner(),
        endpoint_id,
        url=asked.url,
        events=None if asked.events is None else dict.fromkeys(asked.events),
        description=asked.description,
        enabled=asked.enabled,
    )
    return jsonify(endpoint_view(changed))


@routes.delete("/webhooks/<endpoint_id>")
def delete(endpoint_id: str) -> Response:
    """Takes an endpoint away at once, with what waits for it and its log."""
    webhooks().delete(owner(), endpoint_id)
    return Response(status=204)


@routes.post("/webhooks/<endpoint_id>/rotate")
def rotate(endpoint_id: str) -> Response:
    """A new secret. For a day deliveries carry a signature of the one before as well."""
    return jsonify({"secret": webhooks().rotate(owner(), endpoint_id), "old_valid_for": ROTATION})


@routes.post("/webhooks/<endpoint_id>/test")
def test(endpoint_id: str) -> tuple[Response, int]:
    """Sends an event of the type `webhook.test`, whatever the endpoint asks for."""
    webhooks().get(owner(), endpoint_id)
    return jsonify(delivery_view(deliveries().test(owner(), endpoint_id))), 202


@routes.get("/webhooks/<endpoint_id>/deliveries")
def list_deliveries(endpoint_id: str) -> Response:
    """A page of an endpoint's deliveries with their attempts, newest first."""
    webhooks().get(owner(), endpoint_id)
    return page(partial(deliveries().page, endpoint_id), delivery_view)


@routes.get("/jobs/<job_id>/deliveries")
def list_job_deliveries(job_id: str) -> Response:
    """Every delivery of a job's events, to endpoints or to a URL of its own, oldest first."""
    job = find_job(job_id)
    own = [own_destination(owner(), job.hook_url)] if job.hook_url else []
    to = own or [one.id for one in webhooks().of(owner())]
    found = deliveries().of_job(job, to)
    return jsonify({"object": "list", "data": [delivery_view(one) for one in found], "next": None})


@routes.get("/deliveries/<delivery_id>")
def get_delivery(delivery_id: str) -> Response:
    """A delivery: what became of each attempt, and when the next one is."""
    return jsonify(delivery_view(deliveries().get(owner(), delivery_id)))


@routes.post("/deliveries/<delivery_id>/redeliver")
def redeliver(delivery_id: str) -> tuple[Response, int]:
    """Sends an event once more and at once, under the same id."""
    return jsonify(delivery_view(deliveries().redeliver(owner(), delivery_id))), 202


@routes.get("/webhook-secret")
def own_secret() -> Response:
    """The secret with which deliveries to URLs that jobs bring are signed."""
    return jsonify({"secret": webhooks().own_secret(owner())})


@routes.post("/webhook-secret/rotate")
def rotate_own_secret() -> Response:
    """A new secret for URLs that jobs bring. For a day deliveries carry a signature of the one before as well."""
    return jsonify({"secret": webhooks().rotate_own(owner()), "old_valid_for": ROTATION})


def _check(url: str) -> None:
    with of_field("url"):
        context().egress.check(url)


def endpoint_view(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint as the API shows it."""
    own = f"{root()}/v1/webhooks/{endpoint.id}"
    return {
        "id": endpoint.id,
        "object": "webhook",
        "url": endpoint.url,
        "events": [event.value for event in endpoint.events],
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "disabled": {"at": rfc3339(endpoint.disabled), "reason": endpoint.why} if endpoint.why else None,
        "failing_since": rfc3339(endpoint.failing),
        "created": rfc3339(endpoint.created),
        "links": {"self": own, **{name: f"{own}/{name}" for name in ("deliveries", "test", "rotate")}},
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    return {
        "id": delivery.id,
        "object": "delivery",
        "event": delivery.event,
        "type": delivery.type,
        "webhook": delivery.destination if is_endpoint(delivery.destination) else None,
        "state": delivery.state.value,
        "created": rfc3339(delivery.at),
        "next": rfc3339(delivery.due),
        "attempts": [
            {
                "at": rfc3339(attempt.at),
                "seconds": attempt.seconds,
                "status": attempt.status,
                "code": attempt.code,
                "message": attempt.message,
            }
            for attempt in delivery.log
        ],
    }
