"""Idempotency keys: for each ``Idempotency-Key`` the request that used it first, and the job of that request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import redis

from core.redis import redis_errors
from storage.ledger.keys import key as redis_key

#: Seconds that a key is remembered.
REMEMBERED = 24 * 3600


@dataclass(frozen=True, slots=True)
class Claim:
    """The first request with a key: its ``fingerprint``, the id of its job, and whether that was ``created``."""

    fingerprint: str
    job: str
    created: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.job}{' created' if self.created else ''}"


class IdempotencyKeys:
    """The keys of all owners. Methods raise `LedgerUnavailable`."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def claim(self, owner: str, key: str, claim: Claim) -> bool:
        """Assign the key to ``claim``; False if it is already assigned."""
        with redis_errors():
            return bool(self._redis.set(_name(owner, key), str(claim), nx=True, ex=REMEMBERED))

    def get(self, owner: str, key: str) -> Claim | None:
        """The claim of the key, or None."""
        with redis_errors():
            held = self._redis.get(_name(owner, key))
        if held is None:
            return None
        fingerprint, job, *created = bytes(held).decode().split(" ")  # type: ignore[arg-type]
        return Claim(fingerprint, job, bool(created))

    def note_created(self, owner: str, key: str, claim: Claim) -> None:
        """Note that the job of ``claim`` was created: if it is gone later, it was deleted."""
        with redis_errors():
            self._redis.set(_name(owner, key), str(replace(claim, created=True)), xx=True, keepttl=True)

    def release(self, owner: str, key: str, claim: Claim) -> None:
        """Free the key if it is assigned to ``claim``."""
        if self.get(owner, key) == claim:
            with redis_errors():
                self._redis.delete(_name(owner, key))


def _name(owner: str, key: str) -> str:
    return redis_key("idem", owner, hashlib.sha256(key.encode()).hexdigest()[:40])
