"""Micro-batching on Celery's own consumer: a task class, and the boot steps around it.

Written for Celery 5.7.0 and kombu 5.7.0. A message of a `MicroBatchTask` goes to the process's `MicroBatcher`
instead of Celery's pool and tracer; it is acknowledged once its item is recorded in the ledger.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from celery import Task, bootsteps
from celery.exceptions import InvalidTaskError
from celery.worker import state

from core.errors import InternalError
from core.work import ItemRef
from workers.microbatch import MicroBatcher

log = logging.getLogger(__name__)

#: Exit code of a worker whose model ran past its time; its supervisor starts another.
STUCK = 70


class Settlements:
    """Messages to be acknowledged or given back: put in from any thread, done in the consumer's."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, bool]] = deque()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def put(self, messages: list[object], ended: bool) -> None:
        self._waiting.extend((message, ended) for message in messages)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"x")

    def attach(self, hub: Any) -> None:
        hub.add_reader(self._read, self.drain)

    def drain(self, *_: object) -> None:
        """Acknowledges what has ended. A connection that is gone has given its messages back already."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        while self._waiting:
            message, ended = self._waiting.popleft()
            try:
                if ended:
                    message.ack()
                else:
                    message.requeue()
            except Exception as error:
                log.info("a message could not be settled: %s", error)


class MicroBatchTask(Task):
    """A task whose messages are gathered into micro-batches; ``station`` names the model."""

    abstract = True
    typing = False
    ignore_result = True
    acks_late = True
    station: ClassVar[str]
    batcher: ClassVar[MicroBatcher]

    def run(self, *_: object) -> None:
        """Never called: `Strategy` takes the messages."""
        raise InternalError("A micro-batched task has no body of its own.")

    def Strategy(self, task: Task, app: Any, consumer: Any) -> Callable[..., None]:  # noqa: N802 - Celery's name
        """Celery's hook: what to do with each message of this task (``celery.worker.strategy``)."""

        def take(message: Any, body: object, *_: object, **__: object) -> None:
            try:
                (item,), _, _ = message.decode()
                ref = ItemRef.parse(item)
            except (ValueError, TypeError, InternalError) as error:
                raise InvalidTaskError(f"no reference to an item: {error}") from error
            self.batcher.add(self.station, ref, message)

        return take


def micro_batch_step(batcher: MicroBatcher, settlements: Settlements, patience: float) -> type:
    """The boot step that ties a `MicroBatcher` to the consumer: wake-ups, stuck work, a graceful stop."""

    class MicroBatchStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, c: Any) -> None:
            settlements.attach(c.hub)
            self.watch = c.timer.call_repeatedly(1.0, end_if_stuck, (batcher,))

        def stop(self, c: Any) -> None:
            if watch := getattr(self, "watch", None):
                watch.cancel()
            if state.should_stop is None and state.should_terminate is None:
                return  # only the connection starts anew: what runs goes on
            end = time.monotonic() + patience
            while not batcher.stop(0.5) and time.monotonic() < end:
                settlements.drain()
                renew_leases(c)
            settlements.drain()

    return MicroBatchStep


def end_if_stuck(batcher: MicroBatcher) -> None:
    """Ends this process where a model hangs: no thread can be interrupted, and its leases must run out."""
    if batcher.overdue:
        log.error("a micro-batch ran past its model's batch_timeout: this worker ends itself")
        os._exit(STUCK)


def renew_leases(c: Any) -> None:
    """Renews the lease of every message that this worker holds, so that long work is not delivered twice."""
    channel = c.task_consumer and c.task_consumer.channel
    tags = list(channel.qos._delivered) if channel else []
    if tags:
        now = time.time()
        with channel.conn_or_acquire() as client:
            client.zadd(channel.unacked_index_key, dict.fromkeys(tags, now), xx=True)


def lease_step(lease: float) -> type:
    """The boot step that renews leases at a third of their length."""

    class LeaseStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, c: Any) -> None:
            def renew() -> None:
                try:
                    renew_leases(c)
                except Exception as error:
                    log.warning("leases were not renewed: %s", error)

            self.timer = c.timer.call_repeatedly(max(0.5, lease / 3), renew)

        def stop(self, c: Any) -> None:
            if timer := getattr(self, "timer", None):
                timer.cancel()

    return LeaseStep
