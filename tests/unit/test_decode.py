"""`audio.decode`: real containers, and what strangers may send."""

from __future__ import annotations

import http.server
import io
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.decode import HIGHEST_SAMPLE, Probe, check_duration, decode, probe, stream
from core.errors import InvalidAudio
from tests.shared_data import data_path

CONTAINERS = ["aac", "flac", "mp3", "mp4", "ogg", "webm"]
CODES = {"empty_audio", "unreadable_audio", "no_audio_stream", "audio_too_long", "audio_too_short"}
CODES |= {"sample_rate_too_high", "too_many_channels", "too_many_samples"}


def wav(
    data: bytes = b"\x00\x10" * 16_000,
    *,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    size: int | None = None,
) -> bytes:
    """A WAV whose header says whatever is asked for."""
    size = len(data) if size is None else size
    align = channels * bits // 8
    head = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(size + 36, 0xFFFFFFFF))
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def flac(samples: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC")
    return buffer.getvalue()


def code_of(data: bytes | Path, **options: float) -> str:
    """The code with which `decode` refuses ``data``."""
    with pytest.raises(InvalidAudio) as caught:
        decode(data, 16_000, **{"max_seconds": 600.0, **options})
    return caught.value.code


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_has_the_same_duration(container: str) -> None:
    path = data_path(f"formats/p001.{container}")
    samples = decode(path, 16_000, max_seconds=60)
    assert samples.dtype == np.float32
    assert len(samples) / 16_000 == pytest.approx(9.0, abs=0.05)
    assert 0.4 < np.abs(samples).max() < 0.7
    for data in (path, path.read_bytes()):
        found = probe(data)
        assert found.duration == pytest.approx(9.0, abs=0.05)
        assert (found.sample_rate, found.channels) == (44_100, 2)
    np.testing.assert_array_equal(decode(path.read_bytes(), 16_000, max_seconds=60), samples)


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_hold_the_same_sound(container: str) -> None:
    one = decode(data_path("formats/p001.ogg"), 16_000, max_seconds=60)
    two = decode(data_path(f"formats/p001.{container}"), 16_000, max_seconds=60)
    size = 2 ** int(np.ceil(np.log2(len(one) + len(two))))
    cross = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(two, size)), size)
    assert cross.max() / np.sqrt((one**2).sum() * (two**2).sum()) > 0.97


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_sample_formats_mean_of_channels_and_resampling(rate: int, subtype: str) -> None:
    time_ = np.arange(22_050) / 22_050
    left, right = 0.5 * np.sin(2 * np.pi * 440 * time_), 0.25 * np.sin(2 * np.pi * 440 * time_)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([left, right], 1), 22_050, subtype=subtype, format="WAV")
    samples = decode(buffer.getvalue(), rate, max_seconds=2)
    assert len(samples) == rate
    expected = 0.375 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    coarse = {"PCM_U8": 0.01, "ULAW": 0.02}  # half a step of 8 bits; of mu-law at 0.5
    assert np.abs(samples - expected)[200:-200].max() < coarse.get(subtype, 1e-3)


def test_floats_stay_finite_and_bounded() -> None:
    data = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 0.5, 1.5], np.float32).tobytes()
    samples = decode(wav(data, tag=3, bits=32), 16_000, max_seconds=1)
    high = HIGHEST_SAMPLE
    np.testing.assert_array_equal(samples, np.array([0, high, -high, high, -high, 0.5, 1.5], np.float32))


def test_bad_files_of_the_pack() -> None:
    assert code_of(data_path("formats/empty.wav")) == "empty_audio"
    assert code_of(data_path("formats/invalid.wav")) == "unreadable_audio"
    for name in ("empty.wav", "invalid.wav"):
        with pytest.raises(InvalidAudio):
            probe(data_path(f"formats/{name}"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_audio"),
        (b"Hello, this is no audio.\n" * 100, "unreadable_audio"),
        (b"\x00" * 1_000_000, "unreadable_audio"),
        (wav(b""), "audio_too_short"),
        (wav(rate=0), "unreadable_audio"),
        (wav(rate=2**31 - 1), "sample_rate_too_high"),
        (wav(channels=0), "unreadable_audio"),
        (wav(channels=65_535), "unreadable_audio"),
        (wav(channels=9), "too_many_channels"),
        (wav(bits=0), "unreadable_audio"),
        (wav(tag=0x1234), "unreadable_audio"),
        (wav()[:20], "unreadable_audio"),
        (flac(np.zeros(9000), 16_000)[:60], "unreadable_audio"),
    ],
)
def test_broken_bytes(data: bytes, code: str) -> None:
    assert code_of(data) == code
    with pytest.raises(InvalidAudio) as caught:
        probe(data)
    assert caught.value.code == code


