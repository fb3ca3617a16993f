"""Webhook endpoints: the URLs for an owner's events, and the secrets that sign deliveries.

A secret is ``whsec_`` and 32 bytes in base64 (Standard Webhooks, "Signature scheme"). It is stored unhashed, because
every delivery is signed with it. During a rotation both secrets are valid, and a delivery has a signature of each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis

from core import ids
from core.errors import Conflict, NotFound
from core.names import EventType
from core.redis import redis_errors
from storage.ledger.keys import key
from storage.ledger.records import Hook
from storage.ledger.scripts import Scripts

#: Seconds that a secret stays good once there is a newer one.
ROTATION = 24 * 3600

#: Endpoints that an owner may have.
MOST = 50

#: Deliveries that one call takes away.
_PORTION = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """One endpoint; times are Unix seconds."""

    id: str
    owner: str
    url: str
    events: tuple[EventType, ...]
    description: str | None
    created: float
    enabled: bool
    disabled: float | None = None  #: since when, where Chorus did it
    why: str | None = None  #: ``gone``: it answered 410; ``failing``: all attempts failed for days
    failing: float | None = None  #: since when nothing has arrived


class Webhooks:
    """The endpoints in Redis. Every method raises `LedgerUnavailable` if Redis cannot be reached."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts = Scripts(client)

    def create(
        self, owner: str, url: str, events: Iterable[EventType], description: str | None
    ) -> tuple[WebhookEndpoint, str]:
        """A new endpoint, and its secret. Raises `Conflict` (``too_many_webhooks``)."""
        with redis_errors():
            if int(self._redis.zcard(key("webhooks", owner))) >= MOST:
                raise Conflict(f"You already have {MOST} webhook endpoints, the maximum.", code="too_many_webhooks")
        endpoint, secret, now = ids.WEBHOOK.new(), _new_secret(), time.time()
        record: dict[Any, Any] = {
            "owner": owner,
            "url": url,
            "events": _joined(events),
            "description": description or "",
            "created": now,
            "enabled": 1,
            "secrets": json.dumps([[secret, None]]),
        }
        pipe = self._redis.pipeline()
        pipe.hset(key("webhook", endpoint), mapping=record)
        pipe.zadd(key("webhooks", owner), {endpoint: now})
        pipe.hset(key("hooks", owner), endpoint, _joined(events))
        with redis_errors():
            pipe.execute()
        return self.get(owner, endpoint), secret

    def get(self, owner: str, endpoint: str) -> WebhookEndpoint:
        """The owner's endpoint of that id. Raises `NotFound` (``webhook_not_found``)."""
        found = self._read([endpoint])[0] if ids.WEBHOOK.matches(endpoint) else None
        if found is None or found.owner != owner:
            raise NotFound("The webhook endpoint does not exist.", code="webhook_not_found")
        return found

    def of(self, owner: str) -> list[WebhookEndpoint]:
        """All endpoints of an owner, oldest first."""
        with redis_errors():
            ids = [e.decode() for e in self._redis.zrange(key("webhooks", owner), 0, -1)]  # type: ignore[union-attr]
        return [endpoint for endpoint in self._read(ids) if endpoint]

    def change(
        self,
        owner: str,
        endpoint: str,
        *,
        url: str | None = None,
        events: Iterable[EventType] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookEndpoint:
        """Change an endpoint and return it. Enabling it again resets its failures. Raises `NotFound`."""
        known = self.get(owner, endpoint)
        changed: dict[str, Any] = {"url": url, "description": description}
        changed["events"] = None if events is None else _joined(events)
        changed["enabled"] = None if enabled is None else int(enabled)
        listening = known.enabled if enabled is None else enabled
        pipe = self._redis.pipeline()
        fields: dict[Any, Any] = {"owner": owner, **{k: v for k, v in changed.items() if v is not None}}
        pipe.hset(key("webhook", endpoint), mapping=fields)
        if enabled is not None:
            pipe.hdel(key("webhook", endpoint), "disabled", "why")
        if enabled:
            pipe.hdel(key("receiver", endpoint), "failing")
        if listening:
            pipe.hset(key("hooks", owner), endpoint, changed["events"] or _joined(known.events))
        else:
            pipe.hdel(key("hooks", owner), endpoint)
        with redis_errors():
            pipe.execute()
        return self.get(owner, endpoint)

    def delete(self, owner: str, endpoint: str) -> None:
        """Takes an endpoint away, with what waits for it and its log. Raises `NotFound`."""
        self.get(owner, endpoint)
        while self._scripts.run("delete_webhook", webhook=endpoint, owner=owner, limit=_PORTION):
            pass

    def rotate(self, owner: str, endpoint: str) -> str:
        """A new secret; the one before stays good for `ROTATION` seconds. Raises `NotFound`."""
        self.get(owner, endpoint)
        record = key("webhook", endpoint)
        with redis_errors():
            held = self._redis.hget(record, "secrets")
            secret, rotated = _rotated(held)  # type: ignore[arg-type]
            self._redis.hset(record, "secrets", rotated)
        return secret

    def own_secret(self, owner: str) -> str:
        """The secret for URLs that jobs name, created at the first call."""
        return _good(self._own(owner))[0]

    def rotate_own(self, owner: str) -> str:
        """Replace the secret for URLs that jobs name; the old one stays valid for `ROTATION` seconds."""
        secret, rotated = _rotated(self._own(owner))
        with redis_errors():
            self._redis.set(key("signing", owner), rotated)
        return secret

    def secrets(self, owner: str, destination: str) -> Sequence[str]:
        """The secrets that sign a delivery to ``destination``, newest first; none if it no longer exists."""
        if not is_endpoint(destination):
            return _good(self._own(owner))
        with redis_errors():
            return _good(self._redis.hget(key("webhook", destination), "secrets"))  # type: ignore[arg-type]

    def _own(self, owner: str) -> bytes | None:
        """The stored secrets of an owner for URLs that jobs name."""
        signing = key("signing", owner)
        with redis_errors():
            held = self._redis.get(signing)
            if held is None:
                self._redis.set(signing, json.dumps([[_new_secret(), None]]), nx=True)
                held = self._redis.get(signing)
        return held  # type: ignore[return-value]

    def _read(self, endpoints: Sequence[str]) -> list[WebhookEndpoint | None]:
        pipe = self._redis.pipeline(transaction=False)
        for endpoint in endpoints:
            pipe.hgetall(key("webhook", endpoint))
            pipe.hget(key("receiver", endpoint), "failing")
        with redis_errors():
            answers = pipe.execute() if endpoints else []
        pairs = zip(endpoints, answers[::2], answers[1::2], strict=True)
        return [_endpoint(name, record, failing) if record.get(b"url") else None for name, record, failing in pairs]


def own_name(url: str) -> str:
    """The name of a job's own URL in the ledger: one for each receiver, whatever the path."""
    return f"own_{hashlib.sha256(urlsplit(url).netloc.lower().encode()).hexdigest()[:16]}"


def own_hook(url: str, events: Iterable[EventType]) -> Hook:
    """The record of a job's own URL: a name for its receiver, and its events."""
    return Hook(f"{own_name(url)} {_joined(events)}", url)


def own_destination(owner: str, url: str) -> str:
    """The destination of deliveries to a URL of a job's own."""
    return f"{owner}/{own_name(url)}"


def is_endpoint(destination: str) -> bool:
    """Whether a destination is an endpoint, and not a URL that a job names."""
    return ids.WEBHOOK.matches(destination)


def _joined(events: Iterable[EventType]) -> str:
    """Event types in the format of the ledger's scripts: each followed by a space."""
    return "".join(f"{event.value} " for event in events)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _rotated(held: bytes | None) -> tuple[str, str]:
    """A new secret, and the stored secrets: the new one, and old ones that are still valid."""
    secret, now = _new_secret(), time.time()
    kept = [[old, until or now + ROTATION] for old, until in _held(held)][:1]
    return secret, json.dumps([[secret, None], *kept])


def _held(held: bytes | None) -> list[tuple[str, float | None]]:
    """Secrets that are good still, newest first, each with the time until when."""
    found: list[tuple[str, float | None]] = json.loads(held or b"[]")
    return [(secret, until) for secret, until in found if until is None or until > time.time()]


def _good(held: bytes | None) -> list[str]:
    return [secret for secret, _ in _held(held)]


def _endpoint(name: str, record: Mapping[bytes, bytes], failing: bytes | None) -> WebhookEndpoint:
    fields = {key.decode(): value.decode() for key, value in record.items()}
    return WebhookEndpoint(
        id=name,
        owner=fields["owner"],
        url=fields["url"],
        events=tuple(map(EventType, fields["events"].split())),
        description=fields["description"] or None,
        created=float(fields["created"]),
        enabled=fields["enabled"] == "1",
        disabled=float(fields["disabled"]) if "disabled" in fields else None,
        why=fields.get("why"),
        failing=None if failing is None else float(failing),
    )
