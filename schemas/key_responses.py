"""The shapes of responses about API keys and limits: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.names import Scope
from schemas.responses import Time
from schemas.shapes import Count, Shape, Url
from storage.access.keys import KEY_ID
from storage.access.limits import OWNER

KeyId = Annotated[str, Field(pattern=f"^{KEY_ID}$")]
Owner = Annotated[str, Field(pattern=f"^{OWNER}$")]


class LimitValues(Shape):
    """Limits; null: unlimited."""

    requests_per_minute: Annotated[Count | None, Field(description="Requests in any 60 seconds")]
    open_jobs: Annotated[Count | None, Field(description="Jobs that have not ended")]
    characters_per_day: Annotated[Count | None, Field(description="Characters of text in a day (UTC)")]
    audio_seconds_per_day: Annotated[Count | None, Field(description="Seconds of recordings in a day (UTC)")]


class KeyLinks(Shape):
    """Links to related resources."""

    self: Url
    rotate: Url


class ApiKey(Shape):
    """An API key, without its secret."""

    id: KeyId
    object: Literal["api_key"]
    owner: Owner
    name: str
    scopes: list[Scope]
    created: Time
    expires: Time | None
    last_used: Annotated[Time | None, Field(description="Exact to a minute")]
    replaced_by: Annotated[KeyId | None, Field(description="The key that it was rotated to")]
    limits: Annotated[LimitValues, Field(description="The key's own; those of its owner apply as well")]
    max_expires_in: Annotated[int | None, Field(description="Seconds that its jobs' results are kept at most")]
    links: KeyLinks


class NewApiKey(ApiKey):
    """A new API key with its secret, which is shown only once."""

    secret: Annotated[str, Field(pattern="^chorus_")]


class ApiKeyList(Shape):
    """All API keys, oldest first."""

    object: Literal["list"]
    data: list[ApiKey]


class CurrentKey(Shape):
    """The API key of the request; its id is null if authentication is off."""

    id: KeyId | None
    object: Literal["current_key"]
    owner: Owner
    scopes: list[Scope]
    expires: Time | None
    limits: LimitValues
    owner_limits: LimitValues


class OwnerLimits(Shape):
    """The limits of an owner, with all keys together."""

    object: Literal["limits"]
    owner: Owner
    limits: LimitValues
    own: Annotated[list[str], Field(description="Those set for this owner; the others are the service's settings")]
