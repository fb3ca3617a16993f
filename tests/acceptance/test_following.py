"""Streams through real processes: a whole stack with a real voice, and API processes under real sockets."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile
from flask.testing import FlaskClient

from api import create_app
from audio.decode import decode
from cli.local.home import free_ports
from cli.local.layout import program, source_path
from cli.local.stack import Stack
from cli.local.supervisor import kill_session, spawn, tail
from core.redis import connect
from core.work import CPU
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.integration.test_api import settings_for
from tests.integration.test_following import Hand, messages
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

PATIENCE = 30.0


# -- a whole stack


@pytest.fixture(scope="module")
def access(stack: Stack) -> Iterator[StackAccess]:
    with StackAccess(stack) as found:
        yield found


def text_of(count: int, about: str) -> str:
    """Sentences that nothing has rendered yet."""
    nonce = time.time_ns() % 1_000_000
    return " ".join(f"Sentence {n} about {about} has the number {nonce + n} in it." for n in range(count))


@pytest.mark.patient
def test_audio_flows_while_the_job_runs(access: StackAccess) -> None:
    job = access.submit({"pipeline": "piper", "text": text_of(20, "rivers")})
    data, state_at_first_audio = b"", None
    with access.http.stream("GET", f"/v1/jobs/{job['id']}/audio?stream=1") as answer:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav")
        for chunk in answer.iter_raw():
            data += chunk
            if state_at_first_audio is None and len(data) > 44:
                state_at_first_audio = access.get(job["id"])
    assert state_at_first_audio is not None
    assert state_at_first_audio["state"] == "running"
    assert state_at_first_audio["progress"]["done"] < 20
    assert access.wait(job["id"])["state"] == "succeeded"
    heard, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    finished, finished_rate = soundfile.read(io.BytesIO(access.audio(job["id"])), dtype="int16")
    assert rate == finished_rate
    assert heard.tolist() == finished.tolist()


@pytest.mark.patient
@pytest.mark.parametrize("kind", ["mp3", "opus", "pcm"])
def test_other_formats_flow_as_well(access: StackAccess, kind: str) -> None:
    job = access.submit({"pipeline": "piper", "text": text_of(4, kind)})
    answer = access.http.get(f"/v1/jobs/{job['id']}/audio", params={"stream": 1, "format": kind})
    duration = access.wait(job["id"])["result"]["audio"]["duration"]
    rate = 22_050
    got = len(answer.content) / 2 / rate if kind == "pcm" else len(decode(answer.content, rate, max_seconds=99)) / rate
    assert got == pytest.approx(duration, abs=0.12)


@pytest.mark.patient
def test_events_tell_a_job_from_beginning_to_end(access: StackAccess) -> None:
    job = access.submit({"pipeline": "piper", "text": text_of(8, "events")})
    url = f"/v1/jobs/{job['id']}/events"
    told = messages(access.http.get(url).text)
    numbered = [m for m in told if m["id"]]
    generation = access.redis.hget(f"ch:job:{job['id']}", "gen")
    prefix = f"{job['id']}:{generation.decode()}"  # type: ignore[union-attr]
    assert [m["id"] for m in numbered] == [f"{prefix}:{n}" for n in range(1, len(numbered) + 1)]
    steps = ["step.running", "step.done"] * 3
    assert [m["type"] for m in numbered] == ["job.queued", "job.running", *steps, "job.succeeded"]
    polled = access.get(job["id"])
    assert numbered[-1]["data"] == polled
    assert any(m["type"] == "progress" and m["data"]["total"] == 8 for m in told)
    rest = access.http.get(url, headers={"Last-Event-ID": numbered[3]["id"]})
    assert [m["id"] for m in messages(rest.text)] == [m["id"] for m in numbered[4:]]
    assert access.http.get(url, headers={"Last-Event-ID": numbered[-1]["id"]}).status_code == 204


# -- API processes without workers


@dataclass(frozen=True, slots=True)
class Api:
    """An API process, and its owner's own hands on the ledger."""

    port: int
    key: str
    client: FlaskClient
    connections: Connections
    pid: int
    ended: Callable[[], bool]

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"X-API-Key": self.key}, timeout=30)

    def job(self) -> Hand:
        """A job that is queued until somebody does its steps."""
        return Hand(self.connections, self.client, text=f"Number {time.time_ns()}.")

    def open(self, path: str, *, receive_buffer: int | None = None) -> socket.socket:
        """Asks for ``path`` and reads nothing."""
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nX-API-Key: {self.key}\r\n\r\n".encode())
        return connection


