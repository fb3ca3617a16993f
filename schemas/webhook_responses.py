"""The shapes of responses about webhooks: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.names import DeliveryState, EventType
from schemas.responses import Cursor, Seconds, Shape, Time, Url, WebhookId


class WebhookLinks(Shape):
    """Where else to look."""

    self: Url
    deliveries: Url
    test: Url
    rotate: Url


class Disabled(Shape):
    """That Chorus disabled an endpoint, and why."""

    at: Time
    reason: Annotated[
        Literal["gone", "failing"], Field(description="It answered 410; or nothing has arrived there for days")
    ]


class WebhookEndpoint(Shape):
    """Where events are sent to."""

    id: WebhookId
    object: Literal["webhook"]
    url: Url
    events: list[EventType]
    description: str | None
    enabled: bool
    disabled: Disabled | None
    failing_since: Annotated[Time | None, Field(description="Since when nothing has arrived there")]
    created: Time
    links: WebhookLinks


class NewWebhookEndpoint(WebhookEndpoint):
    """A webhook endpoint with its secret, which is shown this once."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class WebhookSecret(Shape):
    """A secret that deliveries are signed with."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class RotatedSecret(WebhookSecret):
    """A new secret."""

    old_valid_for: Annotated[Seconds, Field(description="How long deliveries are signed with the one before as well")]


class WebhookEndpointList(Shape):
    """Every webhook endpoint."""

    object: Literal["list"]
    data: list[WebhookEndpoint]


class DeliveryAttempt(Shape):
    """One attempt at a delivery."""

    at: Time
    seconds: Seconds
    status: Annotated[int | None, Field(description="Of the receiver's answer, null where there was none")]
    code: Annotated[str | None, Field(description="What went wrong; null where it arrived")]
    message: str | None


class Delivery(Shape):
    """One event on its way to one receiver."""

    id: Annotated[str, Field(pattern="^de_[0-9a-f]{24}$")]
    object: Literal["delivery"]
    event: Annotated[str, Field(description="The event's id, which is the header webhook-id")]
    type: str
    webhook: Annotated[WebhookId | None, Field(description="Null for a URL that a job brought")]
    state: DeliveryState
    created: Time
    next: Annotated[Time | None, Field(description="When it is to be sent")]
    attempts: list[DeliveryAttempt]


class DeliveryList(Shape):
    """A page of deliveries."""

    object: Literal["list"]
    data: list[Delivery]
    next: Cursor
