"""Who is let in: one Lua call for each request, which finds its API key, and checks and counts the limits on requests.

Every API process asks Redis each time, so a key that is revoked is refused at once by all of them, limits are exact
whatever their number, and nobody is let in while Redis is away. Redis' clock is used, never that of a process.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import redis

from core.errors import InternalError, LedgerUnavailable, Unauthorized, Unavailable
from storage.access.caller import Caller
from storage.access.keys import ApiKey, digest_of, key_id, read_key
from storage.access.limits import Limits, read_limits
from storage.ledger.scripts import Scripts

log = logging.getLogger(__name__)

#: Seconds over which requests are counted.
WINDOW = 60

#: Characters of a secret; longer ones are no keys.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit on requests in any `WINDOW` seconds: how many are left, and after how many seconds there are more."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to a request with a valid key. ``admitted``: whether the limits let it in, else it is not counted."""

    key: ApiKey
    owner_limits: Limits
    quotas: tuple[Quota, ...]  #: of the key and of its owner, where there are such limits
    admitted: bool

    @property
    def caller(self) -> Caller:
        """Whom the request comes from."""
        return Caller(
            owner=self.key.owner,
            key=self.key.id,
            scopes=self.key.scopes,
            max_expires_in=self.key.max_expires_in,
            key_limits=self.key.limits,
            owner_limits=self.owner_limits,
        )

    @property
    def tighter(self) -> Quota | None:
        """The quota that ends first; None without limits."""
        return min(self.quotas, key=lambda one: (one.remaining, -one.reset, one.limit), default=None)

    @property
    def retry_after(self) -> float:
        """Seconds after which a refused request would be admitted, if no other came before it."""
        return max((one.reset for one in self.quotas if not one.remaining), default=0.0)


class Authenticator:
    """Identifies callers and lets their requests in. ``defaults``: the limits of owners that have none of their own."""

    def __init__(self, client: redis.Redis, defaults: Limits) -> None:
        self._scripts = Scripts(client)
        self._defaults = defaults

    def admit(self, secret: str) -> Admission:
        """Check and count a request. Raises `Unauthorized` if there is no such key, or no longer; `LedgerUnavailable`
        if that cannot be known, and `Unavailable` if the limits of its owner are damaged."""
        return self._ask(secret, count=True)

    def peek(self, secret: str) -> Admission:
        """Like `admit`, without counting: the same request is admitted later."""
        return self._ask(secret, count=False)

    def is_valid(self, secret: str, owner: str) -> bool:
        """Whether this is still a key of ``owner``, whatever its limits. Raises `LedgerUnavailable`."""
        try:
            return self._ask(secret, count=False).key.owner == owner
        except Unauthorized:
            return False

    def _ask(self, secret: str, *, count: bool) -> Admission:
        if len(secret) > _LONGEST:
            raise Unauthorized
        digest, default = digest_of(secret), self._defaults.requests_per_minute
        try:
            answer, *found = self._scripts.run("admit", digest=digest, default=default, count=count)
        except InternalError as error:  # a key in Redis has another type
            log.warning("Requests of API key %s cannot be admitted: %s", key_id(digest), error.message)
            raise LedgerUnavailable from error
        key = read_key(digest, _mapping(found[0])) if found else None
        if answer == b"damaged" and key is not None:
            raise Unavailable("The limits of this owner or API key are damaged.", code="damaged_limits")
        if answer == b"unknown" or key is None:
            raise Unauthorized
        own = read_limits({name.decode(): value.decode(errors="replace") for name, value in _mapping(found[1]).items()})
        return Admission(
            key=key,
            owner_limits=replace(self._defaults, **own),
            quotas=tuple(Quota(limit, left, wait / 1e6) for limit, left, wait in found[2:] if limit >= 0),
            admitted=answer == b"admitted",
        )


def _mapping(flat: Any) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
