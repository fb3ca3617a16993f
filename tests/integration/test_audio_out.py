"""What ``output`` of a job asks for comes out of the whole way: submission, assembly, storage, download and stream."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from audio.artifact import pack
from audio.sinks.pcm import from_bytes
from audio.trim import MARGIN
from core.names import SampleEncoding
from core.redis import connect
from pipelines.connections import Connections
from storage.access.keys import create_key
from storage.ledger.records import Outcome
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from tests.integration.test_following import RATE, Hand, listen

TAGS = {"title": "Ümläut ☃", "artist": "Ann", "date": "2026-05-07", "track": "3/12", "comment": "By the shore"}


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def connections(valkey: str, seaweedfs: S3) -> Connections:
    return Connections.connect(settings_for(valkey, seaweedfs))


def assembled(client: FlaskClient, connections: Connections, output: dict[str, Any]) -> tuple[Hand, dict[str, Any]]:
    hand = Hand(connections, client, text=f"Of {output}.", output=output)
    hand.lay(3)
    hand.render(0, 1, 2)
    hand.assemble()
    return hand, client.get(hand.url).get_json()["result"]["audio"]


@pytest.mark.parametrize(
    ("output", "codec", "media"),
    [
        ({"format": "wav", "encoding": "pcm_s24"}, "pcm_s24le", "audio/wav"),
        ({"format": "wav", "encoding": "float", "sample_rate": 16_000}, "pcm_f32le", "audio/wav"),
        ({"format": "wav", "encoding": "mulaw"}, "pcm_mulaw", "audio/wav"),
        ({"format": "flac", "encoding": "pcm_s24"}, "flac", "audio/flac"),
        ({"format": "mp3", "bit_rate": 128_000}, "mp3float", "audio/mpeg"),
        ({"format": "opus", "bit_rate": 24_000}, "opus", "audio/ogg; codecs=opus"),
        ({"format": "m4a", "bit_rate": 48_000}, "aac", "audio/mp4"),
    ],
)
def test_a_job_gives_the_file_that_it_asks_for(
    client: FlaskClient, connections: Connections, output: dict[str, Any], codec: str, media: str
) -> None:
    _, audio = assembled(client, connections, {**output, "tags": TAGS})
    assert audio["format"] == output["format"]
    lossless = {"wav": "pcm_s16", "flac": "pcm_s16"}.get(output["format"])
    assert audio.get("encoding") == output.get("encoding", lossless)
    answer = client.get(audio["url"])
    assert answer.content_type == media
    with av.open(io.BytesIO(answer.data)) as file:
        stream = file.streams.audio[0]
        assert stream.codec_context.name == codec
        assert stream.rate == audio["sample_rate"]
        assert file.duration / 1e6 == pytest.approx(audio["duration"], abs=0.02)
        found = {key.lower(): value for key, value in {**file.metadata, **stream.metadata}.items()}
        assert {name: found.get(name) for name in TAGS} == TAGS
    assert audio["sample_rate"] == {"mulaw": 8_000}.get(output.get("encoding", ""), audio["sample_rate"])


@pytest.mark.parametrize(
    ("encoding", "media"),
    [
        (None, "audio/pcm; rate=22050; channels=1; bits=16"),
        ("pcm_s24", "audio/pcm; rate=22050; channels=1; bits=24"),
        ("float", "audio/pcm; rate=22050; channels=1; bits=32; encoding=float"),
        ("mulaw", "audio/PCMU; rate=8000; channels=1"),
    ],
)
def test_raw_samples_say_what_they_are_and_can_be_streamed(
    client: FlaskClient, connections: Connections, encoding: str | None, media: str
) -> None:
    hand, audio = assembled(client, connections, {"format": "pcm", "encoding": encoding})
    answer = client.get(audio["url"])
    assert answer.content_type == media
    samples = from_bytes(answer.data, SampleEncoding(audio["encoding"]))
    assert len(samples) / audio["sample_rate"] == pytest.approx(audio["duration"], abs=1e-4)
    listening = listen(hand, "&format=pcm")
    rate = audio["sample_rate"]
    assert listening.answer.content_type == f"audio/pcm; rate={rate}; channels=1; bits=16"
    heard = from_bytes(listening.whole(), SampleEncoding.PCM_S16)
    assert len(heard) == len(samples)
    assert np.abs(heard - samples).max() <= 2.0**-15
    with av.open(io.BytesIO(listen(hand, "&format=mp3").whole())) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) / rate == pytest.approx(audio["duration"], abs=0.2)


def test_a_stream_of_a_file_with_more_bits_has_sixteen(client: FlaskClient, connections: Connections) -> None:
    hand, audio = assembled(client, connections, {"format": "wav", "encoding": "float"})
    file, _ = soundfile.read(io.BytesIO(client.get(audio["url"]).data), dtype="float32")
    listening = listen(hand)
    assert "Content-Length" not in listening.answer.headers
    streamed = soundfile.SoundFile(io.BytesIO(listening.whole()))
    assert streamed.subtype == "PCM_16"
    assert np.abs(streamed.read(dtype="float32") - file).max() <= 2.0**-15


def test_trimmed_edges_move_the_chapters(
    valkey: str, seaweedfs: S3, client: FlaskClient, connections: Connections
) -> None:
    """A silent chapter in front, silence at the start of the second one, and at the end."""
    line = CpuLine(settings_for(valkey, seaweedfs))
    chapters = [{"title": title, "text": f"{title}."} for title in ("Silence", "Sound", "More")]
    body = {"pipeline": "piper", "chapters": chapters, "output": {"trim": True, "timestamps": "utterance"}}
    name = client.post("/v1/jobs", json=body).get_json()["id"]
    assert line.run(1) == 1
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (3, RATE)).astype(np.float32)
    sound[0], sound[1, : RATE // 2], sound[2, RATE // 2 :] = 0, 0, 0
    pauses = [work.pause for work in connections.ledger.utterances(name)[0]]
    while refs := line.waiting("piper-joe"):
        for ref in refs:
            work = connections.ledger.take("piper-joe", [ref])[0]
            assert work is not None and work.utterance is not None
            connections.objects.put(work.utterance.artifact, pack(sound[ref.index], RATE, {}), "audio/flac")
        assert all(connections.ledger.advance([Outcome(ref=ref, station="piper-joe") for ref in refs]))
    assert line.run(1) == 1
    result = client.get(f"/v1/jobs/{name}").get_json()["result"]
    samples, _ = soundfile.read(io.BytesIO(client.get(f"/v1/jobs/{name}/audio").data))
    assert len(samples) / RATE == pytest.approx(0.5 + pauses[1] + 0.5 + 2 * MARGIN, abs=0.011)
    assert result["audio"]["duration"] == pytest.approx(len(samples) / RATE, abs=1e-4)
    starts = {chapter["title"]: chapter["start"] for chapter in result["chapters"]}
    assert starts["Silence"] == starts["Sound"] == 0
    heard = np.flatnonzero(np.abs(samples) > 0.01)
    gap = int(heard[np.diff(heard).argmax() + 1]) / RATE  # where the last chapter begins to sound
    assert starts["More"] == pytest.approx(gap, abs=0.005)
    times = client.get(f"/v1/jobs/{name}/timestamps").get_json()["utterances"]
    first, second, third = ((one["start"], one["end"]) for one in times)
    assert first == (0, 0) and second[0] == 0 and third[0] == pytest.approx(starts["More"], abs=1e-3)
    assert second[1] == pytest.approx(third[0] - pauses[1], abs=1e-3)
    assert third[1] == pytest.approx(len(samples) / RATE, abs=1e-3)  # the silence behind it is gone


REFUSED = [
    ({"format": "mp3", "encoding": "pcm_s16"}, "unsupported_encoding", "output.encoding"),
    ({"format": "flac", "encoding": "float"}, "unsupported_encoding", "output.encoding"),
    ({"format": "flac", "encoding": "mulaw"}, "unsupported_encoding", "output.encoding"),
    ({"encoding": "alaw"}, "invalid_value", "output.encoding"),
    ({"bit_rate": 64_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "flac", "bit_rate": 64_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "pcm", "bit_rate": 64_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 100_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 320_000, "sample_rate": 24_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 8_000, "sample_rate": 48_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 80_000, "sample_rate": 12_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "opus", "bit_rate": 300_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "m4a", "bit_rate": 8_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "m4a", "bit_rate": 64_000, "sample_rate": 8_000}, "unsupported_bit_rate", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 0}, "invalid_value", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": -64_000}, "invalid_value", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": "64000"}, "invalid_value", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": 64_000.5}, "invalid_value", "output.bit_rate"),
    ({"format": "mp3", "bit_rate": True}, "invalid_value", "output.bit_rate"),
    ({"trim": 1}, "invalid_value", "output.trim"),
    ({"trim": None}, "invalid_value", "output.trim"),
    ({"tags": {"title": ""}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": "a" * 501}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": "a\nb"}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": "a\x00b"}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": "a\x85b"}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": 7}}, "invalid_value", "output.tags.title"),
    ({"tags": {"title": ["a"]}}, "invalid_value", "output.tags.title"),
    ({"tags": {"lyrics": "la"}}, "unknown_field", "output.tags.lyrics"),
    ({"tags": {"date": "yesterday"}}, "invalid_value", "output.tags.date"),
    ({"tags": {"date": "2026-13-01"}}, "invalid_value", "output.tags.date"),
    ({"tags": {"date": "2026\n"}}, "invalid_value", "output.tags.date"),
    ({"tags": {"date": "٢٠٢٦"}}, "invalid_value", "output.tags.date"),
    ({"tags": {"track": "0"}}, "invalid_value", "output.tags.track"),
    ({"tags": {"track": "3/"}}, "invalid_value", "output.tags.track"),
    ({"tags": {"track": "70000"}}, "invalid_value", "output.tags.track"),
    ({"tags": {"composer": "Joe"}}, "unsupported_tag", "output.tags.composer"),
    ({"format": "pcm", "tags": {"title": "Joe"}}, "unsupported_tag", "output.tags.title"),
    ({"tags": None}, "invalid_value", "output.tags"),
    ({"tags": []}, "invalid_value", "output.tags"),
]


def test_what_no_file_can_have_is_refused_at_once(client: FlaskClient) -> None:
    for output, code, field in REFUSED:
        answer = client.post("/v1/jobs", json=job(output=output))
        shown = answer.get_json()
        assert (answer.status_code, shown["code"]) == (422, code), (output, shown)
        assert [one["field"] for one in shown["errors"]] == [field], output


def test_a_large_file_is_uploaded_in_parts_in_little_memory(connections: Connections, tmp_path: Path) -> None:
    path, size = tmp_path / "large", 100 * 2**20
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(size - 3)
        file.write(b"end")
    objects = connections.objects
    objects.put_file("ann/warm", Path(__file__), "text/plain")
    tracemalloc.start()
    objects.put_file("ann/large", path, "audio/wav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    info = objects.head("ann/large")
    assert info is not None and info.size == size
    assert info.etag.strip('"').endswith(f"-{-(-size // (8 * 2**20))}")  # how many parts there were
    assert peak < 32 * 2**20
    assert objects.stream("ann/large", f"bytes={size - 3}-").body.read() == b"end"
    objects.delete("ann/large", "ann/warm")
