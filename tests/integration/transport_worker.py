"""A worker for ``test_transport.py``, run as a program: what it is given it writes into the list ``seen``.

``python transport_worker.py MODE URL TRANSPORT LEASE SECONDS STATION:CREDIT...``

- ``solo``: Celery's consumer with `MicroBatchTask`, and micro-batches that take SECONDS each
- ``prefork``: the CPU worker's way, two processes, tasks that take SECONDS each
- ``drain``: kombu alone, without an event loop, each message acknowledged at once
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from broker.app import make_app, station_queue, task_name
from core.settings import Settings
from core.work import ItemRef
from workers.microbatch.consumer import LeaseStep, MicroBatchStep, MicroBatchTask, Settlements

#: Items of one micro-batch at most.
LARGEST = 32


class Recorder:
    """Stands in for the `MicroBatcher`: gathers what there is, waits, writes it down, settles it."""

    overdue = False

    def __init__(self, url: str, seconds: float, settlements: Settlements) -> None:
        self._client = redis.Redis.from_url(url)
        self._seconds = seconds
        self._settlements = settlements
        self._arrived: queue.SimpleQueue[tuple[str, object] | None] = queue.SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def add(self, station: str, ref: ItemRef, message: object) -> None:
        self._arrived.put((f"{station} {ref} {time.time():.6f}", message))

    def stop(self, timeout: float) -> bool:
        self._stopping = True
        self._arrived.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stopping:
            taken = [self._arrived.get()]
            while not self._arrived.empty() and len(taken) < LARGEST:
                taken.append(self._arrived.get())
            batch = [pair for pair in taken if pair is not None]
            if not batch or self._stopping:
                continue
            time.sleep(self._seconds)
            write(self._client, [line for line, _ in batch])
            self._settlements.put([message for _, message in batch], True)


def write(client: redis.Redis, lines: list[str]) -> None:
    """Writes lines down; where Redis is away, once it is back."""
    while True:
        try:
            client.rpush("seen", *lines)
            return
        except redis.RedisError:
            time.sleep(0.05)


def run(mode: str, settings: Settings, seconds: float, credit: Mapping[str, int]) -> None:
    app = make_app(settings, credit)
    app.conf.update(
        worker_enable_remote_control=bool(os.environ.get("REMOTE")),
        task_queues=[station_queue(name) for name in credit],
        worker_prefetch_multiplier=sum(credit.values()),
    )
    app.steps["consumer"].add(LeaseStep.bound_to(settings.lease))
    options: dict[str, Any] = {"pool": "prefork", "concurrency": 2}
    if mode == "solo":
        settlements = Settlements()
        recorder: Any = Recorder(settings.redis_url, seconds, settlements)
        for name in credit:
            names = {"station": name, "batcher": recorder, "name": task_name(name)}
            app.register_task(type("ModelTask", (MicroBatchTask,), names)())
        app.steps["consumer"].add(MicroBatchStep.bound_to(recorder, settlements, 5.0))
        options = {"pool": "solo", "concurrency": 1}
    else:
        for name in credit:

            def work(item: str, station: str = name) -> None:
                time.sleep(seconds)
                with redis.Redis.from_url(settings.redis_url) as client:
                    write(client, [f"{station} {item} {time.time():.6f}"])

            app.task(work, name=task_name(name), ignore_result=True, acks_late=True)
    app.Worker(without_mingle=True, without_gossip=True, without_heartbeat=True, loglevel="INFO", **options).start()


def drain(settings: Settings, credit: Mapping[str, int]) -> None:
    with redis.Redis.from_url(settings.redis_url) as client, make_app(settings, credit).connection_for_read() as conn:

        def take(message: Any) -> None:
            client.rpush("seen", message.decode()[0][0])
            message.ack()

        with conn.Consumer([station_queue(name) for name in credit], on_message=take, prefetch_count=64):
            while True:
                with contextlib.suppress(TimeoutError):
                    conn.drain_events(timeout=1)


if __name__ == "__main__":
    kind, url, transport, lease, pace, *stations = sys.argv[1:]
    rooms = {name: int(room) for name, room in (pair.rsplit(":", 1) for pair in stations)}
    chosen: Any = {"redis_url": url, "transport": transport, "lease": float(lease)}
    if kind == "drain":
        drain(Settings(**chosen), rooms)
    else:
        run(kind, Settings(**chosen), float(pace), rooms)
