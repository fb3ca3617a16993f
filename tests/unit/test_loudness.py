"""`audio.loudness` against the pyloudnorm package and the signals of EBU Tech 3341."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from audio.loudness import Meter
from core.errors import InternalError
from tests.shared_data import data_path

RECORDINGS = [
    "speakers/lj_linda/LJ001-0001.flac",
    "speakers/ls_19/19-227-0063.flac",
    "speakers/ls_2414/2414-128291-0009.flac",
    "speakers/vctk_p225/p225_020.wav",
    "vad/ami_dev00.wav",
]


def measure(samples: np.ndarray, rate: int, chunk: int) -> Meter:
    meter = Meter(rate)
    for at in range(0, len(samples), chunk):
        meter.add(samples[at : at + chunk])
    return meter


def sine(level: float, seconds: float, rate: int, frequency: float = 1000.0, phase: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (10 ** (level / 20) * np.sin(2 * np.pi * frequency * time + phase)).astype(np.float32)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_measure_as_in_pyloudnorm(name: str) -> None:
    import pyloudnorm

    samples, rate = soundfile.read(data_path(name), dtype="float32")
    # "DeMan" are the coefficients that the standard prints; pyloudnorm's default approximates them
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples.astype(np.float64))
    assert measure(samples, rate, 4096).integrated() == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("chunk", [1, 777, 4410, 100_000])
def test_any_chunking_is_the_same(chunk: int) -> None:
    samples, rate = soundfile.read(data_path(RECORDINGS[2]), dtype="float32")
    samples = samples[:20_000]
    whole, parts = measure(samples, rate, len(samples)), measure(samples, rate, chunk)
    assert parts.integrated() == pytest.approx(whole.integrated(), abs=0.002)
    assert parts.true_peak() == pytest.approx(whole.true_peak(), abs=0.02)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("level", [-23.0, -40.0])
def test_a_sine(rate: int, level: float) -> None:
    # Tech 3341, case 1, in one channel: 3.01 LU below the stereo signal
    meter = measure(sine(level, 5, rate), rate, 1000)
    assert meter.integrated() == pytest.approx(level - 3.01, abs=0.3 if rate < 16_000 else 0.1)


def test_the_gates() -> None:
    # Tech 3341, case 3: the quiet parts do not count
    rate = 48_000
    samples = np.concatenate([sine(-36, 5, rate), sine(-20, 30, rate), sine(-36, 5, rate)])
    assert measure(samples, rate, rate).integrated() == pytest.approx(-23.01, abs=0.1)


def test_the_true_peak_is_between_the_samples() -> None:
    rate = 48_000
    samples = sine(-6, 1, rate, frequency=rate / 4, phase=math.pi / 4)
    samples *= np.hanning(len(samples)).astype(np.float32)
    assert 20 * math.log10(float(np.abs(samples).max())) == pytest.approx(-9.01, abs=0.01)
    assert measure(samples, rate, 999).true_peak() == pytest.approx(-6, abs=0.2)


@pytest.mark.parametrize("at", [0, 4_801, 26_459])
def test_a_peak_anywhere_is_seen(at: int) -> None:
    samples = np.zeros(26_460, np.float32)
    samples[at] = 3.0
    assert measure(samples, 22_050, 512).true_peak() >= 20 * math.log10(3.0)


@pytest.mark.parametrize("count", [0, 1, 5_000, 50_000])
def test_silence_has_none(count: int) -> None:
    meter = measure(np.zeros(count, np.float32), 22_050, 1000)
    assert meter.integrated() == -math.inf
    assert meter.true_peak() == -math.inf


def test_less_than_a_block_is_measured() -> None:
    samples = sine(-20, 0.2, 22_050)
    assert measure(samples, 22_050, 300).integrated() == pytest.approx(-23 - 3, abs=0.3)


def test_asking_ends_it() -> None:
    meter = measure(sine(-20, 1, 22_050), 22_050, 300)
    assert meter.integrated() == meter.integrated()
    with pytest.raises(InternalError):
        meter.add(np.ones(10, np.float32))
