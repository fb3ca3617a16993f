"""Use by day: what owners and their keys have used, and how much is left of their limits.

The ledger counts in the calls that create and end jobs (``storage/ledger/lua/usage.lua``). Days are in UTC, by Redis'
clock, and are kept for 400 days, also of keys that are revoked and of jobs that are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis

from core.redis import redis_errors
from storage.access.caller import Caller
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts

#: Days that use is kept for.
MAX_DAYS = 400

_EPOCH = date(1970, 1, 1)
_ALL_KEYS, _NO_KEY = "*", "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What was used: counts, and seconds of audio in recordings and in results."""

    requests: int = 0
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    characters: int = 0
    audio_seconds_in: float = 0.0
    audio_seconds_out: float = 0.0

    def __add__(self, other: Use) -> Use:
        return Use(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Use)})


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one key used on one day; ``key`` is its id, None for requests without a key."""

    date: date
    key: str | None
    use: Use


@dataclass(frozen=True, slots=True)
class Allowance:
    """A limit and what is left of it; ``resets``: seconds until it starts again, None for open jobs."""

    name: str  #: of the limit in `Limits`
    limit: int
    left: float
    resets: int | None


class Usage:
    """The use of all owners. Methods raise `LedgerUnavailable`."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] | None = None) -> None:
        """``clock``: Unix seconds; Redis' own clock by default."""
        self._redis = client
        self._clock = clock
        self._scripts = Scripts(client, clock)

    def today(self) -> date:
        """The day that use counts for now."""
        if self._clock is not None:
            return datetime.fromtimestamp(self._clock(), UTC).date()
        with redis_errors():
            seconds: Any = self._redis.time()
        return datetime.fromtimestamp(seconds[0], UTC).date()

    def between(self, owner: str, first: date, last: date) -> list[DayUse]:
        """What each of an owner's keys used on each day, in order of day and key; days without use are absent."""
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        pipe = self._redis.pipeline(transaction=False)
        for day in days:
            pipe.hgetall(key("usage", owner, str((day - _EPOCH).days)))
        with redis_errors():
            found = pipe.execute()
        return [use for day, record in zip(days, found, strict=True) for use in _read(day, record)]

    def allowances(self, caller: Caller) -> list[Allowance]:
        """Each limit on open jobs, characters and audio of a caller, and what is left of it: of the key's limit and the
        owner's limit, the one of which less is left."""
        counts, resets = self._scripts.run("allowance", owner=caller.owner, key=caller.key)
        found = []
        for what, by_key, by_owner in counts:
            name, factor = _LIMITS[what.decode()]
            limits = (
                (getattr(caller.key_limits, name), by_key),
                (getattr(caller.owner_limits, name), by_owner),
            )
            known = [(max(0.0, limit - used / factor), limit) for limit, used in limits if limit is not None]
            if known:
                left, limit = min(known)
                found.append(Allowance(name, limit, left, None if name == "open_jobs" else int(resets)))
        return found


#: By what is counted: the limit on it, and how many of it are counted for one.
_LIMITS = {
    "open_jobs": ("open_jobs", 1),
    "characters": ("characters_per_day", 1),
    "audio_in": ("audio_seconds_per_day", 1000),
}


def total(uses: Sequence[DayUse]) -> Use:
    """The sum of what was used."""
    return sum((one.use for one in uses), Use())


def _read(day: date, record: Mapping[bytes, bytes]) -> list[DayUse]:
    by_key: dict[str, dict[str, int]] = {}
    for field, amount in record.items():
        name, _, what = field.decode().partition("|")
        if name != _ALL_KEYS:
            by_key.setdefault(name, {})[what] = int(amount)
    return [DayUse(day, None if name == _NO_KEY else name, _use(counts)) for name, counts in sorted(by_key.items())]


def _use(counts: Mapping[str, int]) -> Use:
    return Use(
        requests=counts.get("requests", 0),
        jobs=counts.get("jobs", 0),
        succeeded=counts.get("succeeded", 0),
        failed=counts.get("failed", 0),
        characters=counts.get("characters", 0),
        audio_seconds_in=counts.get("audio_in", 0) / 1000,
        audio_seconds_out=counts.get("audio_out", 0) / 1000,
    )
