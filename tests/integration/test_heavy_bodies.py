"""Heavy bodies sent to the API's real process: it stays small, and answers to others meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from api import create_app
from cli.local.home import free_ports
from cli.local.supervisor import kill_session, spawn, tail
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.waiting import wait_for

SIZE = 15 * 2**20
BODIES = {
    "objects": (b'{"nope": [' + b"{}," * (SIZE // 3) + b"{}]}", 413),
    "empty strings": (b'{"nope": [' + b'"",' * (SIZE // 3) + b'""]}', 413),
    "keys": (b"{" + b'"":0,' * (SIZE // 5) + b'"":0}', 413),
    "nested": (b'{"":' * (SIZE // 4), 413),
    "digits": (b'{"deadline":' + b"1" * SIZE + b"}", 400),
    "above the bound": (b'{"nope": [' + b"{}," * (20 * 2**20) + b"{}]}", 413),
    "long digits": (b'{"deadline":0.' + b"1" * SIZE + b"}", 422),
    "unknown fields": (b"{" + b",".join(b'"k%d":0' % n for n in range(240_000)) + b"}", 422),
    "packed": (b"\x1f\x8b" + os.urandom(1000), 400),
}


#: By path, fields of a form that are no heavier together than one body may be.
FORMS = {
    "/v1/jobs": [(name, b"[" + b"{}," * 400_000 + b"{}]") for name in ("segments", "options", "output", "metadata")],
    "/v1/voices": [("pipelines", b"[" + b"[]," * 4_000_000 + b"[]]"), ("name", b"Ann")],
}


@pytest.fixture(scope="module")
def api(valkey_server: str, seaweedfs: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Address and process id of ``chorus api``."""
    folder, port = tmp_path_factory.mktemp("api"), free_ports(1)[0]
    env = {
        "CHORUS_REDIS_URL": valkey_server,
        "CHORUS_S3_ENDPOINT": seaweedfs.endpoint,
        "CHORUS_S3_BUCKET": seaweedfs.bucket,
        "CHORUS_S3_ACCESS_KEY": seaweedfs.access_key,
        "CHORUS_S3_SECRET_KEY": seaweedfs.secret_key,
        "CHORUS_AUTH": "off",
        "CHORUS_API_PORT": str(port),
    }
    process = spawn([sys.executable, "-P", "-m", "cli.main", "api"], env=env, log=folder / "log")
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, folder / "log")
        yield url, process.pid
    finally:
        kill_session(process.pid)
        process.wait()


def _wait(url: str, log: Path) -> None:
    def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/healthz").status_code == 200
        return False

    wait_for(answers, 60, lambda: f"the API to start:\n{tail(log, 20)}")


@pytest.mark.parametrize("value", ["1e308", "1e30", "1e-40", "0"])
def test_an_embedding_has_a_length(valkey: str, seaweedfs: S3, value: str) -> None:
    client = create_app(settings_for(valkey, seaweedfs, auth="off")).test_client()
    embedding = '{"model": "campplus", "values": [' + ", ".join([value] * 192) + "]}"
    body = '{"pipeline": "voice_match", "text": "Hello.", "reference": {"embedding": ' + embedding + "}}"
    answer = client.post("/v1/jobs", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_embedding")


def test_a_line_of_a_batch_is_bounded_like_a_body(valkey: str, seaweedfs: S3) -> None:
    settings = settings_for(valkey, seaweedfs, auth="off", max_json_bytes=2_000)
    client = create_app(settings).test_client()
    upload = client.post("/v1/uploads").get_json()
    long = json.dumps({"custom_id": "long", "job": {"text": "Hello. " * 400}})
    deep = '{"custom_id": "deep", "job": {"options": ' + '{"a":' * 40 + "1" + "}" * 42
    good = json.dumps({"custom_id": "good", "job": {"text": "Hello."}})
    assert client.put(f"/v1/uploads/{upload['id']}", data="\n".join((long, deep, good)).encode()).status_code == 200
    made = client.post("/v1/batches", json={"defaults": {"pipeline": "piper"}, "upload": upload["id"]}).get_json()
    CpuLine(settings).run(1)
    found = client.get(f"/v1/batches/{made['id']}").get_json()
    assert [(e["line"], e["code"]) for e in found["errors"]] == [(1, "json_too_large"), (2, "not_json")]
    assert found["counts"]["queued"] == 1


def memory(pid: int) -> float:
    """Megabytes of a process and its children."""
    process = psutil.Process(pid)
    return float(sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 2**20)


class Watch(threading.Thread):
    """Asks for ``/healthz`` all the time; ``slowest`` in seconds, ``largest`` in megabytes."""

    def __init__(self, url: str, pid: int) -> None:
        super().__init__(daemon=True)
        self.url, self.pid, self.over = url, pid, threading.Event()
        self.slowest = self.largest = 0.0

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.over.wait(0.01):
                began = time.monotonic()
                assert client.get(f"{self.url}/healthz").status_code == 200
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.largest = max(self.largest, memory(self.pid))


def test_the_api_stays_small_and_answers(api: tuple[str, int]) -> None:
    url, pid = api
    before = memory(pid)
    watch = Watch(url, pid)
    watch.start()
    try:
        for name, (body, status) in BODIES.items():
            for path in ("/v1/jobs", "/v1/batches"):
                headers = {"Content-Type": "application/json"}
                answer = httpx.post(f"{url}{path}", content=body, headers=headers, timeout=60)

                try:
                    answer = httpx.post(f"{url}{path}", content=body, headers=headers, timeout=60)
                except httpx.WriteError:  # it answered and left while the body still came
                    assert name == "above the bound"
                    continue
                assert answer.status_code in (status, 422 if path == "/v1/batches" else status), (name, answer.text)
                assert "code" in json.loads(answer.text)
        for path, fields in FORMS.items():
            answer = httpx.post(f"{url}{path}", files=[(name, (None, value)) for name, value in fields], timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (413, "json_too_large"), (path, answer.text)
    finally:
        watch.over.set()
        watch.join()
    print(f"before {before:.0f} MB, at most {watch.largest:.0f} MB; slowest /healthz {watch.slowest:.2f} s")
    assert watch.largest - before < 250
    assert watch.slowest < 2
