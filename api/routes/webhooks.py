"""``/v1/webhooks``: webhook endpoints and their deliveries."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, jsonify

from api.context import context, owner
from api.http.json_body import read_json
from api.http.query import page
from api.job_views import views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import LOCATION, PAGE
from api.routes.jobs import find_job
from core.errors import Conflict
from pipelines.intake import of_field
from schemas import webhook_responses as responses
from schemas.requests import WebhookChange, WebhookRequest
from schemas.views import delivery_view
from storage.webhooks.deliveries import Deliveries
from storage.webhooks.endpoints import ROTATION, Webhooks, own_destination

routes = Blueprint("webhooks", __name__, url_prefix="/v1")


def webhooks() -> Webhooks:
    """The endpoints of the present request's ledger."""
    return Webhooks(context().redis)


def deliveries() -> Deliveries:
    """The deliveries of the present request's ledger."""
    return Deliveries(context().redis)


@routes.post("/webhooks")
@operation(
    "createWebhook",
    {201: ResponseSpec(responses.NewWebhookEndpoint, headers=LOCATION)},
    body=WebhookRequest,
    errors=(Conflict,),
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a webhook endpoint. The secret that signs its deliveries is shown only once."""
    asked = WebhookRequest.model_validate(read_json())
    _check(asked.url)
    endpoint, secret = webhooks().create(owner(), asked.url, dict.fromkeys(asked.events), asked.description)
    view = responses.NewWebhookEndpoint(**views().endpoint(endpoint), secret=secret)
    return jsonify(view), 201, {"Location": view["links"]["self"]}


@routes.get("/webhooks")
@operation("listWebhooks", {200: responses.WebhookEndpointList})
def list_endpoints() -> Response:
    """List webhook endpoints, without their secrets."""
    data = [views().endpoint(one) for one in webhooks().of(owner())]
    return jsonify(responses.WebhookEndpointList(object="list", data=data))


@routes.get("/webhooks/<endpoint_id>")
@operation("getWebhook", {200: responses.WebhookEndpoint})
def get(endpoint_id: str) -> Response:
    """Retrieve a webhook endpoint: whether it is enabled, and since when its deliveries fail."""
    return jsonify(views().endpoint(webhooks().get(owner(), endpoint_id)))


@routes.patch("/webhooks/<endpoint_id>")
@operation("changeWebhook", {200: responses.WebhookEndpoint}, body=WebhookChange)
def change(endpoint_id: str) -> Response:
    """Change a webhook endpoint's URL, events or description, or enable or disable it."""
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
    return jsonify(views().endpoint(changed))


@routes.delete("/webhooks/<endpoint_id>")
@operation("deleteWebhook", {204: None})
def delete(endpoint_id: str) -> Response:
    """Delete a webhook endpoint, its waiting deliveries and its log."""
    webhooks().delete(owner(), endpoint_id)
    return Response(status=204)


@routes.post("/webhooks/<endpoint_id>/rotate")
@operation("rotateWebhookSecret", {200: responses.RotatedSecret})
def rotate(endpoint_id: str) -> Response:
    """Rotate the secret of a webhook endpoint. For a day deliveries are also signed with the old one."""
    return jsonify(_rotated(webhooks().rotate(owner(), endpoint_id)))


@routes.post("/webhooks/<endpoint_id>/test")
@operation("testWebhook", {202: ResponseSpec(responses.Delivery, "The delivery was created.")})
def test(endpoint_id: str) -> tuple[Response, int]:
    """Send a test event, `webhook.test`, regardless of the endpoint's events."""
    webhooks().get(owner(), endpoint_id)
    return jsonify(delivery_view(deliveries().test(owner(), endpoint_id))), 202


@routes.get("/webhooks/<endpoint_id>/deliveries")
@operation("listDeliveries", {200: responses.DeliveryList}, parameters=PAGE)
def list_deliveries(endpoint_id: str) -> Response:
    """List the deliveries of a webhook endpoint with their attempts, newest first."""
    webhooks().get(owner(), endpoint_id)
    return page(partial(deliveries().page, endpoint_id), delivery_view)


@routes.get("/jobs/<job_id>/deliveries")
@operation("listJobDeliveries", {200: ResponseSpec(responses.DeliveryList, "All deliveries of the job.")})
def list_job_deliveries(job_id: str) -> Response:
    """List the deliveries of a job's events, oldest first."""
    job = find_job(job_id)
    own = [own_destination(owner(), job.hook_url)] if job.hook_url else []
    to = own or [one.id for one in webhooks().of(owner())]
    found = deliveries().of_job(job, to)
    return jsonify(responses.DeliveryList(object="list", data=[delivery_view(one) for one in found], next=None))


@routes.get("/deliveries/<delivery_id>")
@operation("getDelivery", {200: responses.Delivery})
def get_delivery(delivery_id: str) -> Response:
    """Retrieve a delivery: the result of each attempt, and the time of the next."""
    return jsonify(delivery_view(deliveries().get(owner(), delivery_id)))


@routes.post("/deliveries/<delivery_id>/redeliver")
@operation("redeliver", {202: ResponseSpec(responses.Delivery, "The delivery was scheduled.")}, errors=(Conflict,))
def redeliver(delivery_id: str) -> tuple[Response, int]:
    """Send a delivery again at once, with the same id."""
    return jsonify(delivery_view(deliveries().redeliver(owner(), delivery_id))), 202


@routes.get("/webhook-secret")
@operation("getWebhookSecret", {200: responses.WebhookSecret})
def own_secret() -> Response:
    """Retrieve the secret that signs deliveries to URLs that jobs name."""
    return jsonify(responses.WebhookSecret(secret=webhooks().own_secret(owner())))


@routes.post("/webhook-secret/rotate")
@operation("rotateOwnWebhookSecret", {200: responses.RotatedSecret})
def rotate_own_secret() -> Response:
    """Rotate the secret for URLs that jobs name. For a day deliveries are also signed with the old one."""
    return jsonify(_rotated(webhooks().rotate_own(owner())))


def _rotated(secret: str) -> responses.RotatedSecret:
    return responses.RotatedSecret(secret=secret, old_valid_for=ROTATION)


def _check(url: str) -> None:
    with of_field("url"):
        context().egress.check(url)
