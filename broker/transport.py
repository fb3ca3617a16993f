"""A transport for Celery on Redis that moves many messages at once; written for kombu 5.7.0.

It extends kombu's own (``kombu/transport/redis.py``) and changes this:

- Messages move from their queue to the unacknowledged ones in one Lua call, as many as there is credit for:
  a consumer that is killed loses none, because its lease on them expires.
- Credit is counted per queue, so that a flooded one blocks no other (option ``queue_credit``, else the prefetch).
- A publisher wakes one consumer with a token on the queue's wake list (`broker.app.wake_commands`). A token
  is a hint: each queue is checked when it gets credit back, when its token arrives, and once a second.
- Every fifth of a lease one Lua call renews the leases of this consumer and restores messages whose lease has
  expired, by the server's clock. They return to the front of their queue.
- A delivery tag names one delivery: a late acknowledgement does not affect a message that was redelivered.
- While Redis is unavailable, a consumer keeps its messages and reconnects every second. Celery's default,
  restarting the whole consumer, can break its prefork pool (a result that is half read).
- Priorities within a queue and key prefixes are not supported. Requires Redis 7 or Valkey.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any, ClassVar

import redis
from kombu.transport import redis as stock
from kombu.transport import virtual
from redis import RedisError

from broker.app import wake, wake_calls, wake_key
from broker.holders import holder
from broker.messages import read

log = logging.getLogger(__name__)

MOST = 256  #: messages taken from one queue, or restored, in one call
PAUSE = 1.0  #: seconds until Redis is tried again

_lua = Path(__file__).parent / "lua"
_left_out = {"sep", "ack_emulation", "priority_steps", "global_keyprefix", "unacked_mutex_key", "unacked_mutex_expire"}


class QoS(virtual.QoS):
    """The unacknowledged messages of one channel: credit, acknowledgements (from any thread), leases."""

    def __init__(self, channel: Channel, prefetch_count: int = 0) -> None:
        super().__init__(channel, prefetch_count)
        self._by_queue: defaultdict[str, set[str]] = defaultdict(set)  #: as `_delivered`, which is tag to queue
        self._late: set[str] = set()
        self._tended = float("-inf")

    def credit(self, queue: str) -> int:
        """How many more messages of ``queue`` the channel may hold."""
        limit: int = self.channel.queue_credit.get(queue) or self.prefetch_count
        return max(0, limit - len(self._by_queue[queue])) if limit else MOST

    def can_consume(self) -> bool:
        queues = self.channel.active_queues
        return not queues or any(self.credit(queue) for queue in queues)

    def hold(self, tag: str, queue: str) -> None:
        self._delivered[tag] = queue
        self._by_queue[queue].add(tag)

    def untrack(self, tags: Iterable[str]) -> None:
        """Stop holding messages: unless they were settled, their leases expire."""
        for tag in tags:
            if (queue := self._delivered.pop(tag, None)) is not None:
                self._by_queue[queue].discard(tag)

    def append(self, message: object, delivery_tag: str) -> None:
        """Nothing is left to do: it was recorded as it was taken from its queue."""

    def ack_many(self, tags: Iterable[str]) -> None:
        """Acknowledge messages in one round trip. Messages that are already acknowledged or removed are skipped."""
        if tags := list(tags):
            pipe = self.channel.commands.pipeline(transaction=False)
            pipe.zrem(self.channel.unacked_index_key, *tags)
            pipe.hdel(self.channel.unacked_key, *tags)
            pipe.execute()
            self.untrack(tags)

    def give_back(self, tags: Iterable[str]) -> None:
        """Puts messages back to the front of their queues, in their order, in one round trip."""
        if tags := list(tags):
            self._leases("", [], tags)
            self.untrack(tags)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledges one message, later if Redis is away."""
        try:
            self.ack_many([delivery_tag])
        except RedisError as error:
            log.info("An acknowledgement is delayed: %s", error)
            self._late.add(delivery_tag)

    def catch_up(self) -> None:
        """Acknowledges what could not be acknowledged before."""
        if late := list(self._late):
            self.ack_many(late)
            self._late.difference_update(late)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        (self.restore_unacked([delivery_tag]) if requeue else self.ack(delivery_tag))

    def restore_unacked(self, tags: list[str] | None = None) -> list[Any]:
        """Return messages to their queues; by default all. If Redis is unavailable, their leases expire instead."""
        try:
            self.catch_up()
            self.give_back(list(self._delivered) if tags is None else tags)
        except RedisError as error:
            log.warning("Messages could not be returned; their leases will expire: %s", error)
            self.untrack(list(self._delivered) if tags is None else tags)
        return []

    def restore_visible(self, *_: object, **__: object) -> None:
        """Renew the leases of this channel, and restore messages whose lease has expired, if it is time."""
        now, lease = monotonic(), self.channel.visibility_timeout
        if now < self.channel.paused_until or now - self._tended < lease / 5:
            return
        try:
            restored, unread = self._leases(lease, list(self._delivered))
            self._tended = now
            if restored or unread:
                log.warning("Leases expired: %d messages were returned, %d are unreadable", restored, unread)
        except RedisError as error:
            self.channel.pause(error)

    def _leases(self, lease: float | str, renew: list[str], back: Iterable[str] = ()) -> Any:
        return self.channel.script("leases", [], [lease, MOST, len(renew), *renew, *back])


