"""Samples to audio files, in constant memory.

`audio.formats` says what files there are, `audio.sinks` writes them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from audio.chapters import ChapterMark
from audio.cover import Cover, check_cover
from audio.formats import OPUS_RATE, check_output, encoding_of, output_rate
from audio.limiter import Limiter
from audio.samples import Samples
from audio.sinks.base import Sink
from audio.sinks.ffmpeg import FfmpegSink
from audio.sinks.pcm import PcmSink
from audio.sinks.timed_text import Caption
from audio.sinks.wav import WavSink
from core.errors import InternalError, ModelFailed
from core.names import AudioFormat, SampleEncoding

CHUNK = 8_192  #: samples that are worked on at once

#: dBTP up to which samples stay as they are; louder peaks are limited. Lossy decoders give peaks back up to 1 dB louder
#: (EBU R 128), and up to 2 dB below `LOW_BIT_RATE`, in bits per second (measured with speech at every bit rate).
LOSSLESS_CEILING, LOSSY_CEILING, LOW_BIT_RATE_CEILING = 0.0, -1.0, -2.0
LOW_BIT_RATE = 64_000
_LOSSLESS = (AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.PCM)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file: size in bytes, ``duration`` in seconds, ``sample_rate`` in Hz as a player reports it, sha256 in
    hexadecimal."""

    bytes: int
    duration: float
    sample_rate: int
    sha256: str


def ceiling_of(format: AudioFormat, bit_rate: int | None = None) -> float:
    """The true peak, in dBTP, above which samples are limited before they are encoded."""
    if format in _LOSSLESS:
        return LOSSLESS_CEILING
    return LOSSY_CEILING if bit_rate is None or bit_rate >= LOW_BIT_RATE else LOW_BIT_RATE_CEILING


class PcmInput:
    """The input of an encoder: chunks resampled to ``rate`` Hz, their true peaks limited to ``ceiling`` dBTP.

    Without a ceiling they are clipped to full scale. The total is ``n * rate / source_rate`` samples, rounded, and at
    least one. ``taken`` and ``given`` count samples before and after resampling.
    """

    def __init__(self, source_rate: int, rate: int, ceiling: float | None) -> None:
        self.taken = self.given = 0
        self._source_rate = source_rate
        self._rate = rate
        self._limiter = None if ceiling is None else Limiter(rate, 1.0, ceiling, margin=0.0)
        self._soxr: Any = None
        if rate != source_rate:
            import soxr

            self._soxr = soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="HQ")

    @property
    def wanted(self) -> int:
        """The total number of output samples for the input so far."""
        return max(1, math.floor(self.taken * self._rate / self._source_rate + 0.5))

    def add(self, samples: Samples) -> Iterator[Samples]:
        """The samples that can be encoded after adding float32 [n]. Raises `ModelFailed` if they are not finite."""
        if not np.isfinite(samples).all():
            raise ModelFailed("The audio contains samples that are not finite.")
        for at in range(0, len(samples), CHUNK):
            chunk = np.ascontiguousarray(samples[at : at + CHUNK], np.float32)
            self.taken += len(chunk)
            yield from self._give(chunk if self._soxr is None else self._soxr.resample_chunk(chunk))

    def finish(self) -> Iterator[Samples]:
        """The samples that remain in resampler and limiter."""
        if self._soxr is not None and self.taken:
            rest = self._soxr.resample_chunk(np.zeros(0, np.float32), last=True)[: self.wanted - self.given]
            yield from self._give(np.pad(rest, (0, self.wanted - self.given - len(rest))))
        if self._limiter is not None:
            rest = self._limiter.finish()
            if len(rest):
                yield rest

    def _give(self, samples: Samples) -> Iterator[Samples]:
        self.given += len(samples)
        ready = np.clip(samples, -1.0, 1.0) if self._limiter is None else self._limiter.add(samples)
        if len(ready):
            yield ready


