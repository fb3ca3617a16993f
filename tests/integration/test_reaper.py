"""The reaper on a real Valkey: what was lost is enqueued again once, what is alive never is."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import redis

import workers.upkeep.reaper
from broker.app import queue_name
from broker.queued import item_of
from core.errors import ArtifactMissing
from core.names import JobState, Priority, Role
from core.redis import connect
from core.settings import Settings
from core.work import CPU, ItemRef, Plan, PlanStep, UtteranceWork
from models.catalog import read_catalog
from pipelines.connections import Connections
from storage.ledger.documents import JobDocument
from storage.ledger.records import NewJob, Outcome
from tests import present
from tests.chaos.proxy import FaultProxy
from tests.shared_data import ROOT
from tests.waiting import wait_for
from workers.upkeep.reaper import GRACE, Reaper, run_reaper, run_standby

SPEAK = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="sim", each=True),
        PlanStep(role=Role.ASSEMBLE),
    )
)


def connections(url: str) -> Connections:
    """What a reaper holds; there is no storage behind it."""
    settings = Settings(redis_url=url, s3_endpoint="http://127.0.0.1:1")
    return Connections.connect(settings, connect(url, timeout=1.0), read_catalog(ROOT / "benchmarks/models.yaml"))


class Desk:
    """A reaper, and what lies in ledger and queues."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = connect(url)
        self.connections = connections(url)
        self.ledger = self.connections.ledger

    def close(self) -> None:
        self.redis.close()
        self.connections.redis.close()

    def reaper(self) -> Reaper:
        return Reaper(self.connections)

    def job(self, name: str = "job_1", **changes: object) -> ItemRef:
        fields: dict[str, object] = {
            "id": name,
            "owner": "ann",
            "priority": Priority.NORMAL,
            "plan": SPEAK,
            "document": JobDocument(owner="ann", pipeline="sim"),
            "deadline": 60.0,
            "keep": 100.0,
        }
        assert self.ledger.create(NewJob(**{**fields, **changes}))  # type: ignore[arg-type]
        return present.item(self.ledger, name)

    def spoken(self, count: int) -> None:
        """A job whose utterances wait for their model."""
        ref = self.job()
        works = [
            UtteranceWork.single(inputs={}, options={}, seed=n, artifact=f"ann/utterances/{n}.flac", pause=0.0)
            for n in range(count)
        ]
        assert self.ledger.enqueue_utterances(ref, 1, works, [False] * count)
        self.ledger.advance([Outcome(ref=ref, station=CPU)])

    def queued(self, station: str) -> list[str]:
        return [item_of(message) for message in self.redis.lrange(queue_name(station), 0, -1)]  # type: ignore[union-attr]

    def lose(self, station: str) -> list[str]:
        """Throws away what is in a station's queue."""
        lost = self.queued(station)
        self.redis.delete(queue_name(station))
        return lost

    def hold(self, station: str) -> list[str]:
        """Moves what is in a station's queue to the unacknowledged messages, as a worker does that takes it."""
        held = []
        while message := self.redis.rpop(queue_name(station)):
            held.append(item_of(message))  # type: ignore[arg-type]
            tag = f"t{time.monotonic_ns()}"
            self.redis.hset("unacked", tag, json.dumps([json.loads(message), "", queue_name(station)]))  # type: ignore[arg-type]
            self.redis.zadd("unacked_index", {tag: time.time()})
        return held

    def age(self, seconds: float = GRACE + 1) -> None:
        """Makes everything that is out that much older."""
        for station in (CPU, "sim"):
            for item, score in self.redis.zrange(f"ch:out:{station}", 0, -1, withscores=True):  # type: ignore[union-attr]
                self.redis.zadd(f"ch:out:{station}", {item: score - seconds})


@pytest.fixture
def desk(valkey: str) -> Iterator[Desk]:
    found = Desk(valkey)
    yield found
    found.close()


def test_what_was_lost_is_enqueued_again_once(desk: Desk) -> None:
    desk.job()
    desk.connections.ledger.release([CPU])
    assert desk.lose(CPU) == [str(present.item(desk.ledger, "job_1"))]
    desk.age()
    reaper = desk.reaper()
    assert [reaper.round() for _ in range(2)] == [0, 1]
    assert desk.queued(CPU) == [str(present.item(desk.ledger, "job_1"))]
    for _ in range(3):
        desk.age()
        assert reaper.round() == 0
    assert desk.queued(CPU) == [str(present.item(desk.ledger, "job_1"))]


def test_what_was_released_a_moment_ago_is_left_alone(desk: Desk) -> None:
    """Between release and queue lies a moment in which an item is in neither."""
    desk.job()
    desk.connections.ledger.release([CPU])
    desk.lose(CPU)
    reaper = desk.reaper()
    assert [reaper.round() for _ in range(3)] == [0, 0, 0]
    assert desk.queued(CPU) == []


