"""Micro-batching on Celery's consumer: a task class and its boot steps.

Written for Celery 5.7.0 and kombu 5.7.0. A message of a `MicroBatchTask` goes to the process's `MicroBatcher`
instead of Celery's pool and tracer; it is acknowledged once its item is recorded in the ledger.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from celery import Task, bootsteps
from celery.exceptions import InvalidTaskError
from celery.worker import state
from redis.exceptions import RedisError

from core.errors import InternalError
from core.pulse import BEAT, Pulse
from core.work import ItemRef
from workers.microbatch.batcher import MicroBatcher

if TYPE_CHECKING:  # not imported for the stock transport: it fits one release of kombu only
    from broker.transport import QoS

log = logging.getLogger(__name__)

#: Exit code of a worker whose model exceeded its time limit; its supervisor restarts it.
STUCK = 70


class Settlements:
    """Messages to be acknowledged or given back: put in from any thread, done in the consumer's."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, bool]] = deque()
        self._qos: QoS | None = None
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def put(self, messages: list[object], ended: bool) -> None:
        self._waiting.extend((message, ended) for message in messages)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"x")

    def attach(self, c: Any) -> None:
        """Settles over this connection of the consumer from now on, also what came over an earlier one."""
        self._qos = qos_of(c)
        c.hub.add_reader(self._read, self.drain)

    def drain(self, *_: object) -> None:
        """Acknowledge messages whose items have ended and return those that have not: with our transport, in one round
        trip each.

        If Redis is unavailable they wait; this is called again every second.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        settled = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._qos is None:
            one_by_one(settled)
            return
        try:
            self._qos.ack_many([message.delivery_tag for message, ended in settled if ended])
            self._qos.give_back([message.delivery_tag for message, ended in settled if not ended])
        except RedisError as error:
            log.info("%d messages wait to be settled: %s", len(settled), error)
            self._waiting.extendleft(reversed(settled))


def qos_of(c: Any) -> QoS | None:
    """The `QoS` of a Celery consumer, if our transport is used."""
    qos: Any = c.task_consumer.channel.qos if c.task_consumer else None
    return qos if hasattr(qos, "ack_many") else None


def one_by_one(settled: list[tuple[Any, bool]]) -> None:
    """Settle messages over Celery's own transport. A closed connection has already returned its messages."""
    for message, ended in settled:
        try:
            if ended:
                message.ack()
            else:
                message.requeue()
        except Exception as error:
            log.info("A message could not be settled: %s", error)


class MicroBatchTask(Task):
    """A task whose messages are collected into micro-batches; ``station`` names the model."""

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
                (item,), _, _ = json.loads(message.body)
                ref = ItemRef.parse(item)
            except (ValueError, TypeError, InternalError) as error:
                raise InvalidTaskError(f"Not an item reference: {error}") from error
            self.batcher.add(self.station, ref, message)

        return take


def end_if_stuck(batcher: MicroBatcher) -> None:
    """Ends this process where a model hangs: no thread can be interrupted, and its leases must run out."""
    if batcher.overdue:
        log.error("A micro-batch exceeded its model's batch_timeout; this worker exits")
        os._exit(STUCK)


def renew_leases(c: Any) -> None:
    """Renew the lease of every message that this worker holds, so that long work is not delivered twice."""
    if (ours := qos_of(c)) is not None:
        ours.restore_visible()
        return
    channel = c.task_consumer and c.task_consumer.channel
    tags = list(channel.qos._delivered) if channel else []
    if tags:
        now = time.time()
        with channel.conn_or_acquire() as client:
            client.zadd(channel.unacked_index_key, dict.fromkeys(tags, now), xx=True)


class TimedStep(bootsteps.StartStopStep):
    """A boot step that calls something repeatedly while the consumer is connected.

    Celery takes the class of a step and instantiates it with nothing but the consumer. So the values that a step needs
    are attributes of a subclass, which ``bound_to`` makes."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    timer: Any = None

    @classmethod
    def _bind(cls, **values: object) -> type:
        return type(cls.__name__, (cls,), {"__module__": cls.__module__, **values})

    def stop(self, c: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()


class MicroBatchStep(TimedStep):
    """Ties a `MicroBatcher` to the consumer: wake-ups, stuck work, a graceful stop."""

    batcher: ClassVar[MicroBatcher]
    settlements: ClassVar[Settlements]
    timeout: ClassVar[float]

    @classmethod
    def bound_to(cls, batcher: MicroBatcher, settlements: Settlements, timeout: float) -> type:
        """``timeout``: seconds that a stop gives the micro-batch that runs."""
        return cls._bind(batcher=batcher, settlements=settlements, timeout=timeout)

    def start(self, c: Any) -> None:
        self.settlements.attach(c)
        self.timer = c.timer.call_repeatedly(1.0, self.watch)

    def watch(self) -> None:
        end_if_stuck(self.batcher)
        self.settlements.drain()

    def stop(self, c: Any) -> None:
        super().stop(c)
        if state.should_stop is None and state.should_terminate is None:
            return  # only the connection starts anew: what runs goes on
        end = time.monotonic() + self.timeout
        over = False
        while not over and time.monotonic() < end:
            over = self.batcher.stop(0.5)
            self.settlements.drain()
            with contextlib.suppress(RedisError):
                renew_leases(c)


class LeaseStep(TimedStep):
    """Renews leases at a third of their length, for the stock transport: ours does it itself."""

    lease: ClassVar[float]

    @classmethod
    def bound_to(cls, lease: float) -> type:
        """``lease``: seconds."""
        return cls._bind(lease=lease)

    def start(self, c: Any) -> None:
        if qos_of(c) is None:
            self.timer = c.timer.call_repeatedly(max(0.5, self.lease / 3), self.renew, (c,))

    def renew(self, c: Any) -> None:
        try:
            renew_leases(c)
        except Exception as error:
            log.warning("Leases were not renewed: %s", error)


class LostChildrenStep(TimedStep):
    """Looks after dead prefork children every ``seconds``: Celery's own timer does every five."""

    seconds: ClassVar[float]

    @classmethod
    def bound_to(cls, seconds: float) -> type:
        """``seconds``: from one look to the next."""
        return cls._bind(seconds=seconds)

    def start(self, c: Any) -> None:
        self.timer = c.timer.call_repeatedly(self.seconds, c.pool.maintain_pool)


class PulseStep(TimedStep):
    """Connects the consumer's loop to the process's pulse. It does not apply while the consumer reconnects."""

    pulse: ClassVar[Pulse]

    @classmethod
    def bound_to(cls, pulse: Pulse) -> type:
        """``pulse``: of this process."""
        return cls._bind(pulse=pulse)

    def start(self, c: Any) -> None:
        self.pulse.tick()
        self.timer = c.timer.call_repeatedly(BEAT, self.pulse.tick)

    def stop(self, c: Any) -> None:
        self.pulse.rest()
        super().stop(c)
