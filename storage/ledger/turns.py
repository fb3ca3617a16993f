"""Turns at long work of one station, so that no owner and no kind of work can occupy all of its processes."""

from __future__ import annotations

import time

import redis

from core.redis import redis_errors
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts

#: Seconds after which a turn that is not extended is free again, because its process has died.
LEASE = 60.0


class Turns:
    """The turns at a station's long work. Methods raise `LedgerUnavailable`."""

    def __init__(self, client: redis.Redis, station: str, share: float) -> None:
        """``share``: how many turns there are at once, as a share of the capacity that the live workers state."""
        self._client = client
        self._scripts = Scripts(client)
        self._station = station
        self._share = share

    def take(self, owner: str, item: str) -> bool:
        """Take the item's turn, or extend it by another `LEASE`. False if its owner has one already, or too many turns
        are taken."""
        asked = {"station": self._station, "owner": owner, "item": item, "share": self._share}
        return bool(self._scripts.run("turn", **asked, now=time.time(), lease=LEASE))

    def give_back(self, owner: str, item: str) -> None:
        """Ends the item's turn."""
        with redis_errors():
            self._client.zrem(key("turns", self._station), f"{owner}\0{item}")
