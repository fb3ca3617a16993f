"""Samples to audio files, in constant memory.

WAV and FLAC are written by libsndfile, MP3, Opus and AAC by FFmpeg.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import FieldError, InternalError, InvalidRequest, ModelFailed
from core.names import AudioFormat

CONTENT_TYPES: Mapping[AudioFormat, str] = {
    AudioFormat.WAV: "audio/wav",
    AudioFormat.FLAC: "audio/flac",
    AudioFormat.MP3: "audio/mpeg",
    AudioFormat.OPUS: "audio/ogg; codecs=opus",
    AudioFormat.M4A: "audio/mp4",
}

LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000  #: Hz
OPUS_RATE = 48_000  #: Hz, of every decoded Opus stream (RFC 6716)

_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: Formats that support only some rates.
RATES: Mapping[AudioFormat, tuple[int, ...]] = {
    AudioFormat.MP3: _MPEG_RATES,
    AudioFormat.OPUS: (8_000, 12_000, 16_000, 24_000, 48_000),
    AudioFormat.M4A: _MPEG_RATES,
}

MAX_WAV_BYTES = 2**32 - 4096  #: a RIFF counts its bytes in 32 bits
MP3_QUALITY = 2  #: LAME's -V, from 0 (best) to 9
CHUNK = 65_536  #: samples that are worked on at once
STREAM_PAGE = 20_000  #: microseconds of audio in one page of Ogg, where it is heard as it is made


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file: size in bytes, ``duration`` in seconds, ``sample_rate`` in Hz as a player reports it, sha256 in
    hexadecimal."""

    bytes: int
    duration: float
    sample_rate: int
    sha256: str


def check_rate(format: AudioFormat, rate: int) -> None:
    """Raises `InvalidRequest` (``unsupported_sample_rate``) where ``format`` cannot have ``rate`` Hz."""
    rates = RATES.get(format)
    if rate in rates if rates else LOWEST_RATE <= rate <= HIGHEST_RATE:
        return
    allowed = ", ".join(map(str, rates)) if rates else f"{LOWEST_RATE} to {HIGHEST_RATE}"
    detail = f"{format.value} supports {allowed} Hz, not {rate}."
    raise InvalidRequest(
        f"The sample rate is not supported: {detail}",
        code="unsupported_sample_rate",
        fields=[FieldError("output.sample_rate", "unsupported_sample_rate", detail)],
    )


def output_rate(format: AudioFormat, source_rate: int, sample_rate: int | None) -> int:
    """The rate in Hz to encode at: the requested one, else the source's or the next higher one that ``format``
    supports."""
    if sample_rate is not None:
        check_rate(format, sample_rate)
        return sample_rate
    if format is AudioFormat.OPUS:
        return OPUS_RATE
    rates = RATES.get(format)
    if rates is None:
        return min(max(source_rate, LOWEST_RATE), HIGHEST_RATE)
    return next((rate for rate in rates if rate >= source_rate), rates[-1])


class PcmInput:
    """The input of an encoder: chunks resampled to ``rate`` Hz and clipped to full scale.

    The total is ``n * rate / source_rate`` samples, rounded, and at least one. ``taken`` and ``given`` count samples
    before and after resampling.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        self.taken = self.given = 0
        self._source_rate = source_rate
        self._rate = rate
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
        """The samples that remain in the resampler."""
        if self._soxr is None or not self.taken:
            return
        rest = self._soxr.resample_chunk(np.zeros(0, np.float32), last=True)[: self.wanted - self.given]
        yield from self._give(np.pad(rest, (0, self.wanted - self.given - len(rest))))

    def _give(self, samples: Samples) -> Iterator[Samples]:
        self.given += len(samples)
        if len(samples):
            yield np.clip(samples, -1.0, 1.0)


class Encoder:
    """Writes one audio file at ``path`` from samples at ``source_rate`` Hz; a context manager.

    WAV and FLAC have 16 bits. Samples beyond 1 are clipped. ``sample_rate`` is as in `output_rate`; Opus at
    less than 48 kHz is band-limited to it, and still plays at 48 kHz. Left by an exception, or never closed,
    it deletes the file. Raises `InvalidRequest` for a rate that the format cannot have.
    """

    def __init__(self, path: Path, format: AudioFormat, source_rate: int, sample_rate: int | None = None) -> None:
        self.path = path
        self.format = format
        self.source_rate = source_rate
        self.rate = output_rate(format, source_rate, sample_rate)
        self._done: Encoded | None = None
        self._input = PcmInput(source_rate, self.rate)
        lossless = format in (AudioFormat.WAV, AudioFormat.FLAC)
        with encoding_errors():
            self._sink: _Sink = (_Libsndfile if lossless else FfmpegSink)(path, format, self.rate)

    def write(self, samples: Samples) -> None:
        """Appends float32 [n]. Raises `ModelFailed` where they are not finite, `InvalidRequest`
        (``audio_too_long``) where a WAV would exceed 4 GB."""
        self._encode(self._input.add(samples))

    def close(self) -> Encoded:
        """Ends the file and says what it is. Raises `ModelFailed` (``no_audio``) if nothing was written."""
        if self._done is not None:
            return self._done
        if not self._input.taken:
            raise ModelFailed("There is no audio to encode.", code="no_audio")
        self._encode(self._input.finish())
        with encoding_errors():
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

    def _encode(self, chunks: Iterator[Samples]) -> None:
        for samples in chunks:
            if self.format is AudioFormat.WAV and 2 * self._input.given > MAX_WAV_BYTES:
                raise InvalidRequest("A WAV file holds at most 4 GB. Use flac.", code="audio_too_long")
            with encoding_errors():
                self._sink.write(samples)


@contextmanager
def encoding_errors() -> Iterator[None]:
    """Convert exceptions of the libraries and the disk to `InternalError`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise InternalError(f"The audio could not be encoded: {error}") from error


