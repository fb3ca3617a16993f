"""WAV files: RIFF, and RF64 where a RIFF cannot count the bytes.

RIFF: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"; RF64: EBU Tech 3306. Libraries that
choose between the two at the end reserve room for RF64 in front. This one moves the samples of the rare file that needs
it, so that all others keep the 44-byte header that simple readers expect.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from audio.samples import Samples
from audio.sinks.pcm import WIDTHS, to_bytes
from core.names import SampleEncoding

MAX_RIFF = 2**32 - 2  #: bytes behind the first eight; a RIFF counts them in 32 bits, of which all ones are unknown
OPEN_END = 0xFFFF_FFFF  #: the value of an unknown length, and of one that stands in ``ds64``

_TAGS = {  #: chunks of LIST INFO, with the names that FFmpeg and TagLib read them by
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "genre": b"IGNR",
    "date": b"ICRD",
    "track": b"ITRK",
    "comment": b"ICMT",
    "copyright": b"ICOP",
}
_CODES = {SampleEncoding.FLOAT: 3, SampleEncoding.MULAW: 7}  #: format tags; 1 is PCM
_DS64 = 36  #: bytes of a ``ds64`` chunk without a table
_BLOCK = 2**20  #: bytes that are moved at once


def wav_header(
    rate: int, encoding: SampleEncoding, tags: Mapping[str, str] | None = None, count: int | None = None
) -> bytes:
    """Everything before the first of ``count`` samples at ``rate`` Hz, mono; None leaves the lengths open.

    It has a ``ds64`` chunk, and is an RF64, where the file is too long for a RIFF."""
    width = WIDTHS[encoding]
    code = _CODES.get(encoding, 1)
    form = struct.pack("<HHIIHH", code, 1, rate, width * rate, width, 8 * width)
    chunks = _chunk(b"fmt ", form if code == 1 else form + struct.pack("<H", 0))
    if code != 1:  # the number of samples, of everything but PCM
        chunks += _chunk(b"fact", struct.pack("<I", min(count or 0, OPEN_END)))
    chunks += _info(tags or {})
    if count is None:
        return struct.pack("<4sI4s", b"RIFF", OPEN_END, b"WAVE") + chunks + struct.pack("<4sI", b"data", OPEN_END)
    data = count * width
    size = 4 + len(chunks) + 8 + data + data % 2
    if size <= MAX_RIFF:
        return struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + chunks + struct.pack("<4sI", b"data", data)
    long = _chunk(b"ds64", struct.pack("<QQQI", size + _DS64, data, count, 0))
    return struct.pack("<4sI4s", b"RF64", OPEN_END, b"WAVE") + long + chunks + struct.pack("<4sI", b"data", OPEN_END)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def _info(tags: Mapping[str, str]) -> bytes:
    """The tags that RIFF has, as UTF-8 that ends with a zero."""
    known = [(name, tags[tag]) for tag, name in _TAGS.items() if tag in tags]
    chunks = b"".join(_chunk(name, text.encode() + b"\0") for name, text in known)
    return _chunk(b"LIST", b"INFO" + chunks) if chunks else b""


class WavSink:
    """A WAV file. If it turns out too long for a RIFF, its samples move by the bytes of ``ds64`` at the end."""

    def __init__(self, path: Path, rate: int, encoding: SampleEncoding, tags: Mapping[str, str]) -> None:
        self._rate, self._encoding, self._tags = rate, encoding, tags
        self._count = 0
        self._start = len(wav_header(rate, encoding, tags, 0))
        self._file = path.open("w+b")
        self._file.write(bytes(self._start))

    def write(self, samples: Samples) -> None:
        """Append samples."""
        self._file.write(to_bytes(samples, self._encoding))
        self._count += len(samples)

    def close(self) -> None:
        """End the file and write its header."""
        header = wav_header(self._rate, self._encoding, self._tags, self._count)
        size = self._count * WIDTHS[self._encoding]
        self._file.write(bytes(size % 2))
        if len(header) > self._start:
            _move(self._file, self._start, size + size % 2, len(header) - self._start)
        self._file.seek(0)
        self._file.write(header)
        self._file.close()

    def abandon(self) -> None:
        """Give up the file."""
        self._file.close()


def _move(file: BinaryIO, start: int, size: int, by: int) -> None:
    """Move ``size`` bytes at ``start`` towards the end, the last ones first."""
    left = size
    while left:
        length = min(left, _BLOCK)
        left -= length
        file.seek(start + left)
        block = file.read(length)
        file.seek(start + left + by)
        file.write(block)
