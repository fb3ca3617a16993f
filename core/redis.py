"""Redis connections, and Lua scripts kept as files with a name each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgpack
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import ConfigurationError, InternalError, LedgerUnavailable

#: Before every key of Chorus's own, so that one Redis may be shared.
PREFIX = "ch:"

_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)

#: What a Redis answers that is there and takes no commands for now: full, loading, a replica, cut off from others.
_REFUSING = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,  # MASTERDOWN too
    redis.exceptions.TryAgainError,
)

#: The same where it has no class of its own. In a pipeline, what the client says of the command stands in front of it.
_REFUSED = re.compile(
    r"(?:^|caused error: )(?:OOM|LOADING|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN|BUSY) "
    r"|maxmemory|read only replica"
)


def connect(url: str, *, timeout: float = 5.0) -> redis.Redis:
    """A client with a pool of its own, safe to share between threads. Connects at first use.

    Raises `ConfigurationError` where ``url`` cannot be an address."""
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise ConfigurationError(f"CHORUS_REDIS_URL is no address of a Redis: {error}") from error


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns "Redis is away, starting, full or a replica" into `LedgerUnavailable`."""
    try:
        yield
    except _AWAY as error:
        raise LedgerUnavailable from error
    except redis.exceptions.ResponseError as error:
        if isinstance(error, _REFUSING) or _REFUSED.search(str(error)):
            raise LedgerUnavailable("The ledger (Redis) refuses writes now; try again shortly.") from error
        raise InternalError(f"A ledger script failed: {error}") from error


@lru_cache(maxsize=64)
def _source(folder: Path, name: str) -> str:
    prelude = (Path(__file__).parent / "lua" / "prelude.lua").read_text()
    return prelude + "\n" + (folder / f"{name}.lua").read_text()


class Scripts:
    """The Lua scripts of one folder, bound to one client. Each takes one argument, a map, as MessagePack.

    The scripts build their keys themselves, so a Redis Cluster cannot serve them; one primary can.
    """

    def __init__(self, client: redis.Redis, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._known: dict[str, Any] = {}

    def run(self, name: str, **arguments: Any) -> Any:
        """Calls script ``name``. Raises `LedgerUnavailable`, or `InternalError` where the script fails."""
        with redis_errors():
            return self._script(name)(args=[msgpack.packb(arguments, use_bin_type=False)])

    def run_many(self, name: str, calls: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Calls script ``name`` once for each of ``calls``, in one round trip; each is a step of its own."""
        pipe = self._client.pipeline(transaction=False)
        for arguments in calls:
            self._script(name)(args=[msgpack.packb(dict(arguments), use_bin_type=False)], client=pipe)
        with redis_errors():
            answers: list[Any] = pipe.execute()
        return answers

    def _script(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._client.register_script(_source(self._folder, name))
        return self._known[name]