@contextlib.contextmanager
def api_process(
    valkey: str, seaweedfs: S3, folder: Path, env: Mapping[str, str], command: list[str] | None = None
) -> Iterator[Api]:
    key = create_key(connect(valkey), "ann")
    settings = settings_for(valkey, seaweedfs)
    (port,) = free_ports(1)
    where = {
        **source_path(),
        "CHORUS_REDIS_URL": valkey,
        "CHORUS_S3_ENDPOINT": seaweedfs.endpoint,
        "CHORUS_S3_BUCKET": seaweedfs.bucket,
        "CHORUS_S3_ACCESS_KEY": seaweedfs.access_key,
        "CHORUS_S3_SECRET_KEY": seaweedfs.secret_key,
        "CHORUS_API_PORT": str(port),
    }
    log = folder / "api.log"
    process = spawn(command or program("api"), env={**where, **env}, log=log)
    client = create_app(settings).test_client()
    client.environ_base["HTTP_X_API_KEY"] = key
    found = Api(port, key, client, Connections.connect(settings), process.pid, lambda: process.poll() is not None)

    def serves() -> bool:
        assert process.poll() is None, tail(log, 20)
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        return False

    try:
        wait_for(serves, PATIENCE, "the API")
        yield found
    finally:
        kill_session(process.pid)
        process.wait()


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    return data


def status_of(data: bytes) -> int:
    return int(data.split(b" ", 2)[1])