def test_what_waits_in_its_queue_is_never_enqueued_again(desk: Desk) -> None:
    desk.spoken(12)
    reaper = desk.reaper()
    desk.connections.ledger.release(["sim"])
    before = desk.queued("sim")
    for _ in range(4):
        desk.age(1000)
        assert reaper.round() == 0
    assert Counter(desk.queued("sim")) == Counter(before)


def test_what_a_worker_holds_is_never_enqueued_again(desk: Desk) -> None:
    desk.spoken(12)
    reaper = desk.reaper()
    desk.connections.ledger.release(["sim"])
    held = desk.hold("sim")
    assert held
    for _ in range(4):
        desk.age(1000)
        assert reaper.round() == 0
    assert desk.queued("sim") == []


def test_what_goes_from_the_queue_to_a_worker_and_back_is_never_taken_for_lost(desk: Desk) -> None:
    """A worker takes and gives back, in one Lua call each, while reapers look as often as they can."""
    desk.spoken(1)
    desk.connections.ledger.release(["sim"])
    take = desk.redis.register_script(
        "local m = redis.call('RPOP', KEYS[1]) if m then"
        " redis.call('HSET', 'unacked', 't', '[' .. m .. ',\"\",\"' .. KEYS[1] .. '\"]') end"
    )
    give = desk.redis.register_script(
        "local e = redis.call('HGET', 'unacked', 't') if e then redis.call('HDEL', 'unacked', 't')"
        ' redis.call(\'RPUSH\', KEYS[1], string.match(e, \'^%[(.*),"","[^"]*"%]$\')) end'
    )
    stop = threading.Event()

    def worker() -> None:
        while not stop.is_set():
            take(keys=[queue_name("sim")])
            give(keys=[queue_name("sim")])

    thread = threading.Thread(target=worker)
    thread.start()
    reaper = desk.reaper()
    try:
        for _ in range(150):
            desk.age(1000)
            assert reaper.round() == 0
    finally:
        stop.set()
        thread.join()
    assert desk.queued("sim") == [str(present.item(desk.ledger, "job_1", 1, 0))]


def test_what_was_recorded_meanwhile_is_not_enqueued(desk: Desk) -> None:
    ref = desk.job()
    desk.connections.ledger.release([CPU])
    desk.lose(CPU)
    desk.age()
    reaper = desk.reaper()
    assert reaper.round() == 0
    desk.ledger.cancel("job_1")
    assert desk.ledger.take(CPU, [ref]) == [None]
    assert reaper.round() == 0
    assert desk.queued(CPU) == []


