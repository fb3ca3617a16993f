"""`audio.decode`: recordings that are small as files and large as sound, and channels that cancel each other out."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from audio import decode as decoding
from audio.decode import check_samples, decode, probe, stream
from core.errors import InvalidAudio
from tests.shared_data import data_path
from tests.silent_flac import silence

RATE = 16_000
FOUR_HOURS = 4 * 3600.0


@pytest.mark.parametrize(
    ("rate", "channels", "block", "frames", "code"),
    [
        (655_350, 8, 65_535, 8_000, "sample_rate_too_high"),  # 13 minutes, as they come
        (384_000, 8, 65_535, 4_000, "too_many_samples"),  # two milliards of samples in 140 kB
        (192_000, 8, 65_535, 4_000, "too_many_samples"),
    ],
)
def test_hours_of_silence_in_a_small_file_are_refused_at_once(
    rate: int, channels: int, block: int, frames: int, code: str
) -> None:
    data = silence(rate, channels, block, frames)
    assert len(data) < 400_000
    started = time.thread_time()
    with pytest.raises(InvalidAudio) as caught:
        probe(data)
    assert caught.value.code == code
    assert time.thread_time() - started < 1


def test_four_hours_of_48_khz_in_stereo_are_taken() -> None:
    check_samples(FOUR_HOURS * 48_000 * 2)
    with pytest.raises(InvalidAudio) as caught:
        check_samples(FOUR_HOURS * 48_000 * 2 + 1)
    assert caught.value.code == "too_many_samples"
    found = probe(silence(48_000, 2, 65_535, int(FOUR_HOURS * 48_000 / 65_535)))
    assert FOUR_HOURS - 3 < found.duration < FOUR_HOURS
    assert (found.sample_rate, found.channels) == (48_000, 2)


def test_samples_are_counted_whatever_the_header_says(monkeypatch: pytest.MonkeyPatch) -> None:
    data = silence(48_000, 2, 4_096, 100)
    monkeypatch.setattr(decoding, "MOST_SAMPLES", 48_000 * 2)
    given = 0
    with pytest.raises(InvalidAudio) as caught:
        for chunk in stream(data, RATE, max_seconds=FOUR_HOURS):
            given += len(chunk)
    assert caught.value.code == "too_many_samples"
    assert given <= RATE


def test_many_tiny_frames_are_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of 16 samples: each costs as much as one of 4096."""
    data = silence(48_000, 2, 16, 30_000)
    monkeypatch.setattr(decoding, "CPU_LEAST", 0.3)
    began = time.thread_time()
    with pytest.raises(InvalidAudio) as caught:
        decode(data, RATE, max_seconds=FOUR_HOURS)
    assert caught.value.code == "decoding_too_slow"
    assert time.thread_time() - began < 1.5


def test_what_the_reader_does_with_the_samples_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = silence(48_000, 1, 4_096, 100)
    monkeypatch.setattr(decoding, "CPU_LEAST", 0.5)
    for _ in stream(data, RATE, max_seconds=60):
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass


def voice(seconds: float = 5.0) -> np.ndarray:
    """Something whose level goes up and down."""
    at = np.arange(round(seconds * RATE)) / RATE
    found: np.ndarray = 0.3 * np.sin(2 * np.pi * 180 * at) * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * at))
    return found


def mixed(*channels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack(channels, 1), RATE, format="WAV", subtype="FLOAT")
    return decode(buffer.getvalue(), RATE, max_seconds=60)


def test_of_channels_that_cancel_the_stronger_one_is_heard() -> None:
    sound = voice()
    np.testing.assert_allclose(mixed(sound, -sound), sound, atol=1e-6)
    np.testing.assert_allclose(mixed(-0.9 * sound, sound), sound, atol=1e-6)
    late = np.concatenate([np.zeros(5 * RATE), sound])
    np.testing.assert_allclose(mixed(late, -late), late, atol=1e-6)


def stereo() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    sound, (noise, other) = voice(), 0.1 * generator.standard_normal((2, 5 * RATE))
    yield sound, sound
    yield sound, np.zeros_like(sound)
    yield noise, other
    yield sound + 0.3 * noise, sound - 0.3 * noise  # a voice in the middle, a room around it
    yield 0.4 * sound + noise, 0.4 * sound - noise  # a wide one


def test_ordinary_stereo_is_its_mean_bit_for_bit() -> None:
    for left, right in stereo():
        expected = np.stack([left, right]).astype(np.float32).mean(axis=0)
        np.testing.assert_array_equal(mixed(left, right), expected)


def test_the_passage_between_mean_and_one_channel_does_not_click() -> None:
    sound = voice(9.0)
    turned = sound.copy()
    turned[3 * RATE : 6 * RATE] *= -1
    heard = mixed(sound, turned)
    assert len(heard) == len(sound)
    level = np.sqrt(np.square(heard).reshape(-1, RATE).mean(axis=1) / np.square(sound).reshape(-1, RATE).mean(axis=1))
    assert (level > 0.5).sum() >= 8  # at most one second is lost, and only on the way there
    assert np.abs(np.diff(heard)).max() < 1.5 * np.abs(np.diff(sound)).max()


def index_of(samples: int) -> bytes:
    """An MP4 whose index states so many samples (ISO/IEC 14496-12, 8.6 and 8.7)."""
    data = bytearray(data_path("formats/p001.mp4").read_bytes())
    for name, at, numbers in (
        ("stsz", 8, (1, samples)),
        ("stsc", 8, (1, 1, samples, 1)),
        ("stts", 8, (1, samples, 1024)),
    ):
        begin = data.index(name.encode()) + at
        data[begin : begin + 4 * len(numbers)] = struct.pack(f">{len(numbers)}I", *numbers)
    return bytes(data)


MEASURE = r"""
import re, sys
from audio.decode import probe
from core.errors import InvalidAudio
try:
    probe(sys.stdin.buffer.read())
except InvalidAudio as error:
    # ru_maxrss would tell of the process that started this one as well.
    print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


def test_an_mp4_whose_index_states_gigabytes_takes_no_memory() -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE], input=index_of(30_000_000), capture_output=True, check=True)
    assert int(run.stdout) < 300_000  # kB; it was above 700 000


def test_a_real_index_of_four_hours_fits() -> None:
    assert FOUR_HOURS * 96_000 / 1024 * 24 < decoding.LARGEST_PIECE
