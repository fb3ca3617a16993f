"""The ledger's Lua scripts, files of ``lua/`` with a name each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgpack
import redis

from core.redis import redis_errors

_FOLDER = Path(__file__).parent / "lua"

#: Files that are prepended to every script, in this order.
PRELUDE = ("keys", "items", "deliveries", "usage", "jobs", "uploads")


@lru_cache(maxsize=64)
def _source(name: str) -> str:
    return "\n".join((_FOLDER / f"{part}.lua").read_text() for part in (*PRELUDE, name))


class Scripts:
    """The scripts, bound to one client. Each takes one argument, a map, as MessagePack.

    The scripts build their keys themselves, so a Redis Cluster cannot serve them; one primary can.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] | None = None) -> None:
        """``clock``: Unix seconds that decide the day that use counts for; Redis' own clock by default."""
        self._client = client
        self._clock = clock
        self._known: dict[str, Any] = {}

    def run(self, name: str, **arguments: Any) -> Any:
        """Calls script ``name``. Raises `LedgerUnavailable`, or `InternalError` if the script fails."""
        with redis_errors():
            return self._script(name)(args=[self._packed(arguments)])

    def run_many(self, name: str, calls: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Calls script ``name`` once for each of ``calls``, in one round trip; each call is atomic by itself."""
        pipe = self._client.pipeline(transaction=False)
        for arguments in calls:
            self._script(name)(args=[self._packed(arguments)], client=pipe)
        with redis_errors():
            answers: list[Any] = pipe.execute()
        return answers

    def _packed(self, arguments: Mapping[str, Any]) -> bytes:
        clock = {} if self._clock is None else {"clock": self._clock()}
        packed: bytes = msgpack.packb({**arguments, **clock}, use_bin_type=False)
        return packed

    def _script(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._client.register_script(_source(name))
        return self._known[name]
