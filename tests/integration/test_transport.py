"""The transport against a real Valkey: real Celery workers as processes, and kombu's own consumers in threads."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu
import psutil
import pytest
import redis

from broker.app import make_app, queue_name, station_queue, wake_key
from broker.holders import give_back
from broker.publish import envelope, publish_many
from cli.local.embedded import Valkey
from cli.local.home import free_ports
from core.settings import Settings
from core.work import ItemRef
from tests.shared_data import ROOT
from tests.waiting import wait_for

WORKER = ROOT / "tests/integration/transport_worker.py"


def eventually(there: Callable[[], object], timeout: float = 20.0) -> float:
    """Waits for something to be true; how long that took, in seconds."""
    begun = time.monotonic()
    wait_for(there, timeout, "what never came", every=0.002)
    return time.monotonic() - begun


def refs(count: int, job: str = "job") -> list[str]:
    return [str(ItemRef(job, 1, 0, index)) for index in range(count)]


def publish(client: redis.Redis, items: list[str], station: str = "a") -> None:
    publish_many(client, [(station, item) for item in items])


def seen(client: redis.Redis) -> list[str]:
    return [line.decode().split()[1] for line in client.lrange("seen", 0, -1)]


def settled(client: redis.Redis, *stations: str) -> bool:
    """Whether nothing waits and nothing is held."""
    keys = [queue_name(station) for station in stations or ("a",)]
    return not client.exists("unacked", "unacked_index", *keys)


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as found:
        yield found


@contextlib.contextmanager
def worker(mode: str, url: str, *stations: str, transport: str = "chorus", lease: float = 30.0,
           seconds: float = 0.0, log: Path | None = None, **env: str) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A worker process, stopped at the end if it still lives."""
    command = [sys.executable, str(WORKER), mode, url, transport, str(lease), str(seconds), *(stations or ["a:64"])]
    with log.open("ab") if log else contextlib.nullcontext(subprocess.DEVNULL) as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env}, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class OwnValkey:
    """A Valkey that a test may kill and start again; its append-only file stays."""

    def __init__(self, folder: Path) -> None:
        self._server = Valkey(folder, free_ports(1)[0])
        self.url = self._server.url
        self.port = self._server.port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._server.command(), stdout=subprocess.DEVNULL)
        eventually(self._server.ready)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    server = OwnValkey(tmp_path / "valkey")
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Consumer:
    """A consumer without an event loop, in a thread; it acknowledges nothing by itself."""

    def __init__(self, url: str, credit: dict[str, int], lease: float = 30.0, prefetch: int = 64) -> None:
        settings: Any = {"redis_url": url, "lease": lease}
        self.connection: kombu.Connection = make_app(Settings(**settings), credit).connection_for_read()
        self.messages: list[Any] = []
        queues = [station_queue(station) for station in credit]
        self._consumer = self.connection.Consumer(queues, on_message=self.messages.append, prefetch_count=prefetch)
        self.channel = self._consumer.channel
        self._acks: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Consumer:
        self._consumer.consume()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.connection.close()
        assert not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                self.connection.drain_events(timeout=0.01)

    def items(self, station: str = "a") -> list[str]:
        mine = [m for m in self.messages if m.delivery_info["routing_key"] == queue_name(station)]
        return [m.decode()[0][0] for m in mine]

    def ack(self, station: str = "a", count: int | None = None) -> None:
        mine = [m for m in self.messages if m.delivery_info["routing_key"] == queue_name(station)][:count]
        self.channel.qos.ack_many([m.delivery_tag for m in mine])
        for message in mine:
            self.messages.remove(message)


# -- nothing is lost --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_consumer_that_is_killed_at_any_moment_loses_nothing(client: redis.Redis, valkey: str) -> None:
    everything: set[str] = set()
    caught = 0
    for number in range(12):
        items = refs(300, f"job{number}")
        everything.update(items)
        publish(client, items)
        before = client.llen("seen")
        with worker("drain", valkey, lease=3600) as process:
            eventually(lambda at=before: client.llen("seen") > at)  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.06))
            process.kill()
            process.wait()
        waiting = [m.decode() for m in client.lrange(queue_name("a"), 0, -1)]
        held = [m.decode() for m in client.hvals("unacked")]
        caught += bool(held)
        assert client.hlen("unacked") == client.zcard("unacked_index")
        done = len({line.decode() for line in client.lrange("seen", 0, -1)})
        # One may be written down and not yet acknowledged: delivered twice, never lost.
        assert len(everything) <= done + len(waiting) + len(held) <= len(everything) + number + 1
    assert caught, "no kill hit a consumer that held messages"
    with worker("drain", valkey, lease=1):
        eventually(lambda: settled(client))
    assert {line.decode() for line in client.lrange("seen", 0, -1)} == everything


