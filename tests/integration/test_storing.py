"""Utterances into a real SeaweedFS: the direct way beside boto3, and what becomes of it when the storage fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from audio.artifact import unpack
from cli.local.embedded import SEAWEEDFS_PORTS, SeaweedFS
from cli.local.home import free_ports
from cli.local.supervisor import kill_session, spawn
from core.errors import StorageUnavailable
from core.settings import Settings
from core.work import UtteranceWork
from models.base import Item, Speech
from pipelines.connections import Connections
from storage.ledger.records import Work
from storage.objects import objects
from storage.objects.direct_put import DirectPut
from storage.objects.objects import Objects
from tests.chaos.proxy import FaultProxy
from tests.conftest import S3
from tests.waiting import wait_for
from workers.steps.speech import SynthesizeStep


def settings(s3: S3, *, endpoint: str | None = None, secret: str | None = None, **other: Any) -> Settings:
    return Settings(
        s3_endpoint=endpoint or s3.endpoint,
        s3_bucket=s3.bucket,
        s3_access_key=s3.access_key,
        s3_secret_key=SecretStr(secret or s3.secret_key),
        **other,
    )


class Counted:
    """How many objects went each way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.direct = self.boto3 = 0
        put = DirectPut.put

        def counted(direct: DirectPut, *args: Any, **kwargs: Any) -> bool | None:
            written = put(direct, *args, **kwargs)
            self.direct += written is not None
            self.boto3 += written is None
            return written

        monkeypatch.setattr(DirectPut, "put", counted)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


NAMES = [
    "plain.flac",
    "with space.flac",
    "ü/你好.flac",
    "100% & more.flac",
    "a+b=c;d,e?f#g@h.flac",
    "~tilde_(1)!*'[x].flac",
    "%41.flac",
]


def test_odd_names_are_written_and_read_back(seaweedfs: S3, counted: Counted) -> None:
    storage = Objects(settings(seaweedfs))
    for number, name in enumerate(NAMES):
        assert storage.put(f"odd/{name}", b"%d" % number, "audio/flac")
    assert (counted.boto3, counted.direct) == (1, len(NAMES) - 1)
    for number, name in enumerate(NAMES):
        assert storage.get(f"odd/{name}") == b"%d" % number
    assert sorted(storage.names("odd/")) == sorted(f"odd/{name}" for name in NAMES)
    found = storage.head(f"odd/{NAMES[-1]}")
    assert found is not None
    assert (found.size, found.content_type) == (1, "audio/flac")


def test_the_first_write_wins(seaweedfs: S3, counted: Counted) -> None:
    storage = Objects(settings(seaweedfs))
    assert storage.put("first/teach", b"", "text/plain")
    assert storage.put("first/a.flac", b"first", "audio/flac", if_absent=True)
    assert not storage.put("first/a.flac", b"second", "audio/flac", if_absent=True)
    assert storage.get("first/a.flac") == b"first"
    assert storage.put("first/a.flac", b"third", "audio/flac")
    assert storage.get("first/a.flac") == b"third"
    assert (counted.boto3, counted.direct) == (1, 3)


def test_only_one_of_many_threads_writes_first(seaweedfs: S3, counted: Counted) -> None:
    storage = Objects(settings(seaweedfs))
    storage.put("race/teach", b"", "text/plain")
    with ThreadPoolExecutor(16) as pool:
        won = list(
            pool.map(
                lambda n: storage.put(f"race/{n % 8}", b"%d" % n * 50_000, "audio/flac", if_absent=True), range(64)
            )
        )
    for name in range(8):
        writers = [n for n in range(name, 64, 8) if won[n]]
        assert len(writers) == 1
        assert storage.get(f"race/{name}") == b"%d" % writers[0] * 50_000
    assert counted.direct >= 64


