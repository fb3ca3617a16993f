"""Idempotency keys: for each ``Idempotency-Key`` the request that used it first, and the job of that request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import redis

from core.redis import redis_errors
from storage.ledger.keys import key as redis_key

#: Seconds that a key is remembered.
REMEMBERED = 24 * 3600


@dataclass(frozen=True, slots=True)
class Claim:
    """The first request with a key: its ``fingerprint``, and the id of its job."""

    fingerprint: str
    job: str

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.job}"


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
        fingerprint, _, job = bytes(held).decode().partition(" ")  # type: ignore[arg-type]
        return Claim(fingerprint, job)

    def release(self, owner: str, key: str, claim: Claim) -> None:
        """Free the key if it is assigned to ``claim``."""
        if self.get(owner, key) == claim:
            with redis_errors():
                self._redis.delete(_name(owner, key))


def _name(owner: str, key: str) -> str:
    return redis_key("idem", owner, hashlib.sha256(key.encode()).hexdigest()[:40])