def test_a_lease_that_ran_out_is_restored_once_and_to_the_front(client: redis.Redis, valkey: str) -> None:
    items = refs(20)
    publish(client, items)
    with Consumer(valkey, {"a": 10}, lease=600) as dead:
        eventually(lambda: len(dead.messages) == 10)
        dead._stop.set()
        dead._thread.join()
        others = [Consumer(valkey, {"a": 10}, lease=1) for _ in range(6)]
        time.sleep(1.1)
        threads = [threading.Thread(target=other.channel.qos.restore_visible) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for other in others:
            other.connection.close()
        assert client.hlen("unacked") == client.zcard("unacked_index") == 0
        assert client.llen(queue_name("a")) == 20
        assert client.llen(wake_key(queue_name("a"))) == 1
        # The first one's acknowledgements come too late, and touch nothing.
        with Consumer(valkey, {"a": 64}) as heir:
            eventually(lambda: len(heir.messages) == 20)
            dead.ack()
            assert client.hlen("unacked") == 20
            assert heir.items() == items
            redelivered = [bool(m.delivery_info.get("redelivered")) for m in heir.messages]
            assert redelivered == [True] * 10 + [False] * 10
            heir.ack()
        assert settled(client)


def test_leases_of_held_messages_are_renewed(client: redis.Redis, valkey: str) -> None:
    publish(client, refs(5))
    with Consumer(valkey, {"a": 64}, lease=1) as holder, Consumer(valkey, {"a": 64}, lease=1) as other:
        eventually(lambda: len(holder.messages) + len(other.messages) == 5)
        time.sleep(2.5)
        assert len(holder.messages) + len(other.messages) == 5
        assert client.llen(queue_name("a")) == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["solo", "prefork"])
def test_long_work_is_delivered_once(client: redis.Redis, valkey: str, mode: str) -> None:
    publish(client, refs(2))
    with worker(mode, valkey, "a:2", lease=1, seconds=2), worker(mode, valkey, "a:2", lease=1, seconds=2):
        eventually(lambda: settled(client))
        assert Counter(seen(client)) == Counter(refs(2))


@pytest.mark.parametrize("mode", ["solo", "prefork"])
def test_a_stopping_worker_puts_what_it_has_not_begun_to_the_front(client: redis.Redis, valkey: str, mode: str) -> None:
    items = refs(60)
    publish(client, items)
    with worker(mode, valkey, "a:50", seconds=1) as process:
        eventually(lambda: client.hlen("unacked") == 50)
        time.sleep(0.3)
        process.terminate()
        assert process.wait(20) == 0
    assert not client.exists("unacked", "unacked_index")
    left = [m.decode() for m in client.lrange(queue_name("a"), 0, -1)]
    done = set(seen(client))
    assert done
    with Consumer(valkey, {"a": 100}) as rest:
        eventually(lambda: len(rest.messages) == len(left))
        assert rest.items() == [item for item in items if item not in done]


# -- credit and waking ------------------------------------------------------------------------------------


def test_a_flooded_queue_takes_only_its_own_credit(client: redis.Redis, valkey: str) -> None:
    publish(client, refs(100), "a")
    with Consumer(valkey, {"a": 4, "b": 3}) as consumer:
        eventually(lambda: len(consumer.messages) == 4)
        publish(client, refs(10, "other"), "b")
        assert eventually(lambda: len(consumer.messages) == 7) < 0.5
        assert consumer.items("a") == refs(4)
        assert consumer.items("b") == refs(3, "other")
        consumer.ack("a", 1)
        eventually(lambda: consumer.items("a")[-1] == refs(5)[-1])
        time.sleep(0.1)
        assert Counter(m.delivery_info["routing_key"] for m in consumer.messages) == {
            queue_name("a"): 4,
            queue_name("b"): 3,
        }


