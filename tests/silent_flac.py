"""FLAC files of silence, byte by byte: small ones that hold hours, at rates that no recorder has."""

from __future__ import annotations

import struct


def flac_header(rate: int, channels: int, block: int) -> bytes:
    """A FLAC's begin (RFC 9639, 8.2): 16 bits, length unknown."""
    packed = rate << 44 | (channels - 1) << 41 | 15 << 36
    return b"fLaC\x80\x00\x00\x22" + struct.pack(">HH", block, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)


def crc(data: bytes, width: int, polynomial: int) -> bytes:
    value = 0
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> (width - 1) else 0)) & ((1 << width) - 1)
    return value.to_bytes(width // 8, "big")


def silent_frame(number: int, channels: int, block: int) -> bytes:
    """A frame of silence: one constant for each channel (RFC 9639, 9); rate and depth are the header's."""
    coded = chr(number).encode("utf-8", "surrogatepass")  # as far as 0x10FFFF
    head = b"\xff\xf8" + bytes([0x70, (channels - 1) << 4]) + coded + struct.pack(">H", block - 1)
    body = head + crc(head, 8, 0x07) + b"\x00\x00\x00" * channels
    return body + crc(body, 16, 0x8005)


def silence(rate: int, channels: int, block: int, frames: int) -> bytes:
    return flac_header(rate, channels, block) + b"".join(silent_frame(n, channels, block) for n in range(frames))
