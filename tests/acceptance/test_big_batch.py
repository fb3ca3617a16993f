"""A batch of many lines, one in a hundred bad, through a whole stack; status calls stay quick meanwhile.

Five hundred lines in each run of the tests, three thousand in ``make proof``.

The synthesizer is the simulated one, since three thousand sentences of Piper's would take half an hour here;
everything around it is real.
"""

from __future__ import annotations

import io
import json
import statistics
import time
import zipfile
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import soundfile

from cli.local.stack import Stack
from tests.shared_data import ROOT
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Milliseconds within which 95 of 100 status calls are answered.
LIMIT = 100.0


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    env = {
        "CHORUS_MODELS_FILE": str(ROOT / "benchmarks/models.yaml"),
        "CHORUS_PIPELINES_FILE": str(ROOT / "benchmarks/pipelines.yaml"),
    }
    with Stack(tmp_path_factory.mktemp("batch") / "home", models=["sim"], env=env) as stack:
        stack.wait_ready(120)
        with StackAccess(stack) as found:
            yield found


def items(lines: int) -> list[dict[str, Any]]:
    """Short lines; every hundredth has nothing to speak, or asks for what there is not."""
    found: list[dict[str, Any]] = []
    for number in range(lines):
        job: dict[str, Any] = {"text": f"This is line number {number}."}
        if number % 100 == 50:
            job = [{"text": "… !"}, {"text": "Hello.", "voice": "nobody"}, {"txt": "Hello."}][number // 100 % 3]
        found.append({"custom_id": f"line-{number:04}", "job": job})
    return found


class StatusCalls:
    """Asks for a batch and one of its jobs over and over, from a connection of its own, and notes how long it took."""

    def __init__(self, access: StackAccess, batch: str) -> None:
        self.milliseconds: list[float] = []
        self._http = httpx.Client(base_url=access.stack.url, headers={"X-API-Key": access.stack.api_key}, timeout=60)
        self._paths = (f"/v1/batches/{batch}", "/healthz", f"/v1/jobs?batch={batch}&limit=1")
        self._stop = Event()
        self._thread = Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._stop.is_set():
            for path in self._paths:
                began = time.perf_counter()
                assert self._http.get(path).status_code == 200
                self.milliseconds.append((time.perf_counter() - began) * 1000)
            self._stop.wait(0.05)

    def __enter__(self) -> StatusCalls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._http.close()

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.milliseconds, n=20)[-1]


@pytest.mark.parametrize("lines", [500, pytest.param(3000, marks=pytest.mark.proof)])
def test_many_lines_one_in_a_hundred_bad(access: StackAccess, lines: int) -> None:
    bad = lines // 100
    body = {"defaults": {"pipeline": "sim", "output": {"format": "flac"}}, "items": items(lines)}
    began = time.monotonic()
    answer = access.http.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    batch = answer.json()["id"]
    assert sum(answer.json()["counts"].values()) == lines
    with StatusCalls(access, batch) as calls:

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = access.http.get(f"/v1/batches/{batch}").json()
            assert sum(found["counts"].values()) == lines
            return found if found["state"] not in ("queued", "running") else None

        found = wait_for(ended, 600, "the batch to end", every=0.2)
    took = time.monotonic() - began
    print(f"{lines} lines in {took:.1f} s, p95 of {len(calls.milliseconds)} status calls {calls.p95:.1f} ms")
    assert found["state"] == "completed"
    assert found["counts"] == {"queued": 0, "running": 0, "succeeded": lines - bad, "failed": bad, "canceled": 0}
    assert [error["line"] for error in found["errors"]] == [n + 1 for n in range(lines) if n % 100 == 50]
    assert {error["code"] for error in found["errors"]} == {"no_words", "unknown_voice", "unknown_field"}
    assert calls.p95 < LIMIT

    manifest = [json.loads(line) for line in access.http.get(f"/v1/batches/{batch}/manifest").text.splitlines()]
    assert [entry["custom_id"] for entry in manifest] == [f"line-{n:04}" for n in range(lines)]
    good = [entry for entry in manifest if entry["file"]]
    assert len(good) == lines - bad and all(entry["error"] for entry in manifest if not entry["file"])
    with zipfile.ZipFile(io.BytesIO(access.http.get(f"/v1/batches/{batch}/zip").content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted([entry["file"] for entry in good] + ["manifest.jsonl"])
        for entry in good[::100]:
            info = soundfile.info(io.BytesIO(archive.read(entry["file"])))
            assert info.duration == pytest.approx(entry["duration"], abs=0.01)
            assert access.http.get(entry["url"]).content == archive.read(entry["file"])
