"""Pictures for tests of covers."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import av
import numpy as np


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8, *, rows: int | None = None, padding: int = 0) -> bytes:
    """A PNG in one colour. ``rows``: those that it really has; ``padding``: bytes of a text in it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    count = height if rows is None else rows
    lines = (b"\0" + b"\x80\x10\x20" * width) * count if count else b""
    text = chunk(b"tEXt", b"c\0" + b"x" * padding) if padding else b""
    body = chunk(b"IHDR", header) + text + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(width: int = 32, height: int = 16) -> bytes:
    """A JPEG of noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"  # type: ignore[attr-defined]
    encoder.time_base = 1  # type: ignore[assignment]
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuvj420p")
    out = BytesIO()
    for packet in [*encoder.encode(frame), *encoder.encode(None)]:  # type: ignore[attr-defined]
        out.write(bytes(packet))
    return out.getvalue()