def test_two_reapers_at_once_enqueue_hardly_more_and_nothing_counts_twice(desk: Desk) -> None:
    desk.spoken(8)
    desk.connections.ledger.release(["sim"])
    lost = desk.lose("sim")
    desk.age()
    reapers = [Reaper(connections(desk.url)) for _ in range(2)]
    for reaper in reapers:
        reaper.round()
    gate = threading.Barrier(2)

    def second_round(reaper: Reaper) -> None:
        gate.wait()
        reaper.round()

    threads = [threading.Thread(target=second_round, args=(reaper,)) for reaper in reapers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Counter(desk.queued("sim"))
    assert set(found) == set(lost) and max(found.values()) <= 2
    for reaper in reapers:
        assert reaper.round() == 0
        reaper._connections.redis.close()
    for item in list(found.elements()):
        desk.ledger.advance([Outcome(ref=ItemRef.parse(item), station="sim")])
    job = desk.ledger.get("job_1")
    assert job and job.done == len(lost)


def test_a_delay_that_is_over_and_a_release_that_never_came_are_seen_to(desk: Desk) -> None:
    """Whoever records an item may die before the release; the reaper releases at every station."""
    desk.job("job_1")
    desk.job("job_2")
    desk.connections.ledger.release([CPU])
    desk.lose(CPU)
    error = ArtifactMissing("gone")
    desk.ledger.advance([Outcome(ref=present.item(desk.ledger, "job_1"), station=CPU, error=error, again_in=0.0)])
    desk.job("job_3")
    desk.reaper().round()
    assert sorted(desk.queued(CPU)) == sorted(str(present.item(desk.ledger, name)) for name in ("job_1", "job_3"))


def test_what_is_past_its_deadline_ends_though_it_is_held(desk: Desk) -> None:
    desk.job(deadline=0.0)
    desk.connections.ledger.release([CPU])
    desk.hold(CPU)
    desk.reaper().round()
    job = desk.ledger.get("job_1")
    assert job and job.state is JobState.FAILED and job.error and job.error["code"] == "deadline_exceeded"


def test_a_message_that_is_none_of_ours_does_no_harm(desk: Desk) -> None:
    desk.job()
    desk.connections.ledger.release([CPU])
    desk.lose(CPU)
    desk.age()
    body = base64.b64encode(json.dumps([[], {}, {}]).encode()).decode()
    desk.redis.lpush(queue_name(CPU), "no JSON", json.dumps({"body": body}), json.dumps([1]), b"\xff\xfe")
    desk.redis.hset("unacked", mapping={"a": '[no JSON,"","chorus.cpu"]', "b": "[]", "c": b"\xff", "d": "7"})
    reaper = desk.reaper()
    assert [reaper.round() for _ in range(2)] == [0, 1]
    assert str(present.item(desk.ledger, "job_1")) in desk.queued(CPU)


FAULTS: dict[str, Callable[[FaultProxy], object]] = {
    "cut": FaultProxy.cut,
    "refuse": FaultProxy.refuse,
    "black_hole": FaultProxy.black_hole,
    "delay": lambda proxy: proxy.delay(1.5),  # longer than the client waits
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_reaper_outlives_redis(desk: Desk, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.upkeep.reaper, "INTERVAL", 0.05)
    address = redis.connection.parse_url(desk.url)
    stop = threading.Event()
    with FaultProxy((address["host"], address["port"])) as proxy:
        own = connections(f"redis://127.0.0.1:{proxy.port}/0")
        thread = threading.Thread(target=run_reaper, args=(own, stop))
        thread.start()
        try:
            for turn in range(3):
                FAULTS[fault](proxy)
                time.sleep(0.4 + turn)
                proxy.pass_on()
            assert thread.is_alive()
            desk.job()
            _until_queued(desk)
            desk.lose(CPU)
            desk.age()
            _until_queued(desk)
        finally:
            stop.set()
            thread.join(10)
            own.redis.close()
    assert not thread.is_alive()


def test_a_reaper_outlives_a_redis_that_is_full_or_loses_its_scripts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.upkeep.reaper, "INTERVAL", 0.05)
    stop = threading.Event()
    own = connections(desk.url)
    thread = threading.Thread(target=run_reaper, args=(own, stop))
    desk.job("job_1")
    desk.connections.ledger.release([CPU])
    desk.lose(CPU)
    desk.age()
    desk.redis.config_set("maxmemory", "1mb")
    try:
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive()
    finally:
        desk.redis.config_set("maxmemory", "0")
    desk.redis.script_flush()
    try:
        _until_queued(desk)
    finally:
        stop.set()
        thread.join(10)
        own.redis.close()
    assert not thread.is_alive()


def test_rounds_go_on_while_the_storage_hangs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is past its retention waits for the storage; what was lost does not."""
    purging, stop, go_on = threading.Event(), threading.Event(), threading.Event()

    def hang(_: Reaper) -> None:
        purging.set()
        go_on.wait(20)

    monkeypatch.setattr(Reaper, "delete_expired", hang)
    monkeypatch.setattr(workers.upkeep.reaper, "EXPIRY_INTERVAL", 0.01)
    monkeypatch.setattr(workers.upkeep.reaper, "INTERVAL", 0.05)
    own = connections(desk.url)
    thread = threading.Thread(target=run_reaper, args=(own, stop))
    thread.start()
    try:
        assert purging.wait(5)
        desk.job()
        desk.connections.ledger.release([CPU])
        desk.lose(CPU)
        desk.age()
        _until_queued(desk)
    finally:
        stop.set()
        go_on.set()
        thread.join(10)
        own.redis.close()


def _until_queued(desk: Desk) -> None:
    wait_for(lambda: desk.queued(CPU) == [str(present.item(desk.ledger, "job_1"))], 10, "what was lost", every=0.02)


def test_a_standby_takes_over_while_no_reaper_runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.upkeep.reaper, "INTERVAL", 0.05)
    monkeypatch.setattr(workers.upkeep.reaper, "SILENCE", 0.5)
    rounds: list[float] = []
    real = Reaper.round

    def counted(reaper: Reaper) -> int:
        rounds.append(time.monotonic())
        return real(reaper)

    monkeypatch.setattr(Reaper, "round", counted)
    stop, own = threading.Event(), connections(desk.url)
    standby = threading.Thread(target=run_standby, args=(own, stop))
    standby.start()
    try:
        for _ in range(20):  # as a reaper's rounds do
            own.ledger.upkeep.note_round(workers.upkeep.reaper.SILENCE)
            time.sleep(0.05)
        assert rounds == [], "a reaper runs"
        desk.job()
        desk.connections.ledger.release([CPU])
        desk.lose(CPU)
        desk.age()
        _until_queued(desk)
        assert rounds
    finally:
        stop.set()
        standby.join(10)
        own.redis.close()
