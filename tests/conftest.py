"""Real servers for the tests: each pytest process (also each of pytest-xdist's) starts its own."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psutil
import pytest
import redis

from cli.local.embedded import SEAWEEDFS_PORTS, SeaweedFS, Valkey
from cli.local.home import free_ports
from cli.local.stack import Stack
from cli.local.supervisor import kill_session, spawn, tail
from tests.waiting import wait_for

# How long an example takes to draw or to run says more about the machine than about the code.
hypothesis.settings.register_profile("chorus", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("chorus")

# The models that this checkout's own .chorus may have are no part of what is tested.
os.environ["CHORUS_OWN_MODELS_FILE"] = os.devnull

#: In the environment of every process that these tests start, and of their descendants.
MARK = "CHORUS_TEST_RUN"


@dataclass(frozen=True, slots=True)
class S3:
    """Where the object storage of the tests is."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str


def _marked(mark: str) -> list[psutil.Process]:
    """The living processes that descend from this test run, but for itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.pid != os.getpid() and process.environ().get(MARK) == mark
            # Python's own helper of multiprocessing lives as long as the process that first needed it.
            helper = "resource_tracker" in " ".join(process.cmdline())
            if ours and not helper and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _described(mark: str) -> str:
    lines = []
    for process in _marked(mark):
        with contextlib.suppress(psutil.Error):
            lines.append(f"{process.pid}: {' '.join(process.cmdline())[:200]}")
    return "\n".join(lines)


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fails the run where a process that a test started, or a descendant of one, outlives it."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    yield
    try:
        wait_for(lambda: not _marked(mark), 10, lambda: f"processes were left:\n{_described(mark)}", every=0.1)
    finally:
        for process in _marked(mark):
            with contextlib.suppress(psutil.Error):
                process.kill()
        del os.environ[MARK]


@contextlib.contextmanager
def running(server: Valkey | SeaweedFS, log: Path) -> Iterator[int]:
    """A server that is ready; its process id."""
    process = spawn(server.command(), env=server.env, log=log)
    try:
        wait_for(
            lambda: process.poll() is not None or server.ready(), 40, lambda: f"a server to start:\n{tail(log, 20)}"
        )
        assert process.poll() is None, f"a server did not start:\n{tail(log, 20)}"
        yield process.pid
    finally:
        kill_session(process.pid)
        process.wait()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Redis URL of a Valkey that lasts for the session. Take `valkey`, which is empty at every test."""
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder, free_ports(1)[0])
    with running(server, folder / "log"):
        yield server.url


@pytest.fixture
def valkey(valkey_server: str) -> str:
    """Redis URL of an empty Valkey."""
    with contextlib.closing(redis.Redis.from_url(valkey_server)) as client:
        client.flushall()
    return valkey_server


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An object storage with one bucket; it is not emptied between tests: use names of your own."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    ports = dict(zip(SEAWEEDFS_PORTS, free_ports(len(SEAWEEDFS_PORTS)), strict=True))
    server = SeaweedFS(folder / "data", ports, "test-access-key", "test-secret-key", "chorus-test")
    with running(server, folder / "log"):
        yield S3(server.endpoint, server.access_key, server.secret_key, server.bucket)
    server.tidy()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole ``chorus up`` with one Piper worker, ready, for the session."""
    with Stack(tmp_path_factory.mktemp("stack") / "home", model_workers=1) as running:
        running.wait_ready()
        yield running