def test_an_unprotected_payload_is_signed_and_taken(
    seaweedfs: S3, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.objects.direct_put._is_protected", lambda _: False)
    storage = Objects(settings(seaweedfs))
    for number in range(3):
        assert storage.put(f"signed/{number}", b"audio" * 1000, "audio/flac")
        assert storage.get(f"signed/{number}") == b"audio" * 1000
    assert (counted.boto3, counted.direct) == (1, 2)


def test_a_wrong_secret_is_told_as_ever(seaweedfs: S3) -> None:
    storage = Objects(settings(seaweedfs, secret="wrong"))
    with pytest.raises(StorageUnavailable, match="SignatureDoesNotMatch") as caught:
        storage.put("wrong/a", b"", "text/plain")
    assert isinstance(caught.value.__cause__, ClientError)


def test_the_artifacts_of_a_worker(seaweedfs: S3, valkey: str, counted: Counted) -> None:
    step = SynthesizeStep(Connections.connect(settings(seaweedfs, redis_url=valkey)))
    storage = Objects(settings(seaweedfs))
    random = np.random.default_rng(1)
    for number in range(4):
        samples = random.standard_normal(22_050).astype(np.float32)
        work = UtteranceWork.single(artifact=f"ann/{number}.flac", inputs={}, options={}, seed=number, pause=0.3)
        speech = Speech(samples, 22_050, durations=np.full(5, 0.2, np.float32))  # type: ignore[arg-type]
        stored = step.store(None, Work(utterance=work), Item({}, seed=number), speech)  # type: ignore[arg-type]
        assert stored.seconds == 1.0
        back, rate, facts = unpack(storage.get(f"ann/{number}.flac"))
        assert rate == 22_050
        assert np.abs(back - samples).max() <= 2**-23 * np.abs(samples).max()
        assert (facts["seed"], facts["durations"]) == (number, [0.2] * 5)
    assert (counted.boto3, counted.direct) == (1, 3)


# -- failures


@pytest.fixture
def proxied(seaweedfs: S3) -> Iterator[tuple[FaultProxy, Objects]]:
    """A storage that has learnt its way, behind a proxy that goes wrong."""
    port = int(seaweedfs.endpoint.rpartition(":")[2])
    with FaultProxy(("127.0.0.1", port)) as proxy:
        storage = Objects(settings(seaweedfs, endpoint=f"http://127.0.0.1:{proxy.port}"))
        assert storage.put("proxied/teach", b"", "text/plain")
        yield proxy, storage


def test_connections_that_are_cut_lose_no_object(proxied: tuple[FaultProxy, Objects], counted: Counted) -> None:
    proxy, storage = proxied
    for number in range(3):
        assert storage.put(f"cut/{number}", b"one", "audio/flac")
        proxy.cut()
        assert storage.put(f"cut/{number}", b"two", "audio/flac")
        assert storage.get(f"cut/{number}") == b"two"
    assert counted.direct >= 3


def test_a_storage_that_is_away_is_unavailable_until_it_is_back(
    proxied: tuple[FaultProxy, Objects], counted: Counted
) -> None:
    proxy, storage = proxied
    assert storage.put("away/a", b"before", "audio/flac")
    proxy.refuse()
    with pytest.raises(StorageUnavailable):
        storage.put("away/a", b"meanwhile", "audio/flac")
    proxy.pass_on()
    assert storage.get("away/a") == b"before"
    for content in (b"after", b"again"):
        assert storage.put("away/a", content, "audio/flac")
        assert storage.get("away/a") == content
    assert (counted.boto3, counted.direct) == (2, 2)


def test_a_storage_that_is_silent_is_unavailable_in_time(seaweedfs: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "READ_TIMEOUT", 0.3)
    monkeypatch.setattr(objects, "CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    port = int(seaweedfs.endpoint.rpartition(":")[2])
    with FaultProxy(("127.0.0.1", port)) as proxy:
        storage = Objects(settings(seaweedfs, endpoint=f"http://127.0.0.1:{proxy.port}"))
        for content in (b"boto3", b"direct"):
            assert storage.put("silent/a", content, "audio/flac")
        proxy.black_hole()
        ended = threading.Event()

        def put() -> None:
            with pytest.raises(StorageUnavailable):
                storage.put("silent/a", b"lost", "audio/flac")
            ended.set()

        thread = threading.Thread(target=put)
        thread.start()
        thread.join(10)
        assert ended.is_set()
        proxy.cut()
        proxy.pass_on()
        assert storage.put("silent/a", b"back", "audio/flac")


def test_a_server_that_is_killed_and_started_again(tmp_path: Path, counted: Counted) -> None:
    ports = dict(zip(SEAWEEDFS_PORTS, free_ports(len(SEAWEEDFS_PORTS)), strict=True))
    server = SeaweedFS(tmp_path / "data", ports, "AK1", "SK1-secret", "speech")
    s3 = S3(server.endpoint, server.access_key, server.secret_key, server.bucket)
    storage = Objects(settings(s3))

    @contextlib.contextmanager
    def running() -> Iterator[None]:
        process = spawn(server.command(), env=server.env, log=tmp_path / "log")
        try:
            wait_for(server.ready, 40, lambda: "SeaweedFS to start")
            yield
        finally:
            kill_session(process.pid)
            process.wait()

    with running():
        for number in range(3):
            assert storage.put(f"ann/{number}", b"before", "audio/flac", if_absent=True)
    with pytest.raises(StorageUnavailable):
        storage.put("ann/3", b"meanwhile", "audio/flac", if_absent=True)
    with running():
        for number in range(3, 6):
            assert storage.put(f"ann/{number}", b"after", "audio/flac", if_absent=True)
        assert not storage.put("ann/0", b"after", "audio/flac", if_absent=True)
        assert [storage.get(f"ann/{n}") for n in range(6)] == [b"before"] * 3 + [b"after"] * 3
    server.tidy()
    assert counted.direct >= 4
