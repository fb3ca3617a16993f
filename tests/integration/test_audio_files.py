"""Every kind of audio file, decoded back: real speech at a level beyond full scale, read as players read it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import soxr

from audio.encode import Encoded, Encoder
from audio.formats import RATES, TAG_NAMES, TAGS, bit_rates
from audio.loudness import Meter
from audio.sinks.pcm import read_pcm
from core.names import AudioFormat, SampleEncoding
from tests.shared_data import data_path

TEXTS = {
    "title": "Ein Hörbuch, 第一章 ☃",
    "artist": "Ann O'Nym",
    "album": "Audio out",
    "album_artist": "Various",
    "composer": "Joe",
    "genre": "Audiobook",
    "date": "2026-05-07",
    "track": "3/12",
    "comment": "A comment; with = and \\ and emoji 🎧",
    "copyright": "© 2026",
}


@dataclass(frozen=True)
class Kind:
    """One kind of file: what it is asked for, what it should say of itself, and how close it stays to its source."""

    format: str
    codec: str
    correlation: float
    rate: int | None = None  #: asked for
    heard: int | None = None  #: of the file, None for the source's
    encoding: str | None = None
    bit_rate: int | None = None

    def __str__(self) -> str:
        return "-".join(str(x) for x in (self.format, self.encoding, self.rate, self.bit_rate) if x)


KINDS = [
    Kind("wav", "pcm_s16le", 0.9999999),
    Kind("wav", "pcm_s24le", 0.9999999, encoding="pcm_s24"),
    Kind("wav", "pcm_f32le", 0.9999999, encoding="float"),
    Kind("wav", "pcm_mulaw", 0.999, heard=8_000, encoding="mulaw"),
    Kind("wav", "pcm_s16le", 0.99999, rate=44_100, heard=44_100),
    Kind("flac", "flac", 0.9999999),
    Kind("flac", "flac", 0.9999999, encoding="pcm_s24"),
    Kind("mp3", "mp3float", 0.99),
    Kind("mp3", "mp3float", 0.98, bit_rate=48_000),
    Kind("mp3", "mp3float", 0.999, bit_rate=160_000),
    Kind("mp3", "mp3float", 0.99, bit_rate=192_000, heard=32_000),
    Kind("mp3", "mp3float", 0.99, rate=44_100, heard=44_100, bit_rate=320_000),
    Kind("mp3", "mp3float", 0.98, rate=8_000, heard=8_000, bit_rate=24_000),
    Kind("opus", "opus", 0.99, heard=48_000),
    Kind("opus", "opus", 0.98, heard=48_000, bit_rate=32_000),
    Kind("opus", "opus", 0.99, rate=16_000, heard=48_000, bit_rate=48_000),
    Kind("m4a", "aac", 0.99),
    Kind("m4a", "aac", 0.98, bit_rate=40_000),
    Kind("m4a", "aac", 0.98, rate=16_000, heard=16_000, bit_rate=32_000),
    Kind("m4b", "aac", 0.99),
    Kind("pcm", "", 0.9999999),
    Kind("pcm", "", 0.9999999, encoding="pcm_s24"),
    Kind("pcm", "", 0.9999999, encoding="float"),
    Kind("pcm", "", 0.999, heard=8_000, encoding="mulaw"),
]


@pytest.fixture(scope="module")
def speech() -> tuple[np.ndarray, int]:
    """Ten seconds of a voice."""
    samples, rate = soundfile.read(data_path("speakers/lj_linda/LJ001-0001.flac"), dtype="float32")
    return samples, rate


def encode(path: Path, samples: np.ndarray, rate: int, kind: Kind, tags: Mapping[str, str] | None = None) -> Encoded:
    with Encoder(
        path,
        AudioFormat(kind.format),
        rate,
        kind.rate,
        encoding=kind.encoding and SampleEncoding(kind.encoding),
        bit_rate=kind.bit_rate,
        tags=tags,
    ) as encoder:
        for at in range(0, len(samples), 10_000):
            encoder.write(samples[at : at + 10_000])
        return encoder.close()


def decoded(path: Path, kind: Kind, done: Encoded) -> np.ndarray:
    """The samples as a player plays them: of MPEG-4's last frame only what its table of times says."""
    if kind.format == "pcm":
        return np.concatenate(list(read_pcm(path, SampleEncoding(kind.encoding or "pcm_s16"))))
    values = []
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            data = frame.to_ndarray().reshape(-1)
            scale = 1.0 if data.dtype.kind == "f" else 2.0 ** (8 * data.dtype.itemsize - 1)
            count = round(frame.duration * frame.time_base * frame.sample_rate) if kind.codec == "aac" else None
            values.append(data[:count].astype(np.float64) / scale)
    return np.concatenate(values)


def at_rate(samples: np.ndarray, rate: int, other: int) -> np.ndarray:
    return samples if rate == other else soxr.resample(samples, rate, other, quality="VHQ")


