"""The ledger's operations for the reaper and the sweep: delayed, overdue, expired, lost and unused entries."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import redis

from core.errors import DeadlineExceeded
from core.redis import redis_errors
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts


class Upkeep:
    """Upkeep of the ledger. Any number of processes may call it at once. Methods raise `LedgerUnavailable`."""

    def __init__(self, client: redis.Redis, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def note_round(self, seconds: float) -> None:
        """Note that a reaper has done a round; this is known for ``seconds``."""
        with redis_errors():
            self._redis.set(key("round"), 1, px=round(1000 * seconds))

    def round_is_recent(self) -> bool:
        """Whether a reaper has done a round lately, see `note_round`."""
        with redis_errors():
            return bool(self._redis.exists(key("round")))

    def wake_due(self, limit: int = 500) -> set[str]:
        """Enqueue items at their stations whose delay is over; return these stations."""
        return {s.decode() for s in self._scripts.run("due", now=time.time(), limit=limit)}

    def end_overdue(self, limit: int = 100) -> int:
        """Ends jobs past their deadline as failed; how many were looked at."""
        error = json.dumps(DeadlineExceeded().to_dict())
        return int(self._scripts.run("overdue", now=time.time(), limit=limit, error=error))

    def tidy(self) -> int:
        """Clear a portion of what long jobs left behind when they ended; return how many jobs remain."""
        return int(self._scripts.run("tidy"))

    def released_before(self, station: str, moment: float) -> set[str]:
        """Items (as text) that were released to a station before ``moment`` (Unix seconds) and have not ended."""
        with redis_errors():
            items = self._redis.zrangebyscore(key("out", station), "-inf", moment)
        return {item.decode() for item in items}  # type: ignore[union-attr]

    def renew_release(self, station: str, item: str) -> bool:
        """Set an item's time of release to now; False if it has ended meanwhile."""
        with redis_errors():
            return bool(self._redis.zadd(key("out", station), {item: time.time()}, xx=True, ch=True))

    def expired(self, limit: int = 100) -> list[tuple[str, str, float]]:
        """Owner and id of jobs past their retention, and when that ended (Unix seconds)."""
        now = time.time()
        with redis_errors():
            entries = self._redis.zrangebyscore(key("expires"), "-inf", now, start=0, num=limit, withscores=True)
        found = ((entry.decode().partition("/"), float(at)) for entry, at in entries)  # type: ignore[union-attr,str-unpack]
        return [(owner, job, at) for (owner, _, job), at in found]

    def delete_expired(self, owner: str, job: str) -> bool:
        """Delete what is left of a job past its retention from the ledger; False if it must be kept after all."""
        return bool(self._scripts.run("delete_expired", owner=owner, job=job, now=time.time()))

    def owners(self) -> list[str]:
        """Every owner that ever had a job, in order of name."""
        with redis_errors():
            return sorted(owner.decode() for owner in self._redis.smembers(key("everyone")))  # type: ignore[union-attr]

    def collect_unused(self, owner: str, limit: int = 500) -> list[str]:
        """Drops artifacts and recordings that none of the owner's jobs needs any more; their object names."""
        names = [n.decode() for n in self._scripts.run("collect_unused", owner=owner, now=time.time(), limit=limit)]
        return [f"{owner}/{name}" if "/" in name else f"{owner}/utterances/{name}.flac" for name in names]

    def unknown(self, owner: str, names: Sequence[str]) -> list[str]:
        """Which of the owner's artifacts and recordings (object names) no job needs, nor may need again."""
        if not names:
            return []
        members = [_member(owner, name) for name in names]
        with redis_errors():
            times = self._redis.zmscore(key("artifacts", owner), members)
            users = self._redis.hmget(key("inuse", owner), members)
        known = zip(names, times, users, strict=True)
        return [name for name, until, used in known if until is None and used is None]

    def claim_sweep(self, seconds: float) -> bool:
        """Whether the caller should sweep: True for only one process per ``seconds``."""
        with redis_errors():
            return bool(self._redis.set(key("swept"), 1, nx=True, px=int(seconds * 1000)))


def _member(owner: str, name: str) -> str:
    """The name of an object in the ledger's list of needed objects."""
    short = name.removeprefix(f"{owner}/")
    if short.startswith("utterances/"):
        return short.removeprefix("utterances/").partition(".")[0]
    return short
