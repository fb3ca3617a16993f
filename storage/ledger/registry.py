"""The worker registry: the live workers, the models they serve, and their capacity."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from core.redis import redis_errors
from storage.ledger.keys import key

#: Seconds between heartbeats, and until a worker without one counts as dead.
HEARTBEAT = 3.0
GONE_AFTER = 12.0


@dataclass(slots=True, kw_only=True)
class WorkerRecord:
    """One worker process: ``capacity`` is the number of released items that it has capacity for, by station."""

    name: str
    pid: int
    host: str
    capacity: Mapping[str, int]
    device: str = "cpu"
    pace: Mapping[str, float] = field(default_factory=dict)  #: by model, seconds that an item takes as of late


def announce(client: redis.Redis, worker: WorkerRecord) -> None:
    """Register a worker, or renew its registration. Called every `HEARTBEAT` seconds."""
    now = time.time()
    pipe = client.pipeline(transaction=False)
    document = {
        "name": worker.name,
        "pid": worker.pid,
        "host": worker.host,
        "device": worker.device,
        "capacity": dict(worker.capacity),
        "pace": dict(worker.pace),
        "seen": now,
    }
    pipe.set(key("worker", worker.name), json.dumps(document), ex=round(GONE_AFTER))
    pipe.zadd(key("workers"), {worker.name: now + GONE_AFTER})
    pipe.zremrangebyscore(key("workers"), "-inf", now - 60)
    for station, items in worker.capacity.items():
        pipe.zadd(key("workers", station), {worker.name: now + GONE_AFTER})
        pipe.zremrangebyscore(key("workers", station), "-inf", now - 60)
        pipe.hset(key("capacity", station), worker.name, str(items))
    with redis_errors():
        pipe.execute()


def withdraw(client: redis.Redis, worker: WorkerRecord) -> None:
    """Takes a worker out that ends in good order."""
    pipe = client.pipeline(transaction=False)
    pipe.delete(key("worker", worker.name))
    pipe.zrem(key("workers"), worker.name)
    for station in worker.capacity:
        pipe.zrem(key("workers", station), worker.name)
        pipe.hdel(key("capacity", station), worker.name)
    with redis_errors():
        pipe.execute()


def live_workers(client: redis.Redis) -> list[dict[str, Any]]:
    """The last heartbeat of every live worker."""
    with redis_errors():
        names = client.zrangebyscore(key("workers"), time.time(), "+inf")
        documents = client.mget([key("worker", n.decode()) for n in names]) if names else []  # type: ignore[union-attr]
    return [json.loads(document) for document in documents if document]


def live_stations(client: redis.Redis) -> set[str]:
    """The stations that at least one live worker serves."""
    return {station for worker in live_workers(client) for station in worker["capacity"]}


def seconds_per_item(client: redis.Redis) -> dict[str, float]:
    """By model, the seconds per item of its live workers together; models without a measurement are absent."""
    rates: dict[str, float] = {}
    for worker in live_workers(client):
        for model, pace in worker["pace"].items():
            if pace > 0:
                rates[model] = rates.get(model, 0.0) + 1 / pace
    return {model: 1 / rate for model, rate in rates.items()}
