"""Recordings that would hold the CPU processes: ended soon where they are absurd, in turns where they are long."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from audio import decode
from core.names import JobState, Priority
from core.redis import connect
from core.work import CPU, Plan
from storage.ledger import turns
from storage.ledger.documents import EnrolmentDocument, JobDocument, RecordingDocument
from storage.ledger.records import NewJob
from storage.ledger.turns import Turns
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.silent_flac import silence
from workers.recordings.decode import read_samples
from workers.recordings.long_decodes import LONG, is_long

PLAN = Plan.parse("prepare:cpu vad:silero-vad")


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> Iterator[CpuLine]:
    found = CpuLine(settings_for(valkey, seaweedfs))
    yield found
    found.connections.redis.close()


def submit(line: CpuLine, job: str, owner: str, data: bytes, duration: float) -> None:
    """A job whose recording has come past the door somehow."""
    name = f"{owner}/recordings/{job}"
    line.connections.objects.put(name, data, "application/octet-stream")
    recording = RecordingDocument(object=name, sha256=job, duration=duration)
    document = JobDocument(owner=owner, pipeline="vad", recording=recording)
    asked = NewJob(
        id=job, owner=owner, priority=Priority.NORMAL, plan=PLAN, document=document, text="", deadline=60.0, keep=100.0
    )
    assert line.connections.ledger.create(asked)


def outcome(line: CpuLine, job: str) -> tuple[JobState, int, str | None]:
    """A job's state, its step, and the code of its error."""
    found = line.connections.ledger.get(job)
    assert found
    return found.state, found.step, found.error["code"] if found.error else None


def wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(round(seconds * 1_000), np.int16), 1_000, format="WAV")
    return buffer.getvalue()


def test_hours_of_silence_at_absurd_rates_do_not_hold_the_cpu_step(
    line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MOST_SAMPLES", decode.MOST_SAMPLES // 10)  # the same, in a tenth of the time
    for job, rate in (("job_1", 655_350), ("job_2", 384_000)):
        submit(line, job, "ann", silence(rate, 8, 65_535, 8_000), 300.0)
    submit(line, "job_3", "bob", wav(1.0), 1.0)
    began = time.thread_time()
    assert line.run() == 3
    assert outcome(line, "job_1") == (JobState.FAILED, 0, "sample_rate_too_high")
    assert outcome(line, "job_2") == (JobState.FAILED, 0, "too_many_samples")
    assert outcome(line, "job_3")[1] == 1
    assert time.thread_time() - began < 10


def test_long_recordings_of_an_owner_are_decoded_one_at_a_time(line: CpuLine) -> None:
    for job, owner, seconds in (("job_1", "ann", LONG + 1), ("job_2", "ann", 1.0), ("job_3", "bob", 1.0)):
        submit(line, job, owner, wav(seconds), seconds)
    held = Turns(line.connections.redis, CPU, 0.25)
    assert held.take("ann", "an item in another process")
    assert line.run() == 3
    assert [outcome(line, job)[1] for job in ("job_1", "job_2", "job_3")] == [0, 1, 1]
    assert not line.connections.redis.exists("ch:started:job_1")  # to wait is no try
    held.give_back("ann", "an item in another process")
    line.connections.redis.zadd("ch:delayed", dict.fromkeys(line.connections.redis.zrange("ch:delayed", 0, -1), 0.0))
    line.connections.ledger.upkeep.wake_due()
    assert line.run() == 1
    assert outcome(line, "job_1")[1] == 1
    assert not line.connections.redis.exists(f"ch:turns:{CPU}")


def test_what_is_long_is_told_by_seconds_or_by_samples() -> None:
    known = RecordingDocument
    assert not is_long([known(url="https://a.example/b.wav"), known(duration=LONG, samples=round(16_000 * LONG))])
    assert is_long([known(duration=LONG - 1), known(duration=2.0)])
    assert is_long([known(duration=60.0, samples=60 * 384_000 * 8)])


def test_a_recording_that_is_longer_than_it_says_needs_a_turn_too(line: CpuLine) -> None:
    submit(line, "job_1", "liar", wav(LONG + 1), 1.0)
    held = Turns(line.connections.redis, CPU, 0.25)
    assert held.take("liar", "an item in another process")
    assert line.run() == 1
    assert outcome(line, "job_1") == (JobState.RUNNING, 0, None)
    assert line.connections.redis.zcard("ch:delayed") == 1


def test_turns_are_one_of_an_owner_and_half_of_the_processes(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(valkey)
    found = Turns(client, CPU, 0.25)
    assert found.take("ann", "1") and found.take("ann", "1")
    assert not found.take("ann", "2")
    assert not found.take("bob", "3")  # no worker has said how many processes it has
    client.zadd(f"ch:workers:{CPU}", {"one": time.time() + 60})
    client.hset(f"ch:capacity:{CPU}", "one", "8")
    assert found.take("bob", "3")
    assert not found.take("an", "4") and not found.take("ann", "2")
    found.give_back("ann", "1")
    assert found.take("an", "4")
    found.give_back("an", "4")
    monkeypatch.setattr(turns, "LEASE", -1.0)
    assert found.take("ann", "5") and found.take("ann", "6")  # the first one's process is gone
    client.close()


def test_of_takes_that_begin_with_silence_the_sound_is_heard(line: CpuLine) -> None:
    """Twelve takes of one voice: each gives ten seconds, and eleven are silent in front."""
    take = np.concatenate([np.zeros(11_000), 0.3 * np.sin(np.arange(12_000))]).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, take, 1_000, format="WAV")
    line.connections.objects.put("ann/voices/1/recordings/take", buffer.getvalue(), "application/octet-stream")
    part = RecordingDocument(object="ann/voices/1/recordings/take", sha256="take", duration=23.0)
    document = JobDocument(
        owner="ann",
        pipeline="vad",
        reference=RecordingDocument(parts=(part,) * 12),
        enrolment=EnrolmentDocument(voice="vo_1", folder="ann/voices/1"),
    )
    asked = NewJob(
        id="job_1", owner="ann", priority=Priority.NORMAL, plan=PLAN, document=document, text="", deadline=60, keep=100
    )
    assert line.connections.ledger.create(asked)
    assert line.run() == 1
    [name] = [n for n in line.connections.objects.names("ann/voices/1/recordings/") if n.endswith(".16k.flac")]
    heard = read_samples(line.connections.objects, name)[:]
    assert len(heard) == pytest.approx((12 * 10 + 11 * 0.5) * 16_000, abs=12)
    assert np.square(heard).sum() / 16_000 == pytest.approx(12 * 10 * 0.3**2 / 2, rel=0.1)