class Channel(stock.Channel):
    """One consumer's or publisher's side of the broker."""

    QoS = QoS
    priority_steps: ClassVar[list[int]] = [0]
    queue_credit: Mapping[str, int] = {}  # noqa: RUF012 - an option, set per instance
    socket_timeout = 5.0
    socket_connect_timeout = 5.0
    socket_keepalive = True
    health_check_interval = 5
    from_transport_options = (*(o for o in stock.Channel.from_transport_options if o not in _left_out), "queue_credit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._dry: set[str] = set()  #: queues that were found empty and have not been heard of since
        self._awaited: set[str] = set()  #: queues whose wake lists the pending BLPOP waits for
        self._no_ack: set[str] = set()  #: queues whose messages are not acknowledged
        self._name = holder()
        self._serial = count()
        self._commands: redis.Redis | None = None
        self._scripts: dict[str, Any] = {}
        self.paused_until = 0.0
        self._away = False
        super().__init__(*args, **kwargs)

    @property
    def commands(self) -> redis.Redis:
        """The client for everything but the blocking wait."""
        if self._commands is None or self._commands.connection_pool is not self.pool:
            self._commands = self._create_client()
        return self._commands

    def script(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Runs a script of ``broker/lua`` on the unacknowledged and ``keys``; it is sent again if forgotten."""
        if name not in self._scripts:
            self._scripts[name] = self.commands.register_script((_lua / f"{name}.lua").read_text())
        return self._scripts[name]([self.unacked_key, self.unacked_index_key, *keys], args, client=self.commands)

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None:  # an error that Celery logs, where kombu's AttributeError ends the worker
            raise redis.ConnectionError("This channel is closed.")
        return super()._connparams(asynchronous)

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        batch = kwargs.get("_publish_batch")
        super()._put(queue, message, **kwargs)
        if batch is None:
            wake(self.commands, queue)
        else:
            for call in wake_calls(queue):
                batch.add(*call)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        (self._no_ack.add if no_ack else self._no_ack.discard)(queue)
        self._dry.discard(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and no_ack:
            self.qos.ack(message.delivery_tag)
        return message

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for _, payload in self._pop({queue: 1}):
            return payload
        raise Empty

    def pause(self, error: RedisError) -> None:
        """Redis is away, or refuses writes: drops the connections and tries again in a while."""
        log.log(logging.DEBUG if self._away else logging.WARNING, "no messages are taken now: %s", error)
        self._away = True
        self.paused_until = monotonic() + PAUSE
        self._dry.clear()
        self.pool.disconnect(inuse_connections=False)
        if self.client.connection is not None:
            self.client.connection.disconnect()

    def _open_queues(self) -> dict[str, int]:
        """The queues that have credit, and how much."""
        return {queue: credit for queue in self.active_queues if (credit := self.qos.credit(queue))}

    def refill(self) -> int:
        """Fetch messages from queues that may have some, as far as there is credit, and deliver them; return how
        many."""
        if monotonic() < self.paused_until:
            return 0
        taken = 0
        try:
            self.qos.catch_up()
            open_now = self._open_queues() if self.qos.can_consume() else {}
            if wanted := {queue: min(credit, MOST) for queue, credit in open_now.items() if queue not in self._dry}:
                taken = self._deliver_all(wanted)
            if self._in_poll and not self._awaited.issuperset(open_now := self._open_queues()):
                self._awaited.update(open_now)
                wake(self.commands, self._name)  # the pending BLPOP waits for too few
        except RedisError as error:
            self.pause(error)
        return taken

    def _deliver_all(self, wanted: Mapping[str, int]) -> int:
        taken, done = 0, []
        for queue, payload in self._pop(wanted):
            taken += 1
            tag = payload["properties"]["delivery_tag"]
            if queue in self._no_ack:
                done.append(tag)
            try:
                self.connection._deliver(payload, queue)
            except BaseException:
                self.qos.untrack([tag])  # and those behind it are not held: their leases run out
                raise
        self.qos.ack_many(done)
        return taken

    def _pop(self, wanted: Mapping[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Move messages to the unacknowledged ones and return them; the channel holds them from then on."""
        prefix = f"{self._name}.{next(self._serial):x}."
        keys = [key for queue in wanted for key in (queue, wake_key(queue))]
        answer = self.script("pop", keys, [prefix, *wanted.values()])
        self._away = False
        number, unread = 0, []
        for (queue, most), messages in zip(wanted.items(), answer, strict=True):
            if len(messages) < most:
                self._dry.add(queue)
            for raw in messages:
                number += 1
                tag = f"{prefix}{number:04x}"
                if (payload := read(raw)) is None:
                    log.critical("a message of %s that cannot be read is dropped: %.200r", queue, raw)
                    unread.append(tag)
                else:
                    payload["properties"]["delivery_tag"] = tag
                    self.qos.hold(tag, queue)
                    yield queue, payload
        self.qos.ack_many(unread)

    def _brpop_start(self, timeout: float | None = None) -> None:
        self._awaited = set(self._open_queues())
        if self._awaited:
            self._in_poll, self._brpop_sent_at = self.client.connection, monotonic()
            lists = [wake_key(name) for name in (*self._awaited, self._name)]
            self.client.connection.send_command("BLPOP", *lists, timeout or self.brpop_timeout or 1)

    def _brpop_read(self, **options: Any) -> bool:
        try:
            woken = self.client.parse_response(self.client.connection, "BLPOP", **options)
        except RedisError as error:
            self.pause(error)
            raise Empty from error
        finally:
            self._in_poll = None
        if woken:
            self._dry.discard(woken[0].decode().removeprefix(wake_key("")))
        else:
            self._dry.clear()  # a token may have gone with a consumer that died
        if not self.refill():
            raise Empty
        return True

    def close(self) -> None:
        self._in_poll = None  # nothing but a token can be on its way
        if not self.closed and self._qos:
            self._qos.restore_unacked_once()
        super().close()


class Poller(stock.MultiChannelPoller):
    """kombu's poller, which takes messages whenever there is credit, not only when a wait has ended."""

    def on_poll_start(self) -> None:
        for channel in list(self._channels):
            channel.refill()
        super().on_poll_start()

    def _register_BRPOP(self, channel: Channel) -> None:  # noqa: N802 - kombu's name
        if monotonic() >= channel.paused_until:
            try:
                super()._register_BRPOP(channel)
            except RedisError as error:
                channel.pause(error)

    def get(self, callback: Callable[..., Any], timeout: float | None = None) -> None:
        """One turn without an event loop."""
        taken = sum([channel.refill() for channel in list(self._channels)])
        self.maybe_restore_messages()
        if not taken:
            super().get(callback, timeout)

    def maybe_restore_messages(self) -> None:
        """Called every ``unacked_restore_interval``: the pulse of leases, and of what waits for Redis."""
        for channel in list(self._channels):
            if channel.active_queues or channel.qos._delivered:
                channel.qos.restore_visible()


class Transport(stock.Transport):
    """Celery's ``broker_transport``, with a ``redis://`` or ``rediss://`` address."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