class _Sink(Protocol):
    def write(self, samples: Samples) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


def to_pcm16(samples: Samples) -> NDArray[np.int16]:
    """Samples as 16-bit integers, without dither."""
    whole: NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    return whole


class _Libsndfile:
    """WAV and FLAC with 16 bits."""

    def __init__(self, path: Path, format: AudioFormat, rate: int) -> None:
        import soundfile

        self._file = soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format=format.value.upper())

    def write(self, samples: Samples) -> None:
        self._file.write(to_pcm16(samples))

    def close(self) -> None:
        self._file.close()

    abandon = close


#: The name of a container, and its options.
_Container: TypeAlias = tuple[str, Mapping[str, str]]


class FfmpegSink:
    """MP3 (LAME), Opus in Ogg (libopus), AAC or FLAC.

    Writes to a file (AAC in MPEG-4 with its index at the start), or to any object with a ``write`` method, immediately
    and without metadata that is only known at the end (AAC as ADTS, ISO/IEC 13818-7).
    """

    def __init__(self, target: Path | RawIOBase, format: AudioFormat, rate: int) -> None:
        import av

        codec, sample_format, in_file, in_stream = _FFMPEG[format]
        container, options = in_file if isinstance(target, Path) else in_stream
        if not isinstance(target, Path):
            options = {**options, "flush_packets": "1"}
        place = f"file:{target.absolute()}" if isinstance(target, Path) else target
        self._rate = rate
        self._count = 0
        self._container: Any = av.open(place, "w", format=container, options=options)
        self._stream: Any = self._container.add_stream(codec, rate=rate, layout="mono")
        if format is AudioFormat.MP3:
            # variable bit rate: at constant ones LAME turns everything down by 5 %
            self._stream.codec_context.qscale = True
            self._stream.codec_context.global_quality = MP3_QUALITY
        elif format is not AudioFormat.FLAC:
            self._stream.bit_rate = _bit_rate(format, rate)
        self._format = sample_format
        self._stream.codec_context.format = self._format
        self._container.start_encoding()

    def write(self, samples: Samples) -> None:
        import av

        given = to_pcm16(samples) if self._format == "s16" else samples
        frame = av.AudioFrame.from_ndarray(given[None], format=self._format, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._count, Fraction(1, self._rate)
        self._count += len(samples)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        self._container.close()


#: codec, sample format, and the container with its options, of a file and of a stream
_FFMPEG: Mapping[AudioFormat, tuple[str, str, _Container, _Container]] = {
    AudioFormat.MP3: ("libmp3lame", "fltp", ("mp3", {}), ("mp3", {"write_xing": "0", "id3v2_version": "0"})),
    AudioFormat.OPUS: ("libopus", "flt", ("ogg", {}), ("ogg", {"page_duration": str(STREAM_PAGE)})),
    AudioFormat.M4A: ("aac", "fltp", ("ipod", {"movflags": "+faststart"}), ("adts", {})),
    AudioFormat.FLAC: ("flac", "s16", ("flac", {}), ("flac", {})),
}


def _bit_rate(format: AudioFormat, rate: int) -> int:
    """Bits per second for one voice, near transparency."""
    if format is AudioFormat.OPUS:
        return 64_000
    return 32_000 if rate <= 12_000 else 64_000 if rate <= 24_000 else 96_000