def test_a_queue_that_gets_credit_back_wakes_at_once(client: redis.Redis, valkey: str) -> None:
    # The pending wait is for b alone, since a had no credit: it must be begun anew.
    publish(client, refs(4), "a")
    with Consumer(valkey, {"a": 4, "b": 4}) as consumer:
        waits = []
        for number in range(5):
            eventually(lambda: len(consumer.items("a")) == 4)
            time.sleep(0.05)
            consumer.ack("a")
            time.sleep(0.05)
            publish(client, refs(4, f"more{number}"), "a")
            waits.append(eventually(lambda: len(consumer.items("a")) == 4))
        assert statistics.median(waits) < 0.1


def test_two_consumers_share_what_one_token_announced(client: redis.Redis, valkey: str) -> None:
    waits = []
    for _ in range(5):
        client.flushdb()
        with Consumer(valkey, {"a": 2}) as one, Consumer(valkey, {"a": 2}) as two, Consumer(valkey, {"a": 2}) as three:
            time.sleep(0.1)
            publish(client, refs(7))
            consumers = (one, two, three)
            waits.append(eventually(lambda every=consumers: all(len(c.messages) == 2 for c in every)))  # type: ignore[misc]
    assert statistics.median(waits) < 0.2


def test_what_publishers_without_tokens_send_is_found(client: redis.Redis, valkey: str) -> None:
    publish(client, refs(1))
    [message] = client.lrange(queue_name("a"), 0, -1)
    client.flushdb()
    client.lpush(queue_name("a"), message)
    with Consumer(valkey, {"a": 4}) as consumer:
        eventually(lambda: len(consumer.messages) == 1)
        client.lpush(queue_name("a"), message)
        assert eventually(lambda: len(consumer.messages) == 2) < 3


@pytest.mark.parametrize("mode", ["solo", "prefork"])
def test_an_idle_worker_takes_a_message_within_milliseconds(client: redis.Redis, valkey: str, mode: str) -> None:
    with worker(mode, valkey, "a:4", "b:4"):
        publish(client, refs(1, "warm"))
        eventually(lambda: settled(client))
        sent = {}
        for number, item in enumerate(refs(25)):
            time.sleep(random.uniform(0.03, 0.08))
            sent[item] = time.time()
            publish(client, [item], "ab"[number % 2])
        eventually(lambda: settled(client, "a", "b"))
        lines = [line.decode().split() for line in client.lrange("seen", 0, -1)]
        waits = [float(at) - sent[item] for _, item, at in lines if item in sent]
        assert len(waits) == 25
        print(f"{mode}: median {statistics.median(waits) * 1e3:.1f} ms, longest {max(waits) * 1e3:.1f} ms")
        assert statistics.median(waits) < 0.02


def test_kombu_s_own_publishers_wake_a_consumer(client: redis.Redis, valkey: str) -> None:
    with Consumer(valkey, {"a": 4}) as consumer, Consumer(valkey, {"a": 4}) as other:
        waits = []
        for number in range(7):
            time.sleep(0.05)
            producer = other.connection.Producer()
            if number % 2:
                with producer.batch():
                    producer.publish([[str(number)], {}, {}], routing_key=queue_name("a"))
            else:
                producer.publish([[str(number)], {}, {}], routing_key=queue_name("a"))
            waits.append(eventually(lambda: consumer.messages or other.messages))
            consumer.ack()
            other.ack()
        assert statistics.median(waits) < 0.1


# -- cost -------------------------------------------------------------------------------------------------


def calls(client: redis.Redis) -> dict[str, int]:
    stats: Any = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}


def test_many_messages_are_taken_and_acknowledged_in_one_call_each(client: redis.Redis, valkey: str) -> None:
    with Consumer(valkey, {"a": 64}) as consumer:
        time.sleep(0.2)
        client.config_resetstat()
        publish(client, refs(50))
        eventually(lambda: len(consumer.messages) == 50)
        consumer._stop.set()
        consumer._thread.join()
        taking = calls(client)
        assert taking["hset"] == 1
        assert taking["zadd"] <= 2  # a renewal may have come between
        client.config_resetstat()
        consumer.ack(count=30)
        consumer.channel.qos.give_back([m.delivery_tag for m in consumer.messages])
        acking = calls(client)
        assert acking["evalsha"] == 1
        # One for those acknowledged, one in the script for each of those given back.
        assert (acking["zrem"], acking["hdel"]) == (1 + 20, 1 + 20)
    assert client.llen(queue_name("a")) == 20


