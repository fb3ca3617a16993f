"""`audio.streaming`: what has been given can be heard, and the whole is what went in."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.decode import decode
from audio.encode import Encoder
from audio.sinks.pcm import to_pcm16
from audio.streaming import StreamEncoder, StreamFormat, content_type
from core.errors import InvalidRequest, ModelFailed
from core.names import AudioFormat
from tests.shared_data import data_path

LOSSY = [StreamFormat.MP3, StreamFormat.OPUS, StreamFormat.AAC]


def tone(count: int, rate: int, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(count) / rate)).astype(np.float32)


def pieces(
    samples: np.ndarray, format: StreamFormat, source: int, rate: int | None = None, chunk: int = 5000
) -> list[bytes]:
    """Header, one piece for each chunk, and the end."""
    with StreamEncoder(format, source, rate) as encoder:
        given = [encoder.header()]
        given += [encoder.write(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
        return [*given, encoder.close()]


@pytest.mark.parametrize("rate", [None, 8_000, 16_000, 44_100, 48_000])
def test_wav_and_pcm_hold_what_the_file_holds(tmp_path: Path, rate: int | None) -> None:
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, 70_001).astype(np.float32)
    path = tmp_path / "a.wav"
    with Encoder(path, AudioFormat.WAV, 22_050, rate) as encoder:
        encoder.write(samples)
        encoder.close()
    expected, file_rate = soundfile.read(path, dtype="int16")
    header, *rest = pieces(samples, StreamFormat.WAV, 22_050, rate)
    back, stream_rate = soundfile.read(io.BytesIO(header + b"".join(rest)), dtype="int16")
    assert stream_rate == file_rate == (rate or 22_050)
    # The resampler rounds differently where chunks begin elsewhere.
    assert len(back) == len(expected)
    assert np.abs(back.astype(int) - expected).max() <= (1 if rate else 0)
    raw = b"".join(pieces(samples, StreamFormat.PCM, 22_050, rate))
    assert raw == b"".join(rest)
    assert content_type(StreamFormat.PCM, file_rate) == f"audio/pcm; rate={file_rate}; channels=1; bits=16"


@pytest.mark.parametrize("source", [8_000, 22_050, 48_000])
def test_flac_holds_what_wav_holds(source: int) -> None:
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, 70_001).astype(np.float32)
    stream = b"".join(pieces(samples, StreamFormat.FLAC, source))
    back = to_pcm16(decode(stream, source, max_seconds=60))
    expected = np.frombuffer(b"".join(pieces(samples, StreamFormat.PCM, source)), "<i2")
    assert np.array_equal(back, expected)


def test_aac_is_adts() -> None:
    stream = b"".join(pieces(tone(48_000, 24_000), StreamFormat.AAC, 24_000))
    at, frames = 0, 0
    while at < len(stream):  # ISO/IEC 13818-7, 6.2: the syncword, and the length of each frame
        assert stream[at] == 0xFF and stream[at + 1] & 0xF6 == 0xF0
        at += ((stream[at + 3] & 3) << 11) | (stream[at + 4] << 3) | (stream[at + 5] >> 5)
        frames += 1
    assert at == len(stream) and frames >= 48_000 // 1024
    assert content_type(StreamFormat.AAC, 24_000) == "audio/aac"


def test_a_wav_of_unknown_length_says_so() -> None:
    header = pieces(tone(10, 8_000), StreamFormat.WAV, 8_000)[0]
    assert len(header) == 44
    assert header[:4] == b"RIFF" and header[8:16] == b"WAVEfmt "
    assert header[4:8] == header[40:44] == b"\xff" * 4
    assert header[36:40] == b"data"


@pytest.mark.parametrize("format", LOSSY)
@pytest.mark.parametrize("source", [16_000, 22_050, 24_000, 48_000])
def test_lossy_streams_have_the_length_of_what_went_in(format: StreamFormat, source: int) -> None:
    samples = tone(3 * source + 17, source)
    back = decode(b"".join(pieces(samples, format, source)), source, max_seconds=10)
    assert len(back) / source == pytest.approx(len(samples) / source, abs=0.15)
    middle = back[source : 2 * source].astype(np.float64)
    wave = np.exp(-2j * np.pi * 440 * np.arange(len(middle)) / source)
    assert 2 * abs((middle * wave).mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("format", list(StreamFormat))
def test_what_was_given_so_far_can_be_heard(format: StreamFormat) -> None:
    """An utterance goes in, and all but a few hundredths of a second come out at once."""
    rate = 22_050
    utterance, rate = soundfile.read(data_path("speakers/lj_linda/LJ001-0001.flac"), dtype="float32")
    with StreamEncoder(format, rate) as encoder:
        given = encoder.header() + encoder.write(utterance)
        heard = _heard(given, format, rate)
        assert 0 <= len(utterance) / rate - heard <= 0.12
        # The pause behind it brings the rest.
        given += encoder.write(np.zeros(round(0.3 * rate), np.float32))
        assert _heard(given, format, rate) >= len(utterance) / rate


def _heard(data: bytes, format: StreamFormat, rate: int) -> float:
    if format is StreamFormat.PCM:
        return len(data) / 2 / rate
    return len(decode(data, rate, max_seconds=60)) / rate


@pytest.mark.parametrize("format", list(StreamFormat))
def test_nothing_written_is_an_empty_stream(format: StreamFormat) -> None:
    with StreamEncoder(format, 24_000) as encoder:
        header = encoder.header()
        assert encoder.close() == b"" or format in LOSSY
    assert bool(header) == (format in (StreamFormat.WAV, StreamFormat.OPUS, StreamFormat.FLAC))


@pytest.mark.parametrize("format", list(StreamFormat))
def test_a_long_stream_takes_no_more_memory(format: StreamFormat) -> None:
    chunk = tone(22_050, 22_050)
    with StreamEncoder(format, 22_050) as encoder:
        encoder.write(chunk)
        tracemalloc.start()
        for _ in range(60):
            encoder.write(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        encoder.close()
    assert peak < 2_000_000


@pytest.mark.parametrize("format", list(StreamFormat))
def test_samples_that_are_not_finite_are_refused(format: StreamFormat) -> None:
    with StreamEncoder(format, 24_000) as encoder, pytest.raises(ModelFailed):
        encoder.write(np.array([0.1, np.nan], np.float32))


def test_rates_are_those_of_the_files() -> None:
    with pytest.raises(InvalidRequest) as found:
        StreamEncoder(StreamFormat.OPUS, 22_050, 22_050)
    assert found.value.code == "unsupported_sample_rate"
    assert StreamEncoder(StreamFormat.OPUS, 22_050).rate == 48_000
    assert StreamEncoder(StreamFormat.PCM, 22_050).rate == 22_050
