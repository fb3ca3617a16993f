"""The holder of a message: delivery tags start with the worker's name, if it has one.

So a supervisor that knows that a worker has ended can return its messages at once, without waiting for leases.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import redis

from core.redis import redis_errors

_LEASES = Path(__file__).parent / "lua" / "leases.lua"


def holder() -> str:
    """A name for one channel of this process, with which its delivery tags start."""
    token = secrets.token_hex(6)
    worker = os.environ.get("CHORUS_WORKER_NAME")
    return f"{worker}/{token}" if worker else token


def give_back(client: redis.Redis, worker: str) -> int:
    """Return the messages of ``worker`` to the front of their queues; return how many. The worker must have ended.

    Raises `LedgerUnavailable`.
    """
    prefix = f"{worker}/".encode()
    with redis_errors():
        held: list[bytes] = client.hkeys("unacked")  # type: ignore[assignment]
        tags = sorted(tag for tag in held if tag.startswith(prefix))
        if not tags:
            return 0
        restored, _ = client.eval(_LEASES.read_text(), 2, "unacked", "unacked_index", "", 0, 0, *tags)
    return int(restored)