def loudness(samples: np.ndarray, rate: int) -> float:
    meter = Meter(rate)
    meter.add(samples.astype(np.float32))
    return meter.integrated()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_comes_back_is_what_went_in(tmp_path: Path, speech: tuple[np.ndarray, int], kind: Kind) -> None:
    samples, rate = speech
    path = tmp_path / f"a.{kind.format}"
    done = encode(path, 0.8 * samples, rate, kind)
    heard = kind.heard or rate
    assert done.sample_rate == heard
    back = decoded(path, kind, done)
    assert done.duration == pytest.approx(len(samples) / rate, abs=1e-4)
    assert len(back) / heard == pytest.approx(len(samples) / rate, abs=0.02)
    band = min(rate, kind.rate or heard)  # what the file can hold of the source
    source = at_rate(at_rate(0.8 * samples, rate, band), band, heard)
    count = min(len(back), len(source))
    assert np.corrcoef(back[:count], source[:count])[0, 1] > kind.correlation
    assert loudness(back, heard) == pytest.approx(loudness(source, heard), abs=0.5)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_sample_comes_back_above_full_scale(tmp_path: Path, speech: tuple[np.ndarray, int], kind: Kind) -> None:
    """The loudest parts would reach 1.7."""
    samples, rate = speech
    loud = 2 * samples
    assert np.abs(loud).max() > 1.5
    path = tmp_path / "a"
    back = decoded(path, kind, encode(path, loud, rate, kind))
    heard = kind.heard or rate
    assert 0.8 < np.abs(back).max() <= 1.0
    assert len(back) / heard == pytest.approx(len(samples) / rate, abs=0.02)
    full = np.abs(back) > 0.9999
    assert not (full[1:] & full[:-1]).any()  # peaks are limited: clipped ones would be flat


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.format != "pcm"], ids=str)
def test_players_find_what_the_header_should_say(tmp_path: Path, speech: tuple[np.ndarray, int], kind: Kind) -> None:
    samples, rate = speech
    path = tmp_path / f"a.{kind.format}"
    tags = {name: TEXTS[name] for name in TAG_NAMES if name in TAGS.get(AudioFormat(kind.format), TAG_NAMES)}
    assert len(tags) >= 8
    encode(path, samples, rate, kind, tags)
    with av.open(str(path)) as file:
        (stream,) = file.streams
        assert stream.codec_context.name == kind.codec
        assert stream.rate == (kind.heard or rate)
        assert stream.channels == 1
        assert file.duration is not None
        assert file.duration / 1e6 == pytest.approx(len(samples) / rate, abs=0.02)
        found = {key.lower(): value for key, value in {**file.metadata, **stream.metadata}.items()}
        assert {name: found.get(name) for name in tags} == tags
        if kind.bit_rate and kind.format != "opus":
            assert file.bit_rate == pytest.approx(kind.bit_rate, rel=0.12)


@pytest.mark.parametrize("format", [AudioFormat.MP3, AudioFormat.M4A, AudioFormat.OPUS])
def test_every_bit_rate_of_every_sample_rate_is_what_it_says(
    tmp_path: Path, speech: tuple[np.ndarray, int], format: AudioFormat
) -> None:
    samples, source = speech[0][: speech[1]], speech[1]
    for rate in RATES[format]:
        rates = bit_rates(format, rate)
        for bit_rate in (rates[0], rates[len(rates) // 2], rates[-1]) if isinstance(rates, range) else rates:
            path = tmp_path / "a"
            done = encode(path, samples, source, Kind(format, "", 0, rate=rate, bit_rate=bit_rate))
            with av.open(str(path)) as file:
                stream = file.streams.audio[0]
                assert stream.rate == done.sample_rate
                if format is AudioFormat.MP3:
                    assert stream.codec_context.bit_rate == bit_rate
                back = np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])
            assert np.abs(back).max() <= 1 and np.abs(back).max() > 0.3
            assert done.bytes < 1.3 * bit_rate / 8 * done.duration + 2_000  # and headers


