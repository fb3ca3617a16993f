"""The shapes of answers about webhooks, for the OpenAPI description: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.names import DeliveryState, EventType
from schemas.responses import Answer, Seconds, Time, Url, identifier


class WebhookLinks(Answer):
    """Where else to look."""

    self: Url
    deliveries: Url
    test: Url
    rotate: Url


class Disabled(Answer):
    """That Chorus disabled an endpoint, and why."""

    at: Time
    reason: Literal["gone", "failing"] = Field(description="It answered 410; or nothing has arrived there for days")


class WebhookEndpoint(Answer):
    """Where events are sent to."""

    id: Annotated[str, identifier("we")]
    object: Literal["webhook"]
    url: Url
    events: list[EventType]
    description: str | None
    enabled: bool
    disabled: Disabled | None
    failing_since: Time | None = Field(description="Since when nothing has arrived there")
    created: Time
    links: WebhookLinks


class NewWebhookEndpoint(WebhookEndpoint):
    """A webhook endpoint with its secret, which is shown this once."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class WebhookSecret(Answer):
    """A secret that deliveries are signed with."""

    secret: Annotated[str, Field(pattern="^whsec_")]


class RotatedSecret(WebhookSecret):
    """A new secret."""

    old_valid_for: Seconds = Field(description="How long deliveries are signed with the one before as well")


class WebhookEndpointList(Answer):
    """Every webhook endpoint."""

    object: Literal["list"]
    data: list[WebhookEndpoint]


class DeliveryAttempt(Answer):
    """One attempt at a delivery."""

    at: Time
    seconds: Seconds
    status: int | None = Field(description="Of the receiver's answer, null where there was none")
    code: str | None = Field(description="What went wrong; null where it arrived")
    message: str | None


class Delivery(Answer):
    """One event on its way to one receiver."""

    id: Annotated[str, identifier("de")]
    object: Literal["delivery"]
    event: str = Field(description="The event's id, which is the header webhook-id")
    type: str
    webhook: Annotated[str, identifier("we")] | None = Field(description="Null for a URL that a job brought")
    state: DeliveryState
    created: Time
    next: Time | None = Field(description="When it is to be sent")
    attempts: list[DeliveryAttempt]


class DeliveryList(Answer):
    """A page of deliveries."""

    object: Literal["list"]
    data: list[Delivery]
    next: str | None = Field(description="Cursor of the page behind this one")
