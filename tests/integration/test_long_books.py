"""A book of hours is assembled in bounded memory. Eight minutes in each run of the tests, ten hours in ``make proof``.

Its utterances are a few artifacts, repeated. A process of its own assembles first a book of a minute, then the long
one, and says how much memory it has taken at most after each.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from audio.artifact import pack
from core.names import AudioFormat, JobState, Priority, Role
from core.settings import Settings
from core.work import CPU, ItemRef, Plan, PlanStep, UtteranceWork
from storage.ledger.documents import CoverDocument, JobDocument, OutputDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import NewJob, Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.pictures import jpeg
from workers.steps.cpu import run_cpu_item

RATE = 22_050  #: of piper-joe
DISTINCT = 16
SECONDS, PAUSE = 3.3, 0.3  #: of an utterance, and behind it
PER_CHAPTER = 100  #: utterances
PLAN = Plan(
    (
        PlanStep(role=Role.PREPARE),
        PlanStep(role=Role.SYNTHESIZE, model="piper-joe", each=True),
        PlanStep(role=Role.ASSEMBLE),
    )
)
MOST_MEMORY = 400.0  #: MB


def artifact(index: int) -> str:
    return f"ann/utterances/{index % DISTINCT:040}.flac"


def store_artifacts(line: CpuLine) -> None:
    """Noise in syllables, each utterance a little louder or softer."""
    for index in range(DISTINCT):
        noise = np.random.default_rng(index).standard_normal(round(SECONDS * RATE)).astype(np.float32)
        syllables = np.sin(np.pi * 4 * np.arange(len(noise)) / RATE) ** 2
        data = pack((0.03 + 0.002 * index) * noise * syllables.astype(np.float32), RATE, {})
        line.connections.objects.put(artifact(index), data, "audio/flac")


def book(line: CpuLine, name: str, count: int) -> ItemRef:
    """A book of so many utterances that waits to be assembled; its item."""
    cover = f"ann/covers/{name}"
    line.connections.objects.put(cover, jpeg(600, 600), "image/jpeg")
    output = OutputDocument(
        format=AudioFormat.M4B, loudness=-18.0, cover=CoverDocument(object=cover), tags={"title": "A long book"}
    )
    ledger = line.connections.ledger
    new = NewJob(
        id=name,
        owner="ann",
        priority=Priority.NORMAL,
        plan=PLAN,
        document=JobDocument(owner="ann", pipeline="piper", gives="speech", output=output),
        deadline=36_000.0,
        keep=36_000.0,
        text=json.dumps([{"title": "", "text": "x" * 100}]),
    )
    assert ledger.create(new)
    [prepare] = [ref for ref in line.waiting() if ref.job == name]
    works = [
        UtteranceWork.single(
            inputs={"tokens": list(range(150)), "voice": "joe"},
            options={"speed": 1.0},
            seed=index,
            artifact=artifact(index),
            pause=PAUSE,
        )
        for index in range(count)
    ]
    assert ledger.enqueue_utterances(prepare, 1, works, [True] * count)
    chapters = [(f"Chapter {n // PER_CHAPTER} 🎧", n) for n in range(0, count, PER_CHAPTER)]
    outputs = StepOutputs(chapters=chapters)
    assert ledger.advance([Outcome(ref=prepare, station=CPU, outputs=outputs, laid=(0, count))]) == [True]
    [assembling] = [ref for ref in line.waiting() if ref.job == name]
    return assembling


def assemble(settings: Settings, refs: list[str], results: multiprocessing.Queue[tuple[float, float]]) -> None:
    """In a process of its own: after each item, the most memory so far in MB, and the seconds that it took."""
    line = CpuLine(settings)
    for ref in refs:
        began = time.monotonic()
        run_cpu_item(line.connections, ref)
        results.put((most_memory(), time.monotonic() - began))


def most_memory() -> float:
    """The most memory that this process has taken so far, in MB. (``ru_maxrss`` counts that of the process which
    started it, too.)"""
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [8, pytest.param(600, marks=[pytest.mark.proof, pytest.mark.timeout(7200)])])
def test_a_long_book_takes_little_memory(minutes: int, valkey: str, seaweedfs: S3, tmp_path: Path) -> None:
    settings = settings_for(valkey, seaweedfs)
    line = CpuLine(settings)
    store_artifacts(line)
    count = round(minutes * 60 / (SECONDS + PAUSE))
    refs = [str(book(line, name, n)) for name, n in (("job_" + "1" * 24, 17), ("job_" + "2" * 24, count))]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=assemble, args=(settings, refs, results), daemon=True)
    process.start()
    (first, _), (peak, seconds) = results.get(timeout=300), results.get(timeout=7000)
    process.join(60)
    print(f"\n{minutes} minutes: {peak:.0f} MB at most, {first:.0f} MB after one minute; {seconds:.0f} s")

    job = line.connections.ledger.get("job_" + "2" * 24)
    assert job is not None and job.state is JobState.SUCCEEDED and job.result is not None, job and job.error
    audio = job.result["audio"]
    assert audio["duration"] == pytest.approx(count * (SECONDS + PAUSE) - PAUSE, abs=0.01)
    assert audio["loudness"] == pytest.approx(-18, abs=0.5)
    path = tmp_path / "book.m4b"
    line.connections.objects.get_file(audio["object"], path)
    with av.open(str(path)) as file:
        assert file.duration is not None and file.duration / 1e6 == pytest.approx(audio["duration"], abs=0.1)
        starts = [float(one["start"] * one["time_base"]) for one in file.chapters()]
        [cover] = [stream for stream in file.streams if stream.disposition & Disposition.attached_pic]
        assert bytes(next(file.demux(cover))) == jpeg(600, 600)
        assert file.metadata["title"] == "A long book"
    expected = [n * PER_CHAPTER * (SECONDS + PAUSE) for n in range(len(starts))]
    assert len(starts) == -(-count // PER_CHAPTER)
    assert starts == pytest.approx(expected, abs=0.005)
    assert path.read_bytes()[4:12] == b"ftypM4B "
    assert peak < MOST_MEMORY
    assert peak - first < 25 + 0.2 * minutes, "an hour takes 12 MB: its index, and its utterances in the ledger"