@pytest.mark.parametrize(
    ("rate", "bit_rate"),
    [
        (rate, bit_rate)
        for rate in (8_000, 16_000, 22_050, 44_100)
        for bit_rate in bit_rates(AudioFormat.MP3, rate)[3::2]
    ],
)
def test_mp3_at_a_constant_bit_rate_is_as_loud_as_its_source(tmp_path: Path, rate: int, bit_rate: int) -> None:
    """LAME itself turns it down by up to 5 %."""
    path = tmp_path / "a"
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    kind = Kind("mp3", "", 0, bit_rate=bit_rate)
    back = decoded(path, kind, encode(path, tone, rate, kind))[: len(tone)]
    middle = slice(rate // 4, rate // 2)
    assert np.dot(back[middle], tone[middle]) / np.dot(tone[middle], tone[middle]) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("format", sorted(set(AudioFormat) - {AudioFormat.PCM, AudioFormat.M4B}))
def test_without_tags_a_file_has_none(tmp_path: Path, format: AudioFormat) -> None:
    path = tmp_path / "a"
    encode(path, np.full(24_000, 0.1, np.float32), 24_000, Kind(format, "", 0))
    with av.open(str(path)) as file:
        metadata: dict[str, Any] = {**file.metadata, **file.streams[0].metadata}
        assert not set(map(str.lower, metadata)) & set(TAG_NAMES)


@pytest.mark.parametrize("kind", [Kind("mp3", "", 0), Kind("mp3", "", 0, bit_rate=64_000)], ids=str)
@pytest.mark.parametrize("tags", [{}, TEXTS], ids=["untagged", "tagged"])
def test_mp3_has_a_xing_header_with_its_frames_bytes_and_delay(
    tmp_path: Path, speech: tuple[np.ndarray, int], kind: Kind, tags: dict[str, str]
) -> None:
    samples, rate = speech
    path = tmp_path / "a.mp3"
    encode(path, samples, rate, kind, tags)
    data = path.read_bytes()
    start = 0
    if tags:
        assert data[:5] == b"ID3\x03\x00"
        start = 10 + int.from_bytes(bytes(data[6:10])) % 128 + sum(b << 7 * (3 - n) for n, b in enumerate(data[6:9]))
    assert data[start] == 0xFF and data[start + 1] & 0xFE == 0xF2  # MPEG-2 Layer III, without CRC
    head = start + 4 + 9  # behind the side information of mono
    assert data[head : head + 4] == (b"Xing" if kind.bit_rate is None else b"Info")
    flags, frames, size = struct.unpack_from(">III", data, head + 4)
    assert flags & 0b1111 == 0b1111  # frames, bytes, table of seek points, quality
    assert size == len(data) - start
    table = data[head + 16 : head + 116]
    assert list(table) == sorted(table) and table[99] > 240
    lame = head + 120
    delay, padding = int.from_bytes(data[lame + 21 : lame + 24]) >> 12, data[lame + 22] << 8 & 0xF00 | data[lame + 23]
    assert frames * 576 - delay - padding == len(samples)  # a frame of MPEG-2 has 576 samples
    count, at = 0, start
    while at + 4 <= len(data):  # the frames that are there
        assert data[at] == 0xFF and data[at + 1] >> 5 == 7
        bit_rate = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[at + 2] >> 4] * 1000
        at += 72 * bit_rate // rate + (data[at + 2] >> 1 & 1)
        count += 1
    assert (at, count) == (len(data), frames + 1)  # the first one is the header


def atoms(data: bytes, start: int = 0, end: int | None = None) -> dict[str, tuple[int, int]]:
    """Name, and where its content begins and ends, of each atom (ISO/IEC 14496-12, 4.2)."""
    found, at = {}, start
    while at < (len(data) if end is None else end):
        size, name = struct.unpack_from(">I4s", data, at)
        found[name.decode("latin-1")] = at + 8, at + size
        at += size
    return found


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100])
def test_m4a_has_its_index_in_front_and_the_duration_that_it_should(
    tmp_path: Path, speech: tuple[np.ndarray, int], rate: int
) -> None:
    samples, source = speech
    path = tmp_path / "a.m4a"
    done = encode(path, samples, source, Kind("m4a", "", 0, rate=rate), TEXTS)
    data = path.read_bytes()
    top = atoms(data)
    assert list(top)[:2] == ["ftyp", "moov"] and list(top)[-1] == "mdat"
    moov = atoms(data, *top["moov"])
    trak = atoms(data, *moov["trak"])
    scale, length = struct.unpack_from(">II", data, moov["mvhd"][0] + 12)
    assert length / scale == pytest.approx(done.duration, abs=2e-3)
    (edit,) = atoms(data, *trak["edts"]).values()
    version_flags, entries, duration, begin = struct.unpack_from(">IIIi", data, edit[0])
    assert (version_flags, entries, begin) == (0, 1, 1024)  # the encoder's delay is not played
    assert duration / scale == pytest.approx(done.duration, abs=2e-3)
    mdhd = atoms(data, *trak["mdia"])["mdhd"][0]
    scale, length = struct.unpack_from(">II", data, mdhd + 12)
    assert scale == rate and length - 1024 == round(done.duration * rate)


def test_mp3_has_its_comment_where_players_look_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    encode(path, np.zeros(24_000, np.float32), 24_000, Kind("mp3", "", 0), {"comment": "Hello ☃"})
    text = b"\xff\xfe" + "Hello ☃".encode("utf-16-le")
    assert b"COMM" + struct.pack(">IH", 8 + len(text), 0) + b"\x01und\xff\xfe\0\0" + text in path.read_bytes()
