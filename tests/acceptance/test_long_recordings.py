"""Recordings of hours: heard in pieces, in bounded memory, and nothing short waits behind them.

Some minutes in each run of the tests, the four hours that are promised in ``make proof``.
"""

from __future__ import annotations

import contextlib
import csv
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import yaml
from chorus_client import Client, Job

from audio.decode import decode
from cli.local.layout import program
from cli.local.stack import Stack
from core.redis import connect
from models.catalog import DEFAULT_FILE
from tests.shared_data import data_path
from tests.waiting import wait_for

pytestmark = pytest.mark.patient

RATE = 16_000

#: Seconds that a model has for a piece: several times what it takes, and less than the whole takes.
PATIENCE = 18

#: Bytes that a worker grows by at the most, whatever the length.
GROWTH = 300 * 2**20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that hears nothing by itself."""
    folder = tmp_path_factory.mktemp("long")
    entries = yaml.safe_load(DEFAULT_FILE.read_text())["models"]
    hearing = {name: entries[name] | {"batch_timeout": PATIENCE} for name in ("silero", "whisper-tiny.en")}
    models = {"piper-joe": entries["piper-joe"], **hearing}
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}, sort_keys=False))
    env = {"CHORUS_MODELS_FILE": str(folder / "models.yaml"), "OMP_NUM_THREADS": "1"}
    with Stack(folder / "home", env=env) as running:
        running.wait_ready()
        yield running


@contextlib.contextmanager
def worker(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that serves both models that hear, in one process."""
    env = psutil.Process(stack.processes()["piper-joe-1"]["pid"]).environ() | {"CHORUS_WORKER_NAME": "both"}
    command = program("worker", "whisper-tiny.en", "silero")
    with (stack.home.logs / "both.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def into_its_midst(chorus: Client, job: Job) -> None:
    """Waits until a transcription runs."""

    def heard() -> bool:
        found = chorus.get(job)
        assert not found.done, found.error
        return found.step == "transcribe"

    wait_for(heard, 120, "the transcription to run")
    time.sleep(2)


def recording(path: Path, seconds: float) -> int:
    """Speech with silences between, of that length; how many words are said."""
    with data_path("manifest.tsv").open() as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["transcript"] and r["kind"] == "speaker_utt"][::5]
    spoken = [(decode(data_path(r["file"]), RATE, max_seconds=60), len(r["transcript"].split())) for r in rows]
    written = words = place = 0
    with soundfile.SoundFile(path, "w", RATE, 1, format="FLAC") as file:
        while written < seconds * RATE:
            samples, count = spoken[place % len(spoken)]
            part = np.concatenate([samples, np.zeros(RATE * (1 + place % 6), np.float32)])
            file.write(part)
            written += len(part)
            words, place = words + count, place + 1
    return words


def test_a_worker_that_stops_gives_a_long_recording_back(stack: Stack, tmp_path: Path) -> None:
    recording(tmp_path / "long.flac", 150)
    with Client(stack.url, stack.api_key) as chorus:
        with worker(stack) as process:
            recording(tmp_path / "short.flac", 8)
            chorus.transcribe(tmp_path / "short.flac")  # it is ready
            job = chorus.create("transcribe", recording=tmp_path / "long.flac")
            into_its_midst(chorus, job)
            began = time.monotonic()
            process.terminate()
            assert process.wait(30) == 0
            assert time.monotonic() - began < PATIENCE, "it ends after the piece that runs"
        assert chorus.get(job).state == "running"
        with contextlib.closing(connect(stack.home.environment()["CHORUS_REDIS_URL"])) as client:
            assert client.hgetall(f"ch:started:{job.id}") == {}, "it died of nothing"
        chorus.cancel(job)


@pytest.mark.parametrize("minutes", [8, pytest.param(238, marks=[pytest.mark.proof, pytest.mark.timeout(5400)])])
def test_a_long_recording_is_heard_whole(stack: Stack, tmp_path: Path, minutes: int) -> None:
    words = recording(tmp_path / "long.flac", minutes * 60)
    recording(tmp_path / "short.flac", 8)
    with Client(stack.url, stack.api_key) as chorus, worker(stack) as process:
        chorus.vad(tmp_path / "short.flac")
        chorus.transcribe(tmp_path / "short.flac")
        both = psutil.Process(process.pid)
        begin = both.memory_info().rss
        recording_ = {"upload": chorus.upload(tmp_path / "long.flac").id}
        began = time.monotonic()
        long = chorus.create("transcribe", recording=recording_)
        into_its_midst(chorus, long)
        short = chorus.wait(chorus.create("vad", recording=tmp_path / "short.flac", options={"threshold": 0.6}), 60)
        other = chorus.wait(chorus.create("transcribe", recording=tmp_path / "short.flac"), 60)
        assert (short.state, other.state) == ("succeeded", "succeeded")
        assert not chorus.get(long).done, "nothing short waits behind it"
        most = begin
        while not (found := chorus.get(long)).done:
            most = max(most, both.memory_info().rss)
            time.sleep(1)
        assert found.state == "succeeded", found.error
        assert time.monotonic() - began > PATIENCE, "or the test says nothing"
        assert found.result is not None
        transcript = found.result.raw["transcript"]
        assert abs(len(transcript["text"].split()) / words - 1) < 0.1
        assert transcript["segments"][-1]["end"] <= found.result.raw["duration"]

        heard = chorus.wait(chorus.create("vad", recording=recording_), 600)
        assert heard.state == "succeeded" and heard.result is not None, heard.error
        assert len(heard.result.raw["segments"]) > minutes
        most = max(most, both.memory_info().rss)
        assert most - begin < GROWTH, f"{(most - begin) / 2**20:.0f} MiB more for {minutes} minutes"
