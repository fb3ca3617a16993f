"""Dispatch: which waiting items go to the broker now.

The backlog lies in the ledger, not in the broker, so that a released item never waits behind thousands
and a book leaves room for others. Only as much is released as a station's live workers have room for,
by weighted priority (interactive 8, normal 3, bulk 1), then by owner, then by job, in turns; a job's share
opens at one item and doubles with each round, so that its first audio comes early.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import redis

from broker.publish import publish_many
from core.failpoints import reach
from core.redis import Scripts

#: Items released to a station that no live worker serves, so that one that starts finds work.
FALLBACK = 32


class Dispatcher:
    """Releases items of stations. Any process may call it at any time; calls do not get in each other's way."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts = Scripts(client, Path(__file__).parent / "lua")

    def release(self, stations: Iterable[str]) -> int:
        """Releases what the stations have room for and enqueues it; how many items."""
        messages: list[tuple[str, str]] = []
        for station in sorted(set(stations)):
            more = True
            while more:
                items, more = self._scripts.run("release", station=station, now=time.time(), fallback=FALLBACK)
                messages.extend((station, item.decode()) for item in items)
        if messages:
            reach("released")
        return publish_many(self._client, messages)