def test_a_worker_acknowledges_a_micro_batch_in_one_round_trip(client: redis.Redis, valkey: str) -> None:
    with worker("solo", valkey, "a:64", seconds=0.3):
        publish(client, refs(1, "warm"))
        eventually(lambda: settled(client))
        client.config_resetstat()
        publish(client, refs(64))
        eventually(lambda: settled(client))
        found = calls(client)
        assert client.llen("seen") == 65
        # 64 items are two or three micro-batches of up to 32.
        assert found["hdel"] == found["zrem"] <= 4
        assert found["hset"] <= 4


def test_an_idle_worker_uses_next_to_nothing(client: redis.Redis, valkey: str) -> None:
    with worker("solo", valkey, "a:4") as process:
        publish(client, refs(1))
        eventually(lambda: settled(client))
        assert cpu_seconds(process, 3) < 0.3


def cpu_seconds(process: subprocess.Popen[bytes], over: float) -> float:
    """What a process uses in the next ``over`` seconds."""
    found = psutil.Process(process.pid)
    before = found.cpu_times()
    time.sleep(over)
    after = found.cpu_times()
    return float(after.user + after.system - before.user - before.system)


# -- what goes wrong --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["solo", "prefork"])
def test_a_worker_lives_through_the_death_of_redis(own_valkey: OwnValkey, tmp_path: Path, mode: str) -> None:
    client = redis.Redis.from_url(own_valkey.url)
    items = refs(400)
    with worker(mode, own_valkey.url, "a:32", lease=3, seconds=0.02, log=tmp_path / "log") as process:
        for round_number in range(3):
            publish(client, items[round_number * 100 : (round_number + 1) * 100])
            eventually(lambda at=round_number * 100 + 10: client.llen("seen") > at)  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.1))
            own_valkey.kill()
            if round_number == 0:
                assert cpu_seconds(process, 3) < 1.0
            own_valkey.start()
        publish(client, items[300:])
        eventually(lambda: settled(client), 60)
        assert process.poll() is None
    assert set(seen(client)) == set(items)
    assert "Unrecoverable" not in (tmp_path / "log").read_text()
    client.close()


def test_what_a_worker_works_on_stays_its_own_over_a_lost_connection(client: redis.Redis, valkey: str) -> None:
    publish(client, refs(5))
    with worker("solo", valkey, "a:5", lease=2, seconds=5), worker("solo", valkey, "a:5", lease=2, seconds=5) as other:
        eventually(lambda: client.hlen("unacked") == 5)
        time.sleep(0.5)
        assert other.poll() is None
        client.client_kill_filter(_type="normal", skipme=True)
        eventually(lambda: settled(client))
        assert Counter(seen(client)) == Counter(refs(5))


@pytest.mark.slow
def test_a_half_open_connection_is_noticed(client: redis.Redis, valkey: str) -> None:
    with (
        Proxy(client.connection_pool.connection_kwargs["port"]) as proxy,
        worker("solo", f"redis://127.0.0.1:{proxy.port}/0", "a:4", lease=3) as process,
    ):
        publish(client, refs(1, "first"))
        eventually(lambda: client.llen("seen") == 1)
        proxy.freeze()
        publish(client, refs(3))
        eventually(lambda: set(seen(client)) >= set(refs(3)), 40)
        assert process.poll() is None


