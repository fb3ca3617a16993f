"""Redis connections, and what their errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import ConfigurationError, InternalError, LedgerUnavailable

_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)

#: Errors of a Redis that temporarily accepts no commands: full, loading, a replica, disconnected from replicas.
_REFUSING = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,  # MASTERDOWN too
    redis.exceptions.TryAgainError,
)

#: The same for errors without a class. In a pipeline, the client puts the command before the message.
_REFUSED = re.compile(
    r"(?:^|caused error: )(?:OOM|LOADING|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN|BUSY) "
    r"|maxmemory|read only replica"
)


def connect(url: str, *, timeout: float = 5.0) -> redis.Redis:
    """A client with its own connection pool, safe to share between threads. Connects at first use.

    Raises `ConfigurationError` if ``url`` is invalid.
    """
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError:
        # Not the reason as Python gives it: that quotes parts of the password.
        raise ConfigurationError(
            "CHORUS_REDIS_URL is not a valid Redis URL: redis://user:password@host:port/number, or rediss://. "
            "Write special characters of the password percent-encoded."
        ) from None


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns "Redis is away, starting, full or a replica" into `LedgerUnavailable`."""
    try:
        yield
    except _AWAY as error:
        raise LedgerUnavailable from error
    except redis.exceptions.ResponseError as error:
        if isinstance(error, _REFUSING) or _REFUSED.search(str(error)):
            raise LedgerUnavailable("The ledger (Redis) does not accept writes. Try again shortly.") from error
        raise InternalError(f"A ledger script failed: {error}") from error
