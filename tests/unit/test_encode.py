"""`audio.encode`: what comes out of the file is what went in."""

from __future__ import annotations

import hashlib
import math
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audio.decode import decode, probe
from audio.encode import Encoded, Encoder
from audio.formats import CONTENT_TYPES, RATES, check_rate, output_rate
from core.errors import InternalError, InvalidRequest, ModelFailed
from core.names import AudioFormat
from tests.shared_data import data_path

LOSSY = [AudioFormat.MP3, AudioFormat.OPUS, AudioFormat.M4A]
LOSSLESS = [AudioFormat.WAV, AudioFormat.FLAC]


def tone(count: int, rate: int, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(count) / rate)).astype(np.float32)


def encode(
    path: Path, samples: np.ndarray, format: AudioFormat, source: int, rate: int | None = None, chunk: int = 1000
) -> Encoded:
    with Encoder(path, format, source, rate) as encoder:
        for at in range(0, len(samples), chunk):
            encoder.write(samples[at : at + chunk])
        return encoder.close()


def level(samples: np.ndarray, rate: int, frequency: float) -> float:
    """Amplitude of one frequency in the middle of ``samples``."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(np.float64)
    wave = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    return float(2 * abs((middle * wave).mean()))


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("count", [1, 999, 70_001])
def test_lossless_gives_every_sample_back(tmp_path: Path, format: AudioFormat, count: int) -> None:
    path = tmp_path / "a"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, count).astype(np.float32)
    done = encode(path, samples, format, 22_050)
    back, rate = soundfile.read(path, dtype="float32")
    assert (rate, len(back)) == (22_050, count)
    assert np.abs(back - samples).max() <= 1 / 32768
    assert soundfile.info(path).subtype == "PCM_16"
    data = path.read_bytes()
    assert done == Encoded(len(data), count / 22_050, 22_050, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_000, 44_100, 48_000])
@pytest.mark.parametrize("chunk", [700, 200_000])
def test_resampling_keeps_the_duration_to_one_sample(
    tmp_path: Path, format: AudioFormat, rate: int, chunk: int
) -> None:
    path, count = tmp_path / "a", 100_003
    done = encode(path, tone(count, 22_050), format, 22_050, rate, chunk)
    back, rate_back = soundfile.read(path)
    assert rate_back == done.sample_rate == rate
    assert done.duration == len(back) / rate
    assert abs(len(back) - count * rate / 22_050) <= 1
    assert level(back, rate, 440) == pytest.approx(0.5, abs=0.005)
    assert np.abs(back[1000:-1000]).max() < 0.51


@pytest.mark.parametrize("format", LOSSY)
@pytest.mark.parametrize("source", [16_000, 20_000, 22_050, 24_000, 48_000])
def test_lossy_formats(tmp_path: Path, format: AudioFormat, source: int) -> None:
    path, count = tmp_path / "a", source * 3 + 17
    done = encode(path, tone(count, source), format, source)
    assert done.duration == pytest.approx(count / source, abs=1e-3)
    found = probe(path)
    assert found.sample_rate == done.sample_rate
    assert found.channels == 1
    assert found.duration == pytest.approx(done.duration, abs=0.1)
    back = decode(path, source, max_seconds=10)
    assert len(back) / source == pytest.approx(count / source, abs=0.1)
    assert level(back, source, 440) == pytest.approx(0.5, abs=0.02)
    assert done.bytes < 2 * count


@pytest.mark.parametrize("format", LOSSY)
def test_speech_in_lossy_formats_stays_close(tmp_path: Path, format: AudioFormat) -> None:
    path = tmp_path / "a"
    samples, rate = soundfile.read(data_path("speakers/lj_linda/LJ001-0001.flac"), dtype="float32")
    done = encode(path, samples, format, rate)
    assert 50_000 < 8 * done.bytes / done.duration < 100_000
    back = decode(path, rate, max_seconds=60)[: len(samples)]  # no delay in front: it begins at once
    noise = ((back - samples) ** 2).sum()
    assert 10 * math.log10((samples**2).sum() / noise) > 20


@pytest.mark.parametrize("format", LOSSY)
def test_every_rate_of_a_format(tmp_path: Path, format: AudioFormat) -> None:
    for rate in RATES[format]:
        path = tmp_path / f"{rate}"
        done = encode(path, tone(22_050, 22_050), format, 22_050, rate)
        assert done.sample_rate == (48_000 if format is AudioFormat.OPUS else rate)
        back = decode(path, 22_050, max_seconds=10)
        assert len(back) / 22_050 == pytest.approx(1, abs=0.2 if rate < 16_000 else 0.1)
        assert level(back, 22_050, 440) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("format", list(AudioFormat))
def test_a_single_sample_makes_a_file(tmp_path: Path, format: AudioFormat) -> None:
    path = tmp_path / "a"
    assert encode(path, np.ones(1, np.float32), format, 48_000).duration == 1 / 48_000
    if format in LOSSLESS:
        assert len(decode(path, 48_000, max_seconds=1)) == 1


@pytest.mark.parametrize("format", LOSSY)
def test_a_short_file_is_heard(tmp_path: Path, format: AudioFormat) -> None:
    path = tmp_path / "a"
    encode(path, tone(1200, 24_000), format, 24_000)
    samples = decode(path, 24_000, max_seconds=1)
    assert 1200 <= len(samples) <= 1200 + 2400
    assert np.abs(samples).max() > 0.3


def test_containers_and_types(tmp_path: Path) -> None:
    assert set(CONTENT_TYPES) == set(AudioFormat)
    expected = {"wav": "wav", "flac": "flac", "mp3": "mp3float", "opus": "opus", "m4a": "aac", "m4b": "aac"}
    for format in set(AudioFormat) - {AudioFormat.PCM}:  # in which nothing says what it is
        encode(tmp_path / f"a.{format.value}", tone(30_000, 24_000), format, 24_000)
        codec = probe(tmp_path / f"a.{format.value}").codec
        assert codec in (expected[format.value], "pcm_s16le", "libopus")
    data = (tmp_path / "a.m4a").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # players may begin before the end has come
    with av.open(tmp_path / "a.mp3") as file:
        assert file.duration is not None
        assert file.duration / 1e6 == pytest.approx(30_000 / 24_000, abs=0.1)


@pytest.mark.parametrize("format", LOSSLESS)
def test_peaks_beyond_full_scale_are_limited_and_nothing_else_is(tmp_path: Path, format: AudioFormat) -> None:
    path, rate = tmp_path / "a", 24_000
    samples = tone(4 * rate, rate)
    samples[rate : rate + 200] *= 4
    encode(path, samples, format, rate)
    back = soundfile.read(path, dtype="float32")[0]
    assert len(back) == len(samples)
    assert 0.9 < np.abs(back).max() <= 1
    assert (np.abs(back) > 0.999).sum() < 20  # clipped, there would be more than a hundred
    for kept in (slice(0, rate - 300), slice(2 * rate, None)):
        assert np.abs(back[kept] - samples[kept]).max() <= 1 / 32768


def test_a_recording_stays_as_it_is_up_to_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with Encoder(path, AudioFormat.FLAC, 8_000, limit=False) as encoder:
        encoder.write(np.array([2.0, -2.0, 1.0, -1.0, 0.5, 0.0], np.float32))
        encoder.close()
    assert soundfile.read(path, dtype="int16")[0].tolist() == [32767, -32768, 32767, -32768, 16384, 0]


@pytest.mark.parametrize(
    ("format", "rate"),
    [("wav", 7_999), ("flac", 48_001), ("mp3", 22_000), ("opus", 22_050), ("opus", 44_100), ("m4a", 0), ("wav", -1)],
)
def test_rates_that_a_format_cannot_have(tmp_path: Path, format: str, rate: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_rate(AudioFormat(format), rate)
    assert caught.value.code == "unsupported_sample_rate"
    assert "8000" in caught.value.message
    assert caught.value.fields[0].field == "output.sample_rate"
    with pytest.raises(InvalidRequest):
        Encoder(tmp_path / "a", AudioFormat(format), 22_050, rate)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("format", "source", "asked", "rate"),
    [
        ("wav", 22_050, None, 22_050),
        ("wav", 96_000, None, 48_000),
        ("mp3", 20_000, None, 22_050),
        ("mp3", 96_000, None, 48_000),
        ("opus", 22_050, None, 48_000),
        ("opus", 22_050, 16_000, 16_000),
    ],
)
def test_the_rate_that_is_encoded(format: str, source: int, asked: int | None, rate: int) -> None:
    assert output_rate(AudioFormat(format), source, asked) == rate


def test_what_cannot_be_encoded_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for format in AudioFormat:
        with pytest.raises(ModelFailed) as caught, Encoder(path, format, 24_000) as encoder:
            encoder.close()
        assert caught.value.code == "no_audio"
        assert not path.exists()
        with pytest.raises(ModelFailed), Encoder(path, format, 24_000) as encoder:
            encoder.write(tone(5000, 24_000))
            encoder.write(np.full(5, np.nan, np.float32))
        assert not path.exists()
        with pytest.raises(InternalError):
            Encoder(tmp_path / "missing" / "a", format, 24_000)


def test_memory_is_constant(tmp_path: Path) -> None:
    second = tone(24_000, 24_000)
    tracemalloc.start()
    with Encoder(tmp_path / "a", AudioFormat.FLAC, 24_000, 16_000) as encoder:
        for _ in range(120):
            encoder.write(second)
        assert math.isclose(encoder.close().duration, 120)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6  # the whole would be 11.5 MB
