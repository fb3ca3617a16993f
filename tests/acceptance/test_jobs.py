"""Jobs through a whole running stack: real processes, real servers, a real voice."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from audio.artifact import unpack
from cli.commands.demo import hear, word_error_rate
from cli.local.home import free_ports
from cli.local.layout import program
from cli.local.stack import Stack
from storage.access.keys import create_key, list_keys, revoke_key
from tests.shared_data import data_path
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def access(stack: Stack) -> Iterator[StackAccess]:
    with StackAccess(stack) as found:
        yield found


def speak(access: StackAccess, text: str, **changes: Any) -> dict[str, Any]:
    return access.run({"pipeline": "piper", "text": text, **changes})


def harvard(count: int) -> list[str]:
    lines = data_path("sentences/harvard.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip()][:count]


@pytest.mark.patient
def test_a_text_becomes_speech_that_can_be_understood(access: StackAccess, tmp_path: Path) -> None:
    text = " ".join(harvard(20))
    job = speak(access, text)
    assert job["state"] == "succeeded"
    assert [s["name"] for s in job["steps"]] == ["prepare", "synthesize", "assemble"]
    assert all(s["state"] == "done" and s["started"] <= s["ended"] for s in job["steps"])
    assert job["progress"] == {"done": 20, "total": 20, "eta": None}
    audio = job["result"]["audio"]
    data = access.audio(job["id"])
    assert len(data) == audio["bytes"]
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (rate, audio["sample_rate"], audio["format"]) == (22_050, 22_050, "wav")
    assert len(samples) / rate == pytest.approx(audio["duration"], abs=0.01)
    assert 0.02 < float(np.sqrt(np.mean(samples**2))) < 0.5
    path = tmp_path / "speech.wav"
    path.write_bytes(data)
    assert word_error_rate(text, hear(path)) <= 0.1


def test_forty_jobs_at_once_go_in_micro_batches(access: StackAccess) -> None:
    access.forget_utterances()
    before = access.metrics()
    sentences = harvard(40)
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda s: access.submit({"pipeline": "piper", "text": s}), sentences))
    ended = [access.wait(job["id"], 240) for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * 40
    after = access.metrics()

    def grown(name: str) -> float:
        key = f'{name}{{model="piper-joe"}}'
        return after[key] - before.get(key, 0.0)

    batches, items = grown("chorus_microbatches_total"), grown("chorus_microbatch_items_total")
    assert items == 40
    assert items / batches >= 8
    outside = 1 - grown("chorus_run_seconds_total") / grown("chorus_busy_seconds_total")
    assert outside < 0.15
    assert after['chorus_outside_run_ratio{model="piper-joe"}'] <= 1


@pytest.mark.patient
def test_the_same_job_twice_gives_the_same_samples(access: StackAccess) -> None:
    text = "Rice is often served in round bowls. The juice of lemons makes fine punch."
    first = access.audio(speak(access, text, options={"seed": 7})["id"])
    # A cached artifact would prove nothing: let it be rendered again.
    access.forget_utterances()
    second = access.audio(speak(access, text, options={"seed": 7})["id"])
    assert first == second
    assert access.audio(speak(access, text, options={"seed": 8})["id"]) != first


@pytest.mark.patient
def test_an_item_of_a_micro_batch_equals_itself_alone(access: StackAccess) -> None:
    sentences = harvard(60)[40:56]
    access.forget_utterances()
    together = [access.submit({"pipeline": "piper", "text": s}) for s in sentences]
    for job in together:
        assert access.wait(job["id"], 240)["state"] == "succeeded"
    batch = access.utterances()
    access.forget_utterances()
    for sentence in sentences[:3]:
        assert speak(access, sentence)["state"] == "succeeded"
    alone = access.utterances()
    assert len(alone) == 3
    for name, data in alone.items():
        a, b = unpack(data)[0], unpack(batch[name])[0]
        assert len(a) == len(b)
        assert float(np.max(np.abs(a - b))) <= 1e-4


@pytest.mark.patient
def test_formats_rates_and_loudness(access: StackAccess) -> None:
    for kind, rate in (("flac", 16_000), ("mp3", 44_100), ("opus", None), ("m4a", 48_000), ("wav", 8_000)):
        output = {"format": kind, "sample_rate": rate, "loudness": -20}
        job = speak(access, "Four hours of steady work faced us.", output=output)
        audio = job["result"]["audio"]
        assert audio["format"] == kind
        assert audio["sample_rate"] == (rate or 48_000)
        assert audio["duration"] == pytest.approx(2.2, abs=1.0)


@pytest.mark.patient
def test_a_range_and_an_entity_tag_are_honoured(access: StackAccess) -> None:
    job = speak(access, "The boy was there when the sun rose.")
    url = f"/v1/jobs/{job['id']}/audio"
    whole = access.http.get(url)
    part = access.http.get(url, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == whole.content[10:20]
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    assert access.http.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert access.http.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def rendered(access: StackAccess) -> float:
    """Utterances that the voice has rendered so far."""
    return access.metrics().get('chorus_microbatch_items_total{model="piper-joe"}', 0.0)


@pytest.mark.patient
def test_a_repeated_job_does_no_synthesis(access: StackAccess) -> None:
    text = "The hogs were fed chopped corn and garbage. A large size in stockings is hard to sell."
    first = speak(access, text, options={"seed": 5})
    before = rendered(access)
    again = speak(access, text, options={"seed": 5})
    assert rendered(access) == before
    assert again["result"]["audio"]["sha256"] == first["result"]["audio"]["sha256"]
    # Part of it said anew renders that part alone; an artifact that is gone is rendered again.
    speak(access, text + " Four hours of steady work faced us.", options={"seed": 5})
    assert rendered(access) == before + 1
    access.objects.delete(*access.objects.names("local/utterances/"))
    healed = speak(access, text, options={"seed": 5})
    assert healed["state"] == "succeeded"
    assert healed["result"]["audio"]["sha256"] == first["result"]["audio"]["sha256"]
    assert rendered(access) == before + 3


def test_a_preview_answers_at_once_and_leaves_nothing(access: StackAccess) -> None:
    access.wait_for_all(60)
    text = "On 3/4/2025 Dr. Smith paid $5.50."
    before = access.metrics()
    seconds = []
    for number in range(12):  # the first ones start espeak-ng in the CPU worker's processes
        began = time.perf_counter()
        answer = access.http.post(
            "/v1/text/preview", json={"pipeline": "piper", "text": text, "options": {"speed": 1.5}}
        )
        seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200, (number, answer.text)
        [utterance] = answer.json()["utterances"]
        assert utterance["spoken"].startswith("On March fourth") and utterance["phonemes"]
    assert sorted(seconds)[6] < 0.3, seconds
    job = speak(access, text, options={"speed": 1.5})
    assert answer.json()["seconds"] == pytest.approx(job["result"]["audio"]["duration"], rel=0.2)
    name = 'chorus_jobs_created_total{pipeline="piper"}'
    assert access.metrics()[name] == before.get(name, 0.0) + 1  # the job alone
    assert not list(access.redis.scan_iter("*pv_*"))


def test_a_canceled_job_ends_at_once_and_a_retry_renders_what_is_missing(access: StackAccess) -> None:
    sentences = harvard(120)[80:]
    before = rendered(access)
    job = access.submit({"pipeline": "piper", "text": " ".join(sentences), "options": {"seed": 17}})
    wait_for(lambda: access.get(job["id"])["progress"]["done"] >= 1, 60, "the first utterance")
    began = time.monotonic()
    assert access.http.post(job["links"]["cancel"]).json()["state"] == "canceled"
    assert time.monotonic() - began < 2
    # The worker is free again: another job does not wait for what was canceled.
    assert speak(access, "The soft cushion broke the man's fall.", options={"seed": 17})["state"] == "succeeded"
    assert rendered(access) - before < len(sentences)
    retried = access.http.post(job["links"]["retry"])
    assert retried.status_code == 202
    assert access.wait(job["id"], 200)["state"] == "succeeded"
    # What had been rendered and recorded was not rendered again; what ran when it was canceled may have been.
    assert rendered(access) - before <= len(sentences) + 1 + 16


@pytest.mark.patient
def test_a_job_past_its_deadline_ends(access: StackAccess) -> None:
    text = " ".join(harvard(300)[60:])
    job = access.submit({"pipeline": "piper", "text": text, "deadline": 2, "options": {"seed": 99}})
    ended = access.wait(job["id"], 60)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == "deadline_exceeded"
    assert ended["error"]["step"] == "synthesize"
    assert ended["error"]["message"]


@pytest.mark.patient
def test_there_is_a_list_of_everything(access: StackAccess) -> None:
    pipelines = {p["id"]: p for p in access.http.get("/v1/pipelines").json()["data"]}
    assert pipelines["piper"]["voices"] == ["joe"]
    assert pipelines["piper"]["options"]["speed"]["default"] == 1.0
    models = {m["id"]: m for m in access.http.get("/v1/models").json()["data"]}
    assert models["piper-joe"]["workers"] == 1
    assert models["piper-joe"]["object"] == "model"
    voices = {v["id"]: v for v in access.http.get("/v1/voices").json()["data"]}
    assert "piper" in voices["joe"]["pipelines"]


@pytest.mark.patient
def test_health_and_readiness(access: StackAccess) -> None:
    assert access.http.get("/healthz").json() == {"status": "ok"}
    ready = access.http.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["checks"].values()) == {"ok"}


@pytest.mark.patient
def test_a_key_that_is_missing_wrong_or_revoked_is_refused(access: StackAccess) -> None:
    url = f"{access.stack.url}/v1/models"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer chorus_wrong"}).json()["code"] == "unauthorized"
    assert httpx.get(url, headers={"Authorization": "Basic abc"}).status_code == 401
    secret = create_key(access.redis, "ann", "a key to be revoked")
    assert httpx.get(url, headers={"X-API-Key": secret}).status_code == 200
    assert httpx.get(url, headers={"Authorization": f"bearer {secret}"}).status_code == 200
    [key] = [k for k in list_keys(access.redis) if k.owner == "ann"]
    revoke_key(access.redis, key.id)
    assert httpx.get(url, headers={"X-API-Key": secret}).status_code == 401


@pytest.mark.patient
def test_another_owner_s_job_is_not_there(access: StackAccess) -> None:
    job = speak(access, "A rod is used to catch pink salmon.")
    secret = create_key(access.redis, "eve")
    for path in ("", "/audio"):
        answer = httpx.get(f"{access.stack.url}/v1/jobs/{job['id']}{path}", headers={"X-API-Key": secret})
        assert answer.status_code == 404
        assert answer.json()["code"] == "job_not_found"


@pytest.mark.patient
def test_the_api_starts_quickly_and_stays_small(access: StackAccess) -> None:
    # CPU time, since other processes of this test's stack want the cores too; the least of three, since they slow it.
    imports, starts = [], []
    for _ in range(3):
        imports.append(cpu_seconds_of_imports())
        starts.append(start_of_an_api(access))
    # Celery, boto3 and the others take most of it; torch alone takes more than twice as much again.
    assert min(starts) < 2.5 * min(imports), (starts, imports)
    pid = next(p["pid"] for p in access.state()["processes"] if p["name"] == "api")
    serving = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    assert max(p.memory_info().rss for p in serving) < 150e6


def cpu_seconds_of_imports() -> float:
    """CPU seconds that Python takes to import what the API stands on, as a yardstick of this machine."""
    before = os.times()
    modules = "av, boto3, celery, flask, httpx, kombu, numpy, pydantic, pydantic_settings, redis, soundfile, waitress"
    subprocess.run([sys.executable, "-P", "-c", f"import {modules}"], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def start_of_an_api(access: StackAccess) -> float:
    """CPU seconds until an API answers, which is small."""
    port = free_ports(1)[0]
    env = {**os.environ, **access.home.environment(), "CHORUS_API_PORT": str(port)}
    process = subprocess.Popen(program("api"), env=env, stderr=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/healthz"), 60, "the API", every=0.02
        )
        assert process.poll() is None
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        assert max(p.memory_info().rss for p in family) < 150e6
        return sum(p.cpu_times().user + p.cpu_times().system for p in family)
    finally:
        process.terminate()
        process.wait(15)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.patient
def test_two_hundred_creates_at_once_under_one_key_make_one_job(access: StackAccess) -> None:
    """Over two hundred connections of their own; the same key with another body is refused."""
    headers = {"X-API-Key": access.stack.api_key, "Idempotency-Key": f"once-{time.time_ns()}"}
    metadata = {"once": headers["Idempotency-Key"]}
    body = {"pipeline": "piper", "text": "Only one of us is spoken.", "metadata": metadata}

    def create(_: int) -> tuple[int, str]:
        answer = httpx.post(f"{access.stack.url}/v1/jobs", json=body, headers=headers, timeout=60)
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(200) as pool:
        found = set(pool.map(create, range(200)))
    assert len(found) == 1 and next(iter(found))[0] == 202
    other = access.http.post("/v1/jobs", json={**body, "text": "Another."}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    listed = access.http.get("/v1/jobs", params={f"metadata.{name}": value for name, value in metadata.items()}).json()
    assert [job["id"] for job in listed["data"]] == [next(iter(found))[1]]
    assert access.wait(next(iter(found))[1])["state"] == "succeeded"
