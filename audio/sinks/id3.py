"""ID3v2.3 tags (id3.org, "ID3 tag version 2.3.0"), the version that most players read.

FFmpeg's own writer puts the comment into a frame that players do not show.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from audio.cover import Cover

_FRAMES = {
    "title": b"TIT2",
    "artist": b"TPE1",
    "album": b"TALB",
    "album_artist": b"TPE2",
    "composer": b"TCOM",
    "genre": b"TCON",
    "track": b"TRCK",
    "copyright": b"TCOP",
}
_FRONT_COVER = b"\x03"  #: the type of an attached picture
_UTF16 = b"\x01"  #: with a byte order mark


def id3_tag(tags: Mapping[str, str], cover: Cover | None = None) -> bytes:
    """The tag that stands before the first frame of audio; nothing without ``tags`` and ``cover``."""
    frames = b"".join(_text(name, tags[tag]) for tag, name in _FRAMES.items() if tag in tags)
    if "date" in tags:  # the year, and the day as DDMM
        frames += _text(b"TYER", tags["date"][:4])
        if len(tags["date"]) == 10:
            frames += _text(b"TDAT", tags["date"][8:] + tags["date"][5:7])
    if "comment" in tags:  # in an unknown language, without a description
        frames += _frame(b"COMM", _UTF16 + b"und" + _utf16("") + b"\0\0" + _utf16(tags["comment"]))
    if cover is not None:
        kind = cover.content_type.encode() + b"\0" + _FRONT_COVER + b"\0"  # without a description
        frames += _frame(b"APIC", b"\0" + kind + cover.data)
    if not frames:
        return b""
    return b"ID3\x03\0\0" + _synchsafe(len(frames)) + frames


def _text(name: bytes, text: str) -> bytes:
    return _frame(name, b"\0" + text.encode("latin-1") if text.isascii() else _UTF16 + _utf16(text))


def _frame(name: bytes, data: bytes) -> bytes:
    return struct.pack(">4sIH", name, len(data), 0) + data


def _utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def _synchsafe(size: int) -> bytes:
    """28 bits in four bytes, whose highest bits are zero (3.1)."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
