"""`audio.sinks.wav` and `audio.sinks.pcm`: the bytes of WAV files, and of their samples."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audio.encode import Encoder
from audio.sinks import wav
from audio.sinks.pcm import WIDTHS, from_bytes, to_bytes
from audio.sinks.wav import WavSink, wav_header
from core.names import AudioFormat, SampleEncoding

RATE = 8_000
CODES = {"pcm_s16": (1, 16), "pcm_s24": (1, 24), "float": (3, 32), "mulaw": (7, 8)}


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF or RF64; a length of all ones is that in ``ds64`` (EBU Tech 3306)."""
    found: dict[bytes, bytes] = {}
    at = 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if size == 0xFFFFFFFF:
            size = struct.unpack_from("<Q", found[b"ds64"], 8)[0]
        found[name] = data[at + 8 : at + 8 + size]
        assert len(found[name]) == size
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def write(path: Path, samples: np.ndarray, encoding: SampleEncoding, tags: dict[str, str] | None = None) -> bytes:
    with Encoder(path, AudioFormat.WAV, RATE, RATE, encoding=encoding, tags=tags) as encoder:
        encoder.write(samples)
        encoder.close()
    return path.read_bytes()


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(-0.5, 0.5, count).astype(np.float32)


def test_sixteen_bits_without_tags_have_the_header_that_everything_reads(tmp_path: Path) -> None:
    data = write(tmp_path / "a", noise(999), SampleEncoding.PCM_S16)
    assert len(data) == 44 + 2 * 999
    assert data[:44] == struct.pack(
        *("<4sI4s4sIHHIIHH4sI", b"RIFF", len(data) - 8, b"WAVE", b"fmt ", 16, 1, 1),
        *(RATE, 2 * RATE, 2, 16, b"data", 2 * 999),
    )


@pytest.mark.parametrize("encoding", list(SampleEncoding))
@pytest.mark.parametrize("count", [1, 2, 10_001])
@pytest.mark.parametrize("tags", [{}, {"title": "Odd", "comment": "even"}, {"title": "ü"}])
@pytest.mark.parametrize("long", [False, True])
def test_every_file_is_well_formed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoding: SampleEncoding,
    count: int,
    tags: dict[str, str],
    long: bool,
) -> None:
    """``long``: as if a RIFF could count to eleven, and nothing more."""
    if long:
        monkeypatch.setattr(wav, "MAX_RIFF", 11)
        monkeypatch.setattr(wav, "_BLOCK", 1_000)
    data = write(tmp_path / "a.wav", noise(count), encoding, tags)
    form, size, kind = struct.unpack_from("<4sI4s", data)
    assert kind == b"WAVE"
    assert (form, size) == ((b"RF64", 0xFFFFFFFF) if long else (b"RIFF", len(data) - 8))
    found = chunks(data)
    if long:
        assert next(iter(found)) == b"ds64"  # before all others
        assert struct.unpack("<QQQI", found[b"ds64"]) == (len(data) - 8, count * WIDTHS[encoding], count, 0)
    code, channels, rate, a_second, block, bits = struct.unpack_from("<HHIIHH", found[b"fmt "])
    assert (code, bits) == CODES[encoding]
    assert (channels, rate, a_second, block) == (1, RATE, RATE * bits // 8, bits // 8)
    assert (b"fact" in found) == (code != 1)
    assert found[b"data"] == to_bytes(noise(count), encoding)
    assert (b"LIST" in found) == bool(tags)
    back, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert np.array_equal(back, from_bytes(found[b"data"], encoding))
    with av.open(str(tmp_path / "a.wav")) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == count
        assert {name: file.metadata.get(name) for name in tags} == tags


@pytest.mark.parametrize("over", [False, True])
def test_four_gigabytes_are_where_rf64_begins(over: bool) -> None:
    most = (
        2**32 - 2 - 36
    ) // 2  # samples of 16 bits behind a header of 44 bytes, of which the first eight do not count
    header = wav_header(RATE, SampleEncoding.PCM_S16, count=most + over)
    assert header[:4] == (b"RF64" if over else b"RIFF")
    assert len(header) == (80 if over else 44)
    if not over:
        assert struct.unpack_from("<I", header, 40)[0] == 2 * most


def test_a_file_above_four_gigabytes_is_read_to_its_end(tmp_path: Path) -> None:
    """A sparse file: a header of a day of audio, and a sound at its end."""
    count, path = 24 * 3600 * 48_000, tmp_path / "a.wav"
    header = wav_header(48_000, SampleEncoding.PCM_S16, count=count)
    sound = to_bytes(noise(1_000), SampleEncoding.PCM_S16)
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + 2 * count - len(sound))
        file.write(sound)
    if path.stat().st_blocks * 512 > 2**20:
        pytest.skip("the file system has no sparse files")
    assert path.stat().st_size > 2**32
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.frames) == ("RF64", count)
        file.seek(count - 1_000)
        assert file.read(dtype="int16").tobytes() == sound
    with av.open(str(path)) as file:
        assert file.duration == 24 * 3600 * 1_000_000


def test_what_is_moved_is_moved_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "MAX_RIFF", 0)
    monkeypatch.setattr(wav, "_BLOCK", 7)
    sink = WavSink(tmp_path / "a", RATE, SampleEncoding.PCM_S24, {})
    for at in range(0, 500, 50):
        sink.write(noise(500)[at : at + 50])
    sink.close()
    assert chunks((tmp_path / "a").read_bytes())[b"data"] == to_bytes(noise(500), SampleEncoding.PCM_S24)


def test_an_open_end_says_so() -> None:
    header = wav_header(RATE, SampleEncoding.PCM_S16)
    assert len(header) == 44 and header[4:8] == header[40:44] == b"\xff" * 4


@pytest.mark.parametrize(("encoding", "subtype"), [("mulaw", "ULAW"), ("pcm_s24", "PCM_24"), ("pcm_s16", "PCM_16")])
def test_samples_are_encoded_as_libsndfile_does(encoding: str, subtype: str) -> None:
    """Every value of 16 bits."""
    every = np.arange(-32768, 32768)
    target = io.BytesIO()
    soundfile.write(target, every.astype(np.int16), RATE, subtype, format="RAW")
    ours = to_bytes((every / 32768).astype(np.float32), SampleEncoding(encoding))
    theirs = np.frombuffer(target.getvalue(), np.uint8)
    assert np.array_equal(np.frombuffer(ours, np.uint8), theirs)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50), st.sampled_from(list(SampleEncoding)))
def test_encoded_samples_come_back(values: list[float], encoding: SampleEncoding) -> None:
    samples = np.array(values, np.float32)
    data = to_bytes(samples, encoding)
    assert len(data) == len(samples) * WIDTHS[encoding]
    back = from_bytes(data, encoding)
    assert back.dtype == np.float32
    error = {"pcm_s16": 2.0**-15, "pcm_s24": 2.0**-23, "float": 0.0}.get(encoding)
    # μ-law has sixteen steps in each octave, so that an error is a 32nd of the sample at most
    assert (np.abs(back - samples) <= (np.abs(samples) / 32 + 2.0**-11 if error is None else error)).all()
    assert np.array_equal(from_bytes(to_bytes(back, encoding), encoding), back)
