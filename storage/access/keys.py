"""API keys: stored hashed in Redis and checked at every request, so that revoking a key takes effect at once."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import redis

from core.errors import InvalidRequest, NotFound
from core.redis import redis_errors
from storage.ledger.keys import key

_OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored API key, without its secret. ``created`` is in Unix seconds."""

    id: str
    owner: str
    name: str
    created: float
    max_expires_in: int | None = None  #: seconds that its jobs' results are kept at most


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(digest: str, record: dict[bytes, bytes]) -> ApiKey:
    fields = {name.decode(): value.decode() for name, value in record.items()}
    return ApiKey(
        id=f"key_{digest[:16]}",
        owner=fields["owner"],
        name=fields["name"],
        created=float(fields["created"]),
        max_expires_in=int(fields["max_expires_in"]) if fields.get("max_expires_in") else None,
    )


def create_key(client: redis.Redis, owner: str, name: str = "", *, max_expires_in: int | None = None) -> str:
    """Create a key for ``owner`` and return its secret, which is shown only once.

    Raises `InvalidRequest` if the owner's name is not valid at the start of an object name.
    """
    if not _OWNER.fullmatch(owner):
        raise InvalidRequest(
            "An owner's name must have 1 to 63 of a-z, 0-9, - and _, and start with a letter or digit."
        )
    secret = "chorus_" + secrets.token_urlsafe(32)
    digest = _digest(secret)
    pipe = client.pipeline()
    record: dict[Any, Any] = {
        "owner": owner,
        "name": name[:200],
        "created": time.time(),
        "max_expires_in": max_expires_in or "",
    }
    pipe.hset(key("key", digest), mapping=record)
    pipe.sadd(key("keys"), digest)
    with redis_errors():
        pipe.execute()
    return secret


def find_key(client: redis.Redis, secret: str) -> ApiKey | None:
    """The key with this secret, or None."""
    digest = _digest(secret)
    with redis_errors():
        record = client.hgetall(key("key", digest))
    return _read(digest, record) if record else None  # type: ignore[arg-type]


def list_keys(client: redis.Redis) -> list[ApiKey]:
    """All keys, oldest first."""
    with redis_errors():
        digests = sorted(d.decode() for d in client.smembers(key("keys")))  # type: ignore[union-attr]
        records = [client.hgetall(key("key", digest)) for digest in digests]
    found = [_read(d, r) for d, r in zip(digests, records, strict=True) if r]  # type: ignore[arg-type]
    return sorted(found, key=lambda key: key.created)


def revoke_key(client: redis.Redis, key_id: str) -> ApiKey:
    """Ends a key, by its id. Raises `NotFound`."""
    with redis_errors():
        for digest in (d.decode() for d in client.smembers(key("keys"))):  # type: ignore[union-attr]
            record = client.hgetall(key("key", digest))
            if record and key_id == f"key_{digest[:16]}":
                client.delete(key("key", digest))
                client.srem(key("keys"), digest)
                return _read(digest, record)  # type: ignore[arg-type]
    raise NotFound(f"The API key {key_id!r} does not exist.")