def test_other_requests_go_on_beside_all_the_streams(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    with (
        api_process(
            valkey, seaweedfs, tmp_path, {"CHORUS_API_THREADS": "4", "CHORUS_API_STREAMS_PER_OWNER": "32"}
        ) as api,
        contextlib.ExitStack() as held,
        api.http() as http,
    ):
        hand = api.job()
        streams = []
        for n in range(32):
            connection = held.enter_context(api.open(f"{hand.url}/{'events' if n % 2 else 'audio?stream=1'}"))
            assert status_of(read_until(connection, b"\r\n\r\n")) == 200
            streams.append(connection)
        refused = http.get(f"{hand.url}/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
        took = []
        for _ in range(40):
            for path in ("/healthz", hand.url):
                begin = time.monotonic()
                assert http.get(path).status_code == 200
                took.append(time.monotonic() - begin)
        print(f"beside 32 streams: median {statistics.median(took):.4f} s, longest {max(took):.4f} s")
        assert statistics.median(took) < 0.2
        assert max(took) < 2.0
        # A client that leaves gives its place to another, although nothing is written to either kind of stream.
        for number in (0, 1):
            streams[number].close()
            wait_for(lambda: _opens(api, held, hand), 10, f"place {number}")
        hand.lay(2)
        hand.render(0, 1)
        audio = read_until(streams[2], b"\r\n0\r\n\r\n")
        assert audio.count(b"RIFF") == 1


def _opens(api: Api, held: contextlib.ExitStack, hand: Hand) -> bool:
    connection = api.open(f"{hand.url}/events")
    if status_of(read_until(connection, b"\r\n\r\n")) == 200:
        held.enter_context(connection)
        return True
    connection.close()
    return False


@pytest.mark.patient
def test_a_job_that_fails_leaves_a_chunked_body_without_its_end(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    with api_process(valkey, seaweedfs, tmp_path, {}) as api, api.http() as http:
        hand = api.job()
        hand.lay(2)
        hand.render(0)
        with http.stream("GET", f"{hand.url}/audio?stream=1") as answer:
            chunks = answer.iter_raw()
            assert next(chunks)
            hand.fail(1)
            with pytest.raises(httpx.RemoteProtocolError):
                list(chunks)
        assert http.get("/healthz").status_code == 200
    assert "Traceback" not in (tmp_path / "api.log").read_text()


@contextlib.contextmanager
def impatient_api(valkey: str, seaweedfs: S3, folder: Path) -> Iterator[Api]:
    """One that gives up clients which take nothing for two seconds, with two threads, one of them for streams."""
    code = "import api.streaming.streams; api.streaming.streams.STALLED = 2; import cli.main; cli.main.main()"
    env = {"CHORUS_API_STREAMS": "1", "CHORUS_API_THREADS": "1"}
    with api_process(valkey, seaweedfs, folder, env, [sys.executable, "-P", "-c", code, "api"]) as api:
        yield api


def test_a_client_that_does_not_read_loses_its_place(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    with impatient_api(valkey, seaweedfs, tmp_path) as api:
        hand = large(api.job())
        with api.open(f"{hand.url}/audio?stream=1", receive_buffer=4096) as stalled, api.http() as http:
            assert status_of(stalled.recv(256)) == 200
            begin = time.monotonic()
            assert http.get(f"{hand.url}/events").status_code == 503
            longest = 0.0

            def is_free() -> bool:
                nonlocal longest
                # The end of the stalled connection holds up nobody, although its client still has it open.
                with httpx.Client() as anybody:
                    asked = time.monotonic()
                    assert anybody.get(f"http://127.0.0.1:{api.port}/healthz").status_code == 200
                    longest = max(longest, time.monotonic() - asked)
                return http.get(f"{hand.url}/events").status_code == 200

            wait_for(is_free, PATIENCE, "the place of the stalled client", every=0.1)
            assert time.monotonic() - begin > 1.0
            assert longest < 1.5


@pytest.mark.patient
def test_downloads_that_nobody_reads_do_not_stop_the_api(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    with impatient_api(valkey, seaweedfs, tmp_path) as api, contextlib.ExitStack() as held:
        hand = large(api.job())
        for _ in range(2):  # all of its threads
            stalled = held.enter_context(api.open(f"{hand.url}/audio", receive_buffer=4096))
            assert status_of(stalled.recv(256)) == 200
        answer = httpx.get(f"http://127.0.0.1:{api.port}/healthz", timeout=PATIENCE)
        assert answer.status_code == 200


def large(hand: Hand) -> Hand:
    """A job that has come to 64 MB of WAV."""
    name, data = f"ann/jobs/{hand.id}/{hand.generation}/audio.wav", bytes(64 * 2**20)
    hand.connections.objects.put(name, data, "audio/wav")
    hand.lay(1)
    hand.render(0)
    hand.ledger.take(CPU, [hand.ref(2)])
    audio: dict[str, Any] = {"object": name, "format": "wav", "duration": 1500.0, "sample_rate": 22_050}
    result = {"audio": {**audio, "bytes": len(data), "sha256": "0" * 64}, "characters": 1, "seed": 0}
    hand.advance([Outcome(ref=hand.ref(2), station=CPU, result=result)])
    return hand


def test_streams_do_not_hold_up_the_end_of_their_process(valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    with api_process(valkey, seaweedfs, tmp_path, {}) as api, contextlib.ExitStack() as held:
        hand = api.job()
        for n in range(4):
            connection = held.enter_context(api.open(f"{hand.url}/{'events' if n % 2 else 'audio?stream=1'}"))
            assert status_of(read_until(connection, b"\r\n\r\n")) == 200
        begin = time.monotonic()
        os.kill(api.pid, signal.SIGTERM)
        wait_for(api.ended, PATIENCE, "its end")
        print(f"ended after {time.monotonic() - begin:.2f} s")
        assert time.monotonic() - begin < 6  # gunicorn's own patience is 8 s
