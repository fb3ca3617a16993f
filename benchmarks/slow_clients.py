"""Slow and idle clients: the effect of two thousand of them on a normal one, and the server's overhead without them."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from benchmarks.support.service import say, wait_until
from benchmarks.support.slow_peers import BODIES, HEADERS, IDLE, UNREAD
from cli.local.home import free_ports
from cli.local.stack import Stack

FOLDER = Path(__file__).parent

#: Seconds of the attack, rounds of the comparison, seconds and threads of one.
ATTACK, ROUNDS, ROUND, THREADS = 25.0, 7, 2.0, 4


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``healthz_p95_s``, ``create_p95_s``, ``refused``, ``api_rss_mb`` and ``stream_mb`` under attack;
    ``get_over_before`` and ``create_over_before``: requests a second, over those under gunicorn's threads."""
    env = {
        "CHORUS_MODELS_FILE": str(FOLDER / "models.yaml"),
        "CHORUS_PIPELINES_FILE": str(FOLDER / "pipelines.yaml"),
        "CHORUS_MAX_UNFINISHED_PER_OWNER": "400000",
        "CHORUS_MAX_UNFINISHED": "1000000",
    }
    with (
        tempfile.TemporaryDirectory(prefix="chorus-slow-") as folder,
        Stack(Path(folder) / "home", models=["sim"], env=env) as stack,
    ):
        stack.wait_ready(120)
        with httpx.Client(base_url=stack.url, headers={"X-API-Key": stack.api_key}, timeout=60) as api:
            job = _finished_job(api)
            figures = compare(stack, env, Path(folder), job)
            return {**figures, **attack(stack, api, job)}


def _body(text: str, **options: float) -> dict[str, object]:
    return {"pipeline": "sim", "text": text, "options": {"item_seconds": 0.0, "batch_seconds": 0.0, **options}}


def _finished_job(api: httpx.Client) -> str:
    """A job of some megabytes of audio."""
    text = " ".join(f"Sentence number {n} is about as long as others are." for n in range(100))
    job = str(api.post("/v1/jobs", json=_body(text)).raise_for_status().json()["id"])
    wait_until("a job", lambda: api.get(f"/v1/jobs/{job}").json()["state"] == "succeeded")
    return job


# -- under attack


def attack(stack: Stack, api: httpx.Client, job: str) -> dict[str, float | int]:
    """What an honest client, and a stream, notice."""
    say(f"{IDLE} idle, {HEADERS} drip headers, {BODIES} drip bodies, {UNREAD} never read")
    process = psutil.Process(stack.processes()["api"]["pid"])
    command = [
        sys.executable,
        "-P",
        "-m",
        "benchmarks.support.slow_peers",
        stack.url,
        stack.api_key,
        job,
        str(ATTACK + 5),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_path(os.environ)) as peers:
        assert peers.stdout is not None
        assert peers.stdout.readline() == "open\n"
        stream = Stream(stack, api)
        honest = Honest(api)
        end, largest = time.monotonic() + ATTACK, 0
        while time.monotonic() < end:
            honest.ask()
            largest = max(largest, process.memory_info().rss)
        heard, most = stream.end(), int(peers.stdout.readline())
    return {
        "slow_connections": most,
        "healthz_p95_s": honest.p95("healthz"),
        "create_p95_s": honest.p95("create"),
        "refused": honest.refused,
        "api_rss_mb": largest / 2**20,
        "stream_mb": heard / 2**20,
    }


class Honest:
    """A client that asks now and then, and notes how long it took."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self._seconds: dict[str, list[float]] = {"healthz": [], "create": []}
        self.refused = 0

    def ask(self) -> None:
        """One look at ``/healthz``, over a connection of its own, and one job."""
        self._time("healthz", self._healthz)
        body = _body(f"Number {time.time_ns()}.")
        self._time("create", lambda: self._api.post("/v1/jobs", json=body).is_success)
        time.sleep(0.02)

    def _healthz(self) -> bool:
        connection = http.client.HTTPConnection(self._api.base_url.host, self._api.base_url.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200

    def _time(self, name: str, ask: Callable[[], bool]) -> None:
        began = time.monotonic()
        try:
            good = ask()
        except (httpx.HTTPError, http.client.HTTPException, OSError):
            good = False
        self._seconds[name].append(time.monotonic() - began)
        self.refused += not good

    def p95(self, name: str) -> float:
        """Seconds within which 95 of 100 were answered."""
        return statistics.quantiles(self._seconds[name], n=20)[-1]


class Stream:
    """The audio of a job that is made slowly, heard by a thread."""

    def __init__(self, stack: Stack, api: httpx.Client) -> None:
        text = " ".join(f"Sentence number {n} of a long story, told at {time.time_ns()}." for n in range(600))
        body = {**_body(text, batch_seconds=0.5), "priority": "interactive"}
        job = api.post("/v1/jobs", json=body).raise_for_status().json()["id"]
        self._url = f"{stack.url}/v1/jobs/{job}/audio?stream=1"
        self._key = stack.api_key
        self._bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("GET", self._url, headers={"X-API-Key": self._key}, timeout=60) as answer,
        ):
            for chunk in answer.iter_raw():
                self._bytes += len(chunk)
                if self._stop.is_set():
                    return

    def end(self) -> int:
        """Bytes that were heard."""
        self._stop.set()
        self._thread.join(10)
        return self._bytes


# -- without them


def compare(stack: Stack, env: Mapping[str, str], folder: Path, job: str) -> dict[str, float]:
    """Requests a second of both fronts, in turns."""
    with _gunicorn(stack, env, folder) as before:
        rates: dict[str, dict[str, list[float]]] = {"get": {}, "create": {}}
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            for name, url in (("before", before), ("after", stack.url)):
                rates["get"].setdefault(name, []).append(rate(url, stack.api_key, "GET", f"/v1/jobs/{job}"))
                rates["create"].setdefault(name, []).append(rate(url, stack.api_key, "POST", "/v1/jobs"))
    figures = {}
    for kind, found in rates.items():
        pairs = zip(found["after"], found["before"], strict=True)
        figures[f"{kind}_per_s"] = statistics.median(found["after"])
        figures[f"{kind}_per_s_before"] = statistics.median(found["before"])
        figures[f"{kind}_over_before"] = statistics.median(after / before for after, before in pairs)
    return figures


@contextlib.contextmanager
def _gunicorn(stack: Stack, env: Mapping[str, str], folder: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    settings = {**os.environ, **env, **stack.home.environment(), "CHORUS_API_PORT": str(port)}
    with (folder / "gunicorn.log").open("wb") as log:
        command = [sys.executable, "-P", "-m", "benchmarks.support.gunicorn_front"]
        process = subprocess.Popen(command, env=_path(settings), stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until("gunicorn", lambda: _answers(url))
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _path(env: Mapping[str, str]) -> dict[str, str]:
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, (str(FOLDER.parent), env.get("PYTHONPATH"))))}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=1).is_success
    except httpx.HTTPError:
        return False


def rate(url: str, key: str, method: str, path: str) -> float:
    """Requests a second by `THREADS` clients, each with a connection of its own."""
    counts, end = [0] * THREADS, time.monotonic() + ROUND

    def ask(place: int) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        while time.monotonic() < end:
            body = json.dumps(_body(f"Number {time.time_ns()}.")) if method == "POST" else None
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, answer.status
            counts[place] += 1
        connection.close()

    began = time.monotonic()
    threads = [threading.Thread(target=ask, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)
