"""The context of the current request: the app's connections and the owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import redis
from flask import current_app, g, request

from core.errors import ConfigurationError
from core.settings import Settings
from pipelines.connections import Connections
from storage.access.admission import Authenticator
from storage.access.caller import Caller
from storage.access.keys import list_keys

#: The owner of all jobs if authentication is off.
LOCAL_OWNER = "local"


def context() -> Connections:
    """The connections of the present request's app."""
    found: Connections = current_app.extensions["chorus"]
    return found


def caller() -> Caller:
    """Whom the present request comes from."""
    found: Caller = g.caller
    return found


def owner() -> str:
    """Whom the present request belongs to."""
    return caller().owner


def ceiling() -> int | None:
    """The maximum of ``expires_in`` in seconds, for the API key of the current request."""
    return caller().max_expires_in


def authenticator() -> Authenticator:
    """What identifies callers."""
    found: Authenticator = current_app.extensions["authenticator"]
    return found


def key_check() -> Callable[[], bool]:
    """Whether the key of the present request is still valid, to be asked later and elsewhere."""
    secret = secret_of_request()
    if context().settings.auth == "off" or secret is None:
        return lambda: True
    return partial(authenticator().is_valid, secret, owner())


def check_start(settings: Settings, client: redis.Redis) -> None:
    """Fails closed: no API key, no API. Raises `ConfigurationError`."""
    if settings.auth == "off":
        if not settings.on_loopback:
            raise ConfigurationError(
                f"CHORUS_AUTH=off serves everyone, so the API must listen on loopback, not on {settings.api_host}."
            )
        return
    if not any(key.expires is None or key.expires > time.time() for key in list_keys(client)):
        raise ConfigurationError(
            "There is no valid API key. Create one with 'chorus keys create OWNER', or set CHORUS_AUTH=off on loopback."
        )


def secret_of(authorization: str, x_api_key: str) -> str | None:
    """The API key in a request's headers, or None."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return x_api_key.strip() or None


def secret_of_request() -> str | None:
    """The API key of the present request, or None."""
    return secret_of(request.headers.get("Authorization", ""), request.headers.get("X-API-Key", ""))
