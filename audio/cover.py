"""Cover pictures: JPEG and PNG, checked without decoding them.

Sources: PNG, third edition (W3C), 5 (datastream structure); JPEG, ITU-T T.81, B.1 (markers) and B.2.2 (frame header).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum

from core.errors import FieldError, InvalidRequest, TooLarge
from core.names import AudioFormat

MAX_COVER_BYTES = 10 * 2**20
MAX_SIDE = 6_000  #: pixels

#: Formats of audio whose files can hold a cover.
COVER_FORMATS = (AudioFormat.M4B, AudioFormat.M4A, AudioFormat.MP3, AudioFormat.FLAC)

#: Chunks of a PNG and segments of a JPEG: more than pictures of `MAX_COVER_BYTES` have, fewer than take long.
_MAX_PARTS = 20_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"

#: Behind the entropy-coded data of a JPEG, which has 0xFF only before 0x00 and the restart markers, and fill bytes.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: Start of frame, of all processes: 0xC0 to 0xCF without DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
#: Markers without a segment: TEM, RST0 to RST7, and a second start.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


class CoverKind(StrEnum):
    """The encoding of a picture, as FFmpeg names its codec."""

    JPEG = "mjpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture: its encoding, its bytes up to its end, and its size in pixels."""

    kind: CoverKind
    data: bytes
    width: int
    height: int

    @property
    def content_type(self) -> str:
        """The media type."""
        return "image/png" if self.kind is CoverKind.PNG else "image/jpeg"


def check_cover(format: AudioFormat) -> None:
    """Raises `InvalidRequest` (``unsupported_cover``) where files of ``format`` cannot hold a cover."""
    if format not in COVER_FORMATS:
        detail = f"A file of the format {format.value} has no cover; {', '.join(COVER_FORMATS)} have."
        fields = [FieldError("output.cover", "unsupported_cover", detail)]
        raise InvalidRequest(detail, code="unsupported_cover", fields=fields)


def read_cover(data: bytes) -> Cover:
    """The picture in ``data``, without what follows its end.

    It must be whole: all parts to the end marker, and in a PNG their checksums. Its pixels are not decoded. Raises
    `InvalidRequest` (``invalid_cover``), and `TooLarge` (``cover_too_large``) beyond `MAX_COVER_BYTES` or `MAX_SIDE`.
    """
    if len(data) > MAX_COVER_BYTES:
        raise TooLarge(f"The cover has {len(data)} bytes; the maximum is {MAX_COVER_BYTES}.", code="cover_too_large")
    if data.startswith(_PNG):
        kind, (width, height, end) = CoverKind.PNG, _png(data)
    elif data.startswith(_JPEG):
        kind, (width, height, end) = CoverKind.JPEG, _jpeg(data)
    else:
        raise _invalid("A cover must be a JPEG or a PNG.")
    if not (width and height):
        raise _invalid("The cover has no pixels.")
    if max(width, height) > MAX_SIDE:
        detail = f"The cover has {width} x {height} pixels; the maximum is {MAX_SIDE} x {MAX_SIDE}."
        raise TooLarge(detail, code="cover_too_large")
    return Cover(kind, data[:end], width, height)


def _png(data: bytes) -> tuple[int, int, int]:
    """Width, height, and the offset behind the last chunk."""
    at, size, pixels = len(_PNG), (0, 0), False
    for number in range(_MAX_PARTS):
        if at + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise _invalid("The cover is damaged: a checksum of its PNG is wrong.")
        if (number == 0) != (kind == b"IHDR") or (kind == b"IHDR" and length != 13):
            raise _invalid("The cover is not a valid PNG: it must begin with its header.")
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, at + 8)
        pixels |= kind == b"IDAT"
        if kind == b"IEND":
            if not pixels:
                raise _invalid("The cover is not a valid PNG: it has no image data.")
            return *size, end
        at = end
    raise _invalid("The cover is not a whole PNG: its end is missing.")


def _jpeg(data: bytes) -> tuple[int, int, int]:
    """Width, height, and the offset behind the end marker."""
    at, size, scanned = 2, (0, 0), False
    for _ in range(_MAX_PARTS):
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if at + 2 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == _END and scanned:
            return *size, at + 2
        if marker in _BARE or marker == _END:
            raise _invalid("The cover is not a valid JPEG: its parts are out of order.")
        length = int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + length
        if length < 2 or end > len(data):
            break
        if marker in _FRAMES:
            if length < 8 or size != (0, 0):
                raise _invalid("The cover is not a valid JPEG: it must have one frame header.")
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        if marker == _SCAN:
            following = _MARKER.search(data, end)
            if following is None or size == (0, 0):
                break
            scanned, end = True, following.start()
        at = end
    raise _invalid("The cover is not a whole JPEG: its end is missing.")


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code="invalid_cover")
