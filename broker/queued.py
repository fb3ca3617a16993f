"""Which items the broker has: those in a station's queue, and those that a worker took and has not acknowledged."""

from __future__ import annotations

import base64
import json

import redis

from broker.app import queue_name
from core.redis import redis_errors


def items_held(client: redis.Redis, station: str) -> set[str]:
    """Items (as text) of a station's queue, and of every worker. Raises `LedgerUnavailable`."""
    # One transaction, because a message can move from its queue to the unacknowledged ones at any moment.
    pipe = client.pipeline(transaction=True)
    pipe.lrange(queue_name(station), 0, -1)
    pipe.hvals("unacked")
    with redis_errors():
        queued, taken = pipe.execute()
    return {item_of(message) for message in queued} | {_taken_item(entry) for entry in taken}


def item_of(envelope: bytes | dict[str, object]) -> str:
    """The item reference in a message, as text; empty if it is not one of our messages."""
    try:
        message = json.loads(envelope) if isinstance(envelope, bytes) else envelope
        (item,), _, _ = json.loads(base64.b64decode(str(message["body"])))
        return str(item)
    except (ValueError, KeyError, TypeError):
        return ""


def _taken_item(entry: bytes) -> str:
    """The item of an unacknowledged message, which the broker stores as [message, exchange, queue]."""
    try:
        return item_of(json.loads(entry)[0])
    except (ValueError, LookupError, TypeError):
        return ""
