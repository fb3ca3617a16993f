"""Samples as bytes, and files of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.names import SampleEncoding

#: Bytes of one sample.
WIDTHS = {
    SampleEncoding.PCM_S16: 2,
    SampleEncoding.PCM_S24: 3,
    SampleEncoding.FLOAT: 4,
    SampleEncoding.MULAW: 1,
}

_READ = 65_536  #: samples that are read at once
_BIAS, _CLIP = 0x84, 32_635  #: of μ-law with 16 bits (ITU-T G.191, ulaw_compress)


def to_pcm16(samples: Samples) -> NDArray[np.int16]:
    """Samples as 16-bit integers, without dither."""
    whole: NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    return whole


def to_pcm24(samples: Samples) -> NDArray[np.int32]:
    """Samples as 24-bit integers, without dither."""
    exact = np.rint(np.multiply(samples, 2.0**23, dtype=np.float64))
    whole: NDArray[np.int32] = np.clip(exact, -(2**23), 2**23 - 1).astype("<i4")
    return whole


def to_mulaw(samples: Samples) -> NDArray[np.uint8]:
    """Samples as 8-bit μ-law."""
    coded: NDArray[np.uint8] = _mulaw_table()[to_pcm16(samples).view("<u2")]
    return coded


def to_bytes(samples: Samples, encoding: SampleEncoding) -> bytes:
    """Samples in ``encoding``, little-endian."""
    if encoding is SampleEncoding.PCM_S16:
        return to_pcm16(samples).tobytes()
    if encoding is SampleEncoding.PCM_S24:
        return to_pcm24(samples).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if encoding is SampleEncoding.FLOAT:
        return samples.astype("<f4").tobytes()
    return to_mulaw(samples).tobytes()


def read_pcm(path: Path, encoding: SampleEncoding) -> Iterator[Samples]:
    """The samples of a file of nothing else, in chunks."""
    width = WIDTHS[encoding]
    with path.open("rb") as file:
        while data := file.read(_READ * width):
            yield from_bytes(data[: len(data) // width * width], encoding)


def from_bytes(data: bytes, encoding: SampleEncoding) -> Samples:
    """What `to_bytes` encoded, as far as ``encoding`` keeps it."""
    if encoding is SampleEncoding.PCM_S16:
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)
    if encoding is SampleEncoding.PCM_S24:
        upper = np.pad(np.frombuffer(data, np.uint8).reshape(-1, 3), ((0, 0), (1, 0)))
        return (upper.view("<i4")[:, 0] >> 8).astype(np.float32) / np.float32(2**23)
    if encoding is SampleEncoding.FLOAT:
        return np.frombuffer(data, "<f4").astype(np.float32)
    code = ~np.frombuffer(data, np.uint8)
    magnitude = ((code & 0x0F).astype(np.int32) << 3) + _BIAS << (code >> 4 & 7)
    return np.where(code & 0x80, _BIAS - magnitude, magnitude - _BIAS).astype(np.float32) / np.float32(2**15)


@cache
def _mulaw_table() -> NDArray[np.uint8]:
    """The μ-law code of each 16-bit sample: sign, exponent and four bits of mantissa, inverted."""
    linear = np.arange(2**16).astype(np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.minimum(np.abs(linear), _CLIP) + _BIAS
    exponent = np.log2(magnitude).astype(np.int64) - 7
    code = np.where(linear < 0, 0x80, 0) | exponent << 4 | magnitude >> exponent + 3 & 0x0F
    table: NDArray[np.uint8] = (~code & 0xFF).astype(np.uint8)
    return table


class PcmSink:
    """A file of samples in ``encoding``, without a header."""

    def __init__(self, path: Path, encoding: SampleEncoding) -> None:
        self._encoding = encoding
        self._file = path.open("wb")

    def write(self, samples: Samples) -> None:
        """Append samples."""
        self._file.write(to_bytes(samples, self._encoding))

    def close(self) -> None:
        """End the file."""
        self._file.close()

    abandon = close
