"""The shapes of responses about webhooks: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.names import DeliveryState, EventType
from schemas.responses import Cursor, DeliveryId, Time, WebhookId
from schemas.shapes import Seconds, Shape, Url


class WebhookLinks(Shape):
    """Links to related resources."""

    self: Url
    deliveries: Url
    test: Url
    rotate: Url


class Disabled(Shape):
    """Why Chorus disabled an endpoint."""

    at: Time
    reason: Annotated[
        Literal["gone", "failing"],
        Field(description="gone: it responded 410; failing: no delivery has succeeded for days"),
    ]


class WebhookEndpoint(Shape):
    """A webhook endpoint."""

    id: WebhookId
    object: Literal["webhook"]
    url: Url
    events: list[EventType]
    description: str | None
    enabled: bool
    disabled: Disabled | None
    failing_since: Annotated[Time | None, Field(description="Since when deliveries fail")]
    created: Time
    links: WebhookLinks


class NewWebhookEndpoint(WebhookEndpoint):
    """A new webhook endpoint with its secret, which is shown only once."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class WebhookSecret(Shape):
    """A secret that signs deliveries."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class RotatedSecret(WebhookSecret):
    """A new secret."""

    old_valid_for: Annotated[Seconds, Field(description="How long deliveries are also signed with the old secret")]


class WebhookEndpointList(Shape):
    """All webhook endpoints."""

    object: Literal["list"]
    data: list[WebhookEndpoint]


class DeliveryAttempt(Shape):
    """One attempt at a delivery."""

    at: Time
    seconds: Seconds
    status: Annotated[int | None, Field(description="Status of the receiver's response; null if there was none")]
    code: Annotated[str | None, Field(description="Error code; null if the delivery succeeded")]
    message: str | None


class Delivery(Shape):
    """One event for one receiver."""

    id: DeliveryId
    object: Literal["delivery"]
    event: Annotated[str, Field(description="The event's id, as in the header webhook-id")]
    type: str
    webhook: Annotated[WebhookId | None, Field(description="null for a URL that a job names")]
    state: DeliveryState
    created: Time
    next: Annotated[Time | None, Field(description="Time of the next attempt")]
    attempts: list[DeliveryAttempt]


class DeliveryList(Shape):
    """A page of deliveries."""

    object: Literal["list"]
    data: list[Delivery]
    next: Cursor