class Encoder:
    """Writes one audio file at ``path`` from samples at ``source_rate`` Hz; a context manager.

    ``sample_rate``, ``encoding`` and ``bit_rate`` (bits per second) are as in `audio.formats`; Opus at less than 48 kHz
    is band-limited to it, and still plays at 48 kHz. ``tags``: the text of each of `audio.formats.TAG_NAMES` that the
    file has; ``cover``: its picture; ``captions``: an M4B will have some. Peaks above `ceiling_of` the format are
    limited; with ``limit=False``, samples beyond 1 are clipped. Left by an exception, or never closed, it deletes the
    file. Raises `InvalidRequest` for what the format cannot have.
    """

    def __init__(
        self,
        path: Path,
        format: AudioFormat,
        source_rate: int,
        sample_rate: int | None = None,
        *,
        encoding: SampleEncoding | None = None,
        bit_rate: int | None = None,
        tags: Mapping[str, str] | None = None,
        cover: Cover | None = None,
        captions: bool = False,
        limit: bool = True,
    ) -> None:
        if cover is not None:
            check_cover(format)
        check_output(format, sample_rate=sample_rate, encoding=encoding, bit_rate=bit_rate, tags=tags)
        self.path = path
        self.format = format
        self.source_rate = source_rate
        self.rate = output_rate(format, source_rate, sample_rate, encoding=encoding, bit_rate=bit_rate)
        self.encoding = encoding_of(format, encoding)  #: None for lossy formats
        self._done: Encoded | None = None
        self._input = PcmInput(source_rate, self.rate, ceiling_of(format, bit_rate) if limit else None)
        with encoding_errors():
            self._sink = self._open(bit_rate, tags or {}, cover, captions and format is AudioFormat.M4B)

    @property
    def taken(self) -> int:
        """The number of samples written, at the rate of the source."""
        return self._input.taken

    def write(self, samples: Samples) -> None:
        """Appends float32 [n]. Raises `ModelFailed` where they are not finite."""
        self._encode(self._input.add(samples))

    def close(self, chapters: Sequence[ChapterMark] = (), captions: Iterable[Caption] = ()) -> Encoded:
        """Ends the file, with ``chapters`` and ``captions`` if it is an M4B, and says what it is. Raises `ModelFailed`
        (``no_audio``) if nothing was written."""
        if self._done is not None:
            return self._done
        if not self._input.taken:
            raise ModelFailed("There is no audio to encode.", code="no_audio")
        self._encode(self._input.finish())
        with encoding_errors():
            if isinstance(self._sink, FfmpegSink) and self.format is AudioFormat.M4B:
                self._sink.mark(chapters, self._input.wanted / self.rate)
                self._sink.caption(captions)
            self._sink.close()
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        heard = OPUS_RATE if self.format is AudioFormat.OPUS else self.rate
        self._done = Encoded(size, self._input.wanted / self.rate, heard, digest)
        return self._done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done is None:
            with suppress(OSError, RuntimeError, ValueError):
                self._sink.abandon()
            self.path.unlink(missing_ok=True)

    def _open(self, bit_rate: int | None, tags: Mapping[str, str], cover: Cover | None, captions: bool) -> Sink:
        if self.format is AudioFormat.WAV and self.encoding:
            return WavSink(self.path, self.rate, self.encoding, tags)
        if self.format is AudioFormat.PCM and self.encoding:
            return PcmSink(self.path, self.encoding)
        extras: dict[str, Any] = {
            "encoding": self.encoding,
            "bit_rate": bit_rate,
            "tags": tags,
            "cover": cover,
            "captions": captions,
        }
        return FfmpegSink(self.path, self.format, self.rate, **extras)

    def _encode(self, chunks: Iterator[Samples]) -> None:
        for samples in chunks:
            with encoding_errors():
                self._sink.write(samples)


@contextmanager
def encoding_errors() -> Iterator[None]:
    """Convert exceptions of the libraries and the disk to `InternalError`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise InternalError(f"The audio could not be encoded: {error}") from error
