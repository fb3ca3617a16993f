"""`audio.cover`: whole JPEGs and PNGs pass, and nothing else does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.cover import MAX_COVER_BYTES, MAX_SIDE, Cover, CoverKind, check_cover, read_cover
from core.errors import ChorusError, InvalidRequest, RequestError, TooLarge
from core.names import AudioFormat
from tests.pictures import chunk, jpeg, png

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'
ZIP = b"PK\x05\x06" + bytes(18)


def test_whole_pictures_are_read() -> None:
    assert read_cover(png(30, 20)) == Cover(CoverKind.PNG, png(30, 20), 30, 20)
    assert read_cover(jpeg(32, 16)) == Cover(CoverKind.JPEG, jpeg(32, 16), 32, 16)
    assert (read_cover(png()).content_type, read_cover(jpeg()).content_type) == ("image/png", "image/jpeg")


@pytest.mark.parametrize("picture", [png(), jpeg()], ids=["png", "jpeg"])
def test_what_follows_a_picture_is_left_out(picture: bytes) -> None:
    for rest in (ZIP, SVG, b"\0" * 100, b"\xff\xd9", png()):
        assert read_cover(picture + rest).data == picture


@pytest.mark.parametrize("picture", [png(), jpeg()], ids=["png", "jpeg"])
def test_every_truncation_is_refused(picture: bytes) -> None:
    for length in range(len(picture)):
        with pytest.raises(InvalidRequest) as found:
            read_cover(picture[:length])
        assert found.value.code == "invalid_cover"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SVG,
        b"GIF89a" + bytes(100),
        b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100),
        b"BM" + bytes(100),
        ZIP + png(),
        b" " + png(),
        png().replace(b"IDAT", b"IDAU"),
        png()[:8] + chunk(b"IHDR", b"\0" * 13) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        png()[:8] + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1") + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        png()[:8] + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        png()[:33] + chunk(b"IEND", b""),
        png()[:33] + png()[8:],
        png()[:8] + b"\xff\xff\xff\xffIHDR" + bytes(40),
        jpeg()[:2] + jpeg(),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\x00\x02\xff\xd9",
        b"\xff\xd8\xff\xc0\x00\x02" + jpeg()[2:],
        b"\xff\xd8\xff\xe0\x00\x00" + jpeg()[2:],
        b"\xff\xd8" + b"\xff" * 1000,
    ],
)  # fmt: skip
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as found:
        read_cover(data)
    assert (found.value.status, found.value.code) == (422, "invalid_cover")


@pytest.mark.parametrize(
    "data",
    [
        png(100_000, 100_000, rows=1),
        png(MAX_SIDE + 1, 1),
        png(1, MAX_SIDE + 1),
        png(2**32 - 1, 1, rows=0),
        png(padding=MAX_COVER_BYTES),
        b"\xff\xd8\xff" + bytes(11 * 2**20),
        jpeg().replace(b"\x00\x10\x00\x20", b"\xff\xff\xff\xff", 1),
    ],
    ids=["100,000 squared", "wide", "high", "widest", "11 MB", "11 MB of JPEG", "a JPEG of 65,535 squared"],
)
def test_large_pictures_are_refused(data: bytes) -> None:
    with pytest.raises(TooLarge) as found:
        read_cover(data)
    assert found.value.code == "cover_too_large"


def test_many_small_parts_take_little_time() -> None:
    began = time.process_time()
    for data in (
        png()[:33] + chunk(b"tEXt", b"") * 870_000,
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_600_000,
        jpeg()[:-2] + b"\xff\x00" * 5_000_000,
        jpeg()[:-2] + b"\xff" * 10_000_000,
        jpeg()[:-2] + b"\xff\xda\x00\x02" * 2_600_000,
    ):
        with pytest.raises(RequestError):
            read_cover(data[:MAX_COVER_BYTES])
    assert time.process_time() - began < 20


@given(st.binary(max_size=200), st.sampled_from([b"", png()[:8], png()[:33], jpeg()[:2], jpeg()[:-2]]))
def test_no_bytes_raise_anything_else(tail: bytes, head: bytes) -> None:
    try:
        found = read_cover(head + tail)
    except ChorusError as error:
        assert error.code in ("invalid_cover", "cover_too_large")
    else:
        assert read_cover(found.data) == found


def test_formats_without_covers() -> None:
    for format in (AudioFormat.M4B, AudioFormat.M4A, AudioFormat.MP3, AudioFormat.FLAC):
        check_cover(format)
    for format in (AudioFormat.WAV, AudioFormat.OPUS):
        with pytest.raises(InvalidRequest) as found:
            check_cover(format)
        assert found.value.code == "unsupported_cover" and found.value.fields[0].field == "output.cover"
