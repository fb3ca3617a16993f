"""The context of the current request: the app's connections and the owner."""

from __future__ import annotations

from collections.abc import Callable

import redis
from flask import Flask, current_app, g, request

from core.errors import ConfigurationError, Unauthorized
from core.settings import Settings
from pipelines.connections import Connections
from storage.access.caller import Caller
from storage.access.keys import find_key, list_keys

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


def key_check() -> Callable[[], bool]:
    """Whether the key of the present request is still good, to be asked later and elsewhere."""
    ctx = context()
    if ctx.settings.auth == "off":
        return lambda: True
    secret, asked = _secret(), owner()

    def good() -> bool:
        key = find_key(ctx.redis, secret)
        return key is not None and key.owner == asked

    return good


def check_start(settings: Settings, client: redis.Redis) -> None:
    """Fails closed: no API key, no API. Raises `ConfigurationError`."""
    if settings.auth == "off":
        if not settings.on_loopback:
            raise ConfigurationError(
                f"CHORUS_AUTH=off serves everyone, so the API must listen on loopback, not on {settings.api_host}."
            )
        return
    if not list_keys(client):
        raise ConfigurationError(
            "There is no API key. Create one with 'chorus keys create OWNER', or set CHORUS_AUTH=off on loopback."
        )


def add_authentication(app: Flask) -> None:
    """Require an API key for every path below ``/v1``. Other paths expose no owner's data."""

    @app.before_request
    def authenticate() -> None:
        if not request.path.startswith("/v1"):
            return
        if context().settings.auth == "off":
            g.caller = Caller(owner=LOCAL_OWNER)
            return
        key = find_key(context().redis, _secret())
        if key is None:
            raise Unauthorized
        g.caller = Caller(owner=key.owner, key=key.id, max_expires_in=key.max_expires_in)


def secret_of(authorization: str, x_api_key: str) -> str | None:
    """The API key in a request's headers, or None."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return x_api_key.strip() or None


def _secret() -> str:
    secret = secret_of(request.headers.get("Authorization", ""), request.headers.get("X-API-Key", ""))
    if secret is None:
        raise Unauthorized
    return secret
