"""Audio formats that can be played while they are still being encoded.

A stream lacks what a file has at its start: the length in the headers of WAV and FLAC, and MP3's table of seek points.
The encoders are those of `audio.encode`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

from audio.encode import PcmInput, ceiling_of, encoding_errors
from audio.formats import content_type as file_type
from audio.formats import output_rate
from audio.samples import Samples
from audio.sinks.ffmpeg import FfmpegSink
from audio.sinks.pcm import to_pcm16
from audio.sinks.wav import wav_header
from core.names import AudioFormat, SampleEncoding


class StreamFormat(StrEnum):
    """Container and codec of audio that flows."""

    WAV = "wav"  #: 16-bit PCM behind a header that leaves the length open
    MP3 = "mp3"
    OPUS = "opus"  #: Opus in Ogg, always 48 kHz
    AAC = "aac"  #: AAC as ADTS
    FLAC = "flac"  #: 16-bit, its number of samples left open
    PCM = "pcm"  #: 16-bit PCM, little-endian, mono, and nothing else

    @property
    def as_file(self) -> AudioFormat:
        """The file format that supports the same rates."""
        return _FILES.get(self) or AudioFormat(self.value)


_FILES = {StreamFormat.AAC: AudioFormat.M4A}


def content_type(format: StreamFormat, rate: int) -> str:
    """The media type. That of PCM describes the format completely."""
    return "audio/aac" if format is StreamFormat.AAC else file_type(format.as_file, rate)


class StreamEncoder:
    """Encodes samples at ``source_rate`` Hz to pieces of a stream; a context manager that frees the encoder.

    Call ``header()``, then ``write()`` repeatedly, then ``close()``; their results, concatenated, are the stream. All
    of it can be decoded at once, except for some hundredths of a second that remain in encoder, limiter and resampler.
    Peaks are limited as in a file; ``sample_rate`` is as in `audio.formats.output_rate`. Raises `InvalidRequest` for a
    rate that the format does not support, `InternalError` if the encoder fails.
    """

    def __init__(self, format: StreamFormat, source_rate: int, sample_rate: int | None = None) -> None:
        self.format = format
        self.rate = output_rate(format.as_file, source_rate, sample_rate)  #: Hz
        self._input = PcmInput(source_rate, self.rate, ceiling_of(format.as_file))
        self._made = io.BytesIO()
        self._sink: FfmpegSink | None = None
        if format not in (StreamFormat.WAV, StreamFormat.PCM):
            with encoding_errors():
                self._sink = FfmpegSink(_Writer(self._made), format.as_file, self.rate)

    def header(self) -> bytes:
        """The bytes before the first sample; empty for MP3, AAC and PCM."""
        if self.format is StreamFormat.WAV:
            return wav_header(self.rate, SampleEncoding.PCM_S16)
        return self._take()

    def write(self, samples: Samples) -> bytes:
        """Encode float32 [n]. Raises `ModelFailed` if they are not finite."""
        return self._encode(self._input.add(samples))

    def close(self) -> bytes:
        """The remaining bytes of encoder and resampler."""
        rest = self._encode(self._input.finish())
        if self._sink is None:
            return rest
        sink, self._sink = self._sink, None
        with encoding_errors():
            sink.close()
        return rest + self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is not None:
            with suppress(OSError, RuntimeError, ValueError):
                self._sink.abandon()

    def _encode(self, chunks: Iterable[Samples]) -> bytes:
        for samples in chunks:
            if self._sink is None:
                self._made.write(to_pcm16(samples).tobytes())
            else:
                with encoding_errors():
                    self._sink.write(samples)
        return self._take()

    def _take(self) -> bytes:
        made = self._made.getvalue()
        self._made.seek(0)
        self._made.truncate()
        return made


class _Writer(io.RawIOBase):
    """A file without seek, so that FFmpeg does not try to rewrite bytes that have been sent."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._target.write(data)