def test_a_missing_file(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.wav") == "unreadable_audio"


@pytest.mark.parametrize("sound", [False, True])
def test_of_a_video_the_sound_is_taken(sound: bool) -> None:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        video = file.add_stream("mpeg4", rate=5)
        video.width = video.height = 16
        audio = file.add_stream("pcm_s16le", rate=16_000, layout="mono") if sound else None
        for _ in range(5):
            picture = np.zeros((16, 16, 3), np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if audio:
                frame = av.AudioFrame.from_ndarray(np.ones((1, 3200), np.int16), format="s16", layout="mono")
                frame.sample_rate = 16_000
                file.mux(audio.encode(frame))
        file.mux(video.encode(None))
    if sound:
        assert probe(buffer.getvalue()).duration == pytest.approx(1, abs=0.01)
        assert len(decode(buffer.getvalue(), 16_000, max_seconds=2)) == 16_000
    else:
        assert code_of(buffer.getvalue()) == "no_audio_stream"


def test_a_large_cover_picture_does_no_harm() -> None:
    recording = data_path("formats/p001.mp3").read_bytes()
    picture = b"\x00image/jpeg\x00\x03\x00\xff\xd8" + b"\x01" * 3_000_000
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\x00\x00" + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    data = b"ID3\x03\x00\x00" + size + frame + recording
    assert probe(data).duration == pytest.approx(9, abs=0.05)
    assert len(decode(data, 16_000, max_seconds=60)) / 16_000 == pytest.approx(9, abs=0.05)


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFFFFF, 4_000_000_000])
def test_a_header_that_claims_gigabytes(claim: int) -> None:
    data = wav(size=claim)
    assert probe(data).duration == pytest.approx(1.0)
    assert len(decode(data, 16_000, max_seconds=600)) == 16_000


def test_too_long_is_told_at_once() -> None:
    data = flac(np.zeros(16_000 * 3600, np.int16), 16_000)
    assert len(data) < 1_000_000
    started = time.perf_counter()
    assert code_of(data) == "audio_too_long"
    assert time.perf_counter() - started < 5
    assert probe(data).duration == pytest.approx(3600)
    given_out = 0
    with pytest.raises(InvalidAudio):
        for chunk in stream(data, 16_000, max_seconds=10):
            given_out += len(chunk)
    assert given_out < 16_000 * 10.5


def test_bounds_of_duration() -> None:
    assert code_of(wav(), min_seconds=1.5) == "audio_too_short"
    assert code_of(wav(), max_seconds=0.5) == "audio_too_long"
    assert len(decode(wav(), 16_000, max_seconds=1.0, min_seconds=1.0)) == 16_000
    check_duration(1.0, least=1.0, most=600.0)
    for seconds, code in ((0.5, "audio_too_short"), (601.0, "audio_too_long")):
        with pytest.raises(InvalidAudio) as caught:
            check_duration(seconds, least=1.0, most=600.0)
        assert caught.value.code == code


@pytest.mark.parametrize("container", ["aac", "flac", "mp3", "ogg", "webm"])
def test_a_file_cut_short_is_read_up_to_there(container: str) -> None:
    data = data_path(f"formats/p001.{container}").read_bytes()
    samples = decode(data[: len(data) // 2], 16_000, max_seconds=60)
    assert 3.5 < len(samples) / 16_000 < 5
    assert probe(data[: len(data) // 2]).duration == pytest.approx(len(samples) / 16_000, abs=0.15)


def test_an_mp4_without_its_index() -> None:
    data = data_path("formats/p001.mp4").read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    assert code_of(data[: len(data) // 2]) == "unreadable_audio"


def test_what_mostly_decodes_is_taken_and_what_mostly_does_not_is_refused() -> None:
    data = data_path("formats/p001.mp4").read_bytes()
    noise = np.random.default_rng(0).bytes(len(data))
    few, many = 30_000, 2_000
    assert len(decode(data[:few] + noise[:1000] + data[few + 1000 :], 16_000, max_seconds=60)) > 8.5 * 16_000
    end = data.index(b"moov") - 4
    assert code_of(data[:many] + noise[many:end] + data[end:]) == "unreadable_audio"


@settings(max_examples=150, deadline=None)
@given(
    st.binary(min_size=1, max_size=3000),
    st.sampled_from([b"", wav()[:44], b"fLaC", b"OggS", b"\xff\xfb\x90\x00", b"ID3"]),
)
def test_random_bytes(data: bytes, head: bytes) -> None:
    for read in (probe, lambda each: decode(each, 16_000, max_seconds=600)):
        try:
            found = read(head + data)
        except InvalidAudio as error:
            assert error.code in CODES
        else:
            assert isinstance(found, Probe) or np.isfinite(found).all()


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(["aac", "mp3", "mp4", "ogg", "webm", "flac"]))
def test_damaged_recordings(draw: st.DataObject, container: str) -> None:
    data = bytearray(data_path(f"formats/p001.{container}").read_bytes()[:20_000])
    for at in draw.draw(st.lists(st.integers(0, 400), max_size=5)) + draw.draw(
        st.lists(st.integers(0, len(data) - 1), max_size=20)
    ):
        data[at] = draw.draw(st.integers(0, 255))
    try:
        samples = decode(bytes(data), 16_000, max_seconds=60)
    except InvalidAudio as error:
        assert error.code in CODES
    else:
        assert np.isfinite(samples).all()
        assert len(samples) <= 60.1 * 16_000 + 1


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server's address, and the paths it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {url}/a.wav\nfile {file}\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{url}</BaseURL></MPD>',
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
        "[playlist]\nFile1={file}\n",
    ],
)
def test_playlists_open_nothing(asked: tuple[str, list[str]], tmp_path: Path, text: str) -> None:
    url, paths = asked
    (tmp_path / "secret.wav").write_bytes(wav())
    data = text.format(url=url, file=tmp_path / "secret.wav").encode()
    assert code_of(data) == "unreadable_audio"
    path = tmp_path / "list.m3u8"
    path.write_bytes(data)
    assert code_of(path) == "unreadable_audio"
    assert paths == []