class Proxy:
    """Passes connections on, until `freeze`: those open then stay open and say nothing more."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._generation = 0

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.freeze()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def freeze(self) -> None:
        self._generation += 1

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += near, far
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink, self._generation), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and generation == self._generation:
                sink.sendall(data)


@pytest.mark.slow
def test_redis_that_forgot_its_scripts_or_is_full_is_outlived(own_valkey: OwnValkey) -> None:
    client = redis.Redis.from_url(own_valkey.url)
    with worker("solo", own_valkey.url, "a:8", lease=2) as process:
        publish(client, refs(1, "first"))
        eventually(lambda: settled(client))
        client.script_flush()
        publish(client, refs(20))
        eventually(lambda: settled(client))
        for setting, refusing, usual in (("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")):
            client.lpush("parked", envelope("a", refs(1, setting)[0]))
            if setting == "maxmemory":
                client.config_set(setting, refusing)
            client.rename("parked", queue_name("a"))
            client.config_set(setting, refusing)
            assert cpu_seconds(process, 3) < 0.5
            assert process.poll() is None
            client.config_set(setting, usual)
            eventually(lambda job=setting: seen(client)[-1] == refs(1, job)[0])  # type: ignore[misc]
        eventually(lambda: settled(client))
        assert process.poll() is None
    client.close()


def test_what_cannot_be_read_is_dropped_and_the_next_one_taken(client: redis.Redis, valkey: str) -> None:
    with worker("solo", valkey, "a:8") as process:
        client.lpush(queue_name("a"), b"\xff{", b"[]", b'{"properties":1}', b"{}", b'{"properties":{}}')
        publish(client, ["no reference"])
        publish(client, refs(1))
        eventually(lambda: settled(client))
        assert seen(client) == refs(1)
        assert process.poll() is None


# -- beside others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["solo", "prefork"])
def test_the_stock_transport_serves_as_well(client: redis.Redis, valkey: str, mode: str) -> None:
    with worker(mode, valkey, "a:16", transport="redis"):
        for number in range(4):
            publish(client, refs(10, f"job{number}"))
        eventually(lambda: len(set(seen(client))) == 40 and settled(client))
    assert client.llen(wake_key(queue_name("a"))) == 1


def test_what_one_transport_left_unacknowledged_the_other_restores(client: redis.Redis, valkey: str) -> None:
    publish(client, refs(8))
    for transport in ("chorus", "redis"):
        with worker("solo", valkey, "a:8", transport=transport, lease=1, seconds=60) as process:
            eventually(lambda: client.hlen("unacked") == 8)
            process.kill()
            process.wait()
        time.sleep(1.1)
    with worker("solo", valkey, "a:8", lease=1):
        eventually(lambda: settled(client))
        assert Counter(seen(client)) == Counter(refs(8))


def test_remote_control_works_where_it_is_enabled(client: redis.Redis, valkey: str) -> None:
    settings: Any = {"redis_url": valkey}
    with worker("prefork", valkey, "a:4", REMOTE="1"), make_app(Settings(**settings)) as app:
        publish(client, refs(1))
        eventually(lambda: settled(client))
        answers: list[Any] = []

        def answered() -> list[Any]:
            answers.extend(app.control.ping(timeout=1))
            return answers

        eventually(answered)
        assert [list(answer.values()) for answer in answers] == [[{"ok": "pong"}]]
        assert not client.exists("unacked")
        publish(client, refs(1, "again"))
        eventually(lambda: client.llen("seen") == 2)


def test_a_killed_celery_worker_s_messages_run_elsewhere(client: redis.Redis, valkey: str) -> None:
    items = refs(200)
    publish(client, items)
    with worker("solo", valkey, "a:64", lease=2, seconds=0.05) as first, worker("solo", valkey, "a:64", lease=2):
        eventually(lambda: client.llen("seen"))
        first.send_signal(signal.SIGKILL)
        eventually(lambda: settled(client))
    assert set(seen(client)) == set(items)


def test_what_a_worker_held_that_has_ended_goes_back_at_once(client: redis.Redis, valkey: str) -> None:
    """Its supervisor knows that it has; what another one of a similar name holds stays with that."""
    items = refs(20)
    publish(client, items)
    with (
        worker("solo", valkey, "a:10", seconds=60, CHORUS_WORKER_NAME="sim-1") as dead,
        worker("solo", valkey, "a:10", seconds=60, CHORUS_WORKER_NAME="sim-10") as alive,
    ):
        eventually(lambda: client.hlen("unacked") == 20)
        for process in (dead, alive):
            process.kill()
            process.wait()
        assert give_back(client, "sim-1") == 10
        assert client.llen(queue_name("a")) == client.hlen("unacked") == client.zcard("unacked_index") == 10
        assert give_back(client, "sim-1") == 0
