"""Decoding of untrusted audio files to mono float32 samples, with PyAV (FFmpeg).

Files are read through Python file objects only. FFmpeg may only use containers that hold their own media (no
playlists, no concat, no HLS or DASH), may not open other files, and decodes only audio.
"""

from __future__ import annotations

import ctypes
import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Never

import numpy as np
from numpy.typing import NDArray

from audio.mixdown import Mixdown
from audio.samples import Samples
from core.errors import InvalidAudio

#: FFmpeg demuxers that read one file and nothing else
CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,"
    "tta,voc,w64,wav,webm,wv"
)

LOWEST_RATE, HIGHEST_RATE = 1_000, 384_000  #: Hz
MOST_CHANNELS = 8
#: samples of all channels together: four hours of 48 kHz in stereo
MOST_SAMPLES = 4 * 3600 * 48_000 * 2

#: CPU seconds that decoding may take: at least, for each second of sound, and for each sample of a channel.
#: Ordinary files need a third of it or less; many tiny frames or packets without sound need more.
CPU_LEAST, CPU_PER_SECOND, CPU_PER_SAMPLE = 5.0, 1 / 100, 1 / 8_000_000

#: share of a file's packets that must decode: a damaged tail or a few bad packets do no harm
DECODABLE = 0.8
#: packets in a row without sound after which a file is given up
FRUITLESS = 2_000
#: packets that `probe` looks at, at most; beyond it the container's own word is taken
PROBED_PACKETS = 200_000
#: packets that `probe` tries to decode
TRIED_PACKETS = 32
#: bytes that FFmpeg may read to learn a stream's parameters
PARAMETERS_WITHIN = 2_000_000
#: bytes that FFmpeg may allocate at once (four hours of AAC at 96 kHz have an index of 32 MB), and streams of a file
LARGEST_PIECE, MOST_STREAMS = 48 << 20, 16
#: encoders pad a file by some frames: seconds that a file may be longer than allowed
LENIENCE = 0.1
#: bound on a sample's magnitude: floats above full scale survive, absurd ones do not
HIGHEST_SAMPLE = 8.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The properties of a file: ``duration`` in seconds, ``sample_rate`` in Hz, channels, FFmpeg's names of codec and
    container."""

    duration: float
    sample_rate: int
    channels: int
    codec: str
    container: str


def probe(data: bytes | Path) -> Probe:
    """Read the properties of an audio file, by scanning its packets and decoding the first ones.

    The duration is counted instead of taken from the header, which can be wrong; it is within 0.1 s of the decoded
    one. Raises `InvalidAudio`: ``empty_audio``, ``unreadable_audio``, ``no_audio_stream``, ``audio_too_short``,
    ``sample_rate_too_high``, ``too_many_channels``, ``too_many_samples``.
    """
    with _open(data) as (container, audio):
        walk = _Walk()
        sounds, decoded = 0, False
        for packet in _packets(container, audio):
            walk.add(packet)
            if not sounds and walk.packets <= TRIED_PACKETS:
                frames = _frames(packet)
                decoded |= frames is not None
                sounds = sum(frame.samples for frame in frames or ())
            if walk.packets == PROBED_PACKETS:
                break
        if not walk.packets:
            raise _nothing(container, audio)
        context = audio.codec_context
        if not sounds and not sum(frame.samples for frame in _flushed(context)):
            raise _too_short() if decoded else _unreadable("It contains no audio that can be decoded.")
        seconds = walk.seconds()
        if not seconds or walk.packets == PROBED_PACKETS:
            seconds = max(seconds, _declared(container, audio))
        rate, channels = _plausible(context.sample_rate, context.channels)
        check_samples(seconds * rate * channels)
        return Probe(seconds, rate, channels, context.name, container.format.name)


def decode(data: bytes | Path, sample_rate: int, *, max_seconds: float, min_seconds: float = 0.0) -> Samples:
    """Decode a whole audio file to float32 [n], mono, at ``sample_rate`` Hz. See `stream`."""
    buffer = bytearray()
    for chunk in stream(data, sample_rate, max_seconds=max_seconds, min_seconds=min_seconds):
        buffer += chunk.tobytes()
    return np.frombuffer(buffer, dtype=np.float32)


def stream(data: bytes | Path, sample_rate: int, *, max_seconds: float, min_seconds: float = 0.0) -> Iterator[Samples]:
    """Decode an audio file to chunks of float32 [n], mono, at ``sample_rate`` Hz, in constant memory.

    Channels are mixed to their mean, or the strongest is used if they would cancel each other out (see `Mixdown`),
    and resampled by soxr (HQ). Packets that cannot be decoded are skipped; if fewer than `DECODABLE` of them can be
    decoded, the file is rejected. A truncated file is read up to its end. Decoding stops as soon as ``max_seconds``,
    `MOST_SAMPLES` or the limit on CPU time are exceeded, regardless of the header. Raises `InvalidAudio`:
    ``empty_audio``, ``unreadable_audio``, ``no_audio_stream``, ``audio_too_long``, ``sample_rate_too_high``,
    ``too_many_channels``, ``too_many_samples``, ``decoding_too_slow``, ``audio_too_short`` (no samples, or less than
    ``min_seconds``; raised at the end).
    """
    resampler = _Resampler(sample_rate)
    budget = _Budget(max_seconds)
    with _open(data) as (container, audio):
        for mono, rate in _mono(container, audio, budget):
            for chunk in resampler.add(mono, rate):
                with budget.paused():
                    yield chunk
    yield from resampler.finish()
    if not budget.seconds or budget.seconds < min_seconds:
        raise _too_short(min_seconds)


def check_duration(seconds: float, *, least: float, most: float) -> None:
    """Refuses a duration outside ``least`` to ``most`` seconds as `stream` does: for use after `probe`."""
    if seconds < least:
        raise _too_short(least)
    if seconds > most + LENIENCE:
        raise too_long(most)


def check_samples(samples: float) -> None:
    """Refuses more samples, of all channels together, than `stream` decodes."""
    if samples > MOST_SAMPLES:
        detail = f"The audio has more than {MOST_SAMPLES} samples (rate x channels x seconds)."
        raise InvalidAudio(detail, code="too_many_samples")


def too_long(most: float) -> InvalidAudio:
    """The error of a file above ``most`` seconds."""
    return InvalidAudio(f"The audio is longer than {most:g} s.", code="audio_too_long")


def _too_short(least: float = 0.0) -> InvalidAudio:
    wanted = f"is shorter than {least:g} s" if least else "holds no samples"
    return InvalidAudio(f"The audio {wanted}.", code="audio_too_short")


def _unreadable(reason: str) -> InvalidAudio:
    return InvalidAudio(f"The audio cannot be read. {reason}", code="unreadable_audio")


@contextmanager
def _open(data: bytes | Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first audio stream."""
    import av
    from av.stream import Discard

    _bound_memory()
    with _file(data) as file:
        try:
            container = av.open(
                file,
                metadata_errors="replace",
                io_open=_refuse,
                container_options={
                    "format_whitelist": CONTAINERS,
                    "codec_whitelist": _audio_decoders(),
                    "protocol_whitelist": "",
                    "probesize": str(PARAMETERS_WITHIN),
                    "max_streams": str(MOST_STREAMS),
                },
            )
        except _failures() as error:
            raise _unreadable("Its container format is unknown or damaged.") from error
        with container:
            streams = container.streams.audio
            if not streams:
                raise InvalidAudio("The file contains no audio.", code="no_audio_stream")
            audio = streams[0]
            if audio.codec_context is None:
                raise _unreadable("Its codec is unknown.")
            if audio.codec_context.sample_rate:
                _plausible(audio.codec_context.sample_rate, audio.codec_context.channels)
            audio.codec_context.thread_count = 1
            for other in container.streams:
                if other.index != audio.index:
                    other.discard = Discard.all
            yield container, audio


@contextmanager
def _file(data: bytes | Path) -> Iterator[IO[bytes]]:
    try:
        with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as file:
            if not file.read(1):
                raise InvalidAudio("The file is empty.", code="empty_audio")
            file.seek(0)
            yield file
    except FileNotFoundError as error:
        raise _unreadable("The file does not exist.") from error


def _refuse(url: str, flags: int, options: dict[str, str]) -> Never:
    raise PermissionError("An audio file must not open another file.")


@lru_cache(maxsize=1)
def _bound_memory() -> None:
    """Bounds what FFmpeg allocates at once in this process: an MP4 of some kB may state an index of gigabytes."""
    from av import _core

    ctypes.CDLL(_core.__file__).av_max_alloc(ctypes.c_size_t(LARGEST_PIECE))


@lru_cache(maxsize=1)
def _audio_decoders() -> str:
    import av
    from av.codec import Codec

    names = []
    for name in av.codecs_available:
        try:
            names.append(name if Codec(name, "r").type == "audio" else "")
        except ValueError:  # an encoder only
            continue
    return ",".join(filter(None, names))


@lru_cache(maxsize=1)
def _failures() -> tuple[type[Exception], ...]:
    """What FFmpeg's and PyAV's errors derive from."""
    import av

    return (av.FFmpegError, ValueError, OSError, EOFError, OverflowError, MemoryError, RuntimeError)


def _packets(container: Any, audio: Any) -> Iterator[Any]:
    """The non-empty packets, up to the end or to where the container is damaged."""
    demuxed = container.demux(audio)
    while True:
        try:
            packet = next(demuxed, None)
        except _failures():
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def _frames(packet: Any) -> list[Any] | None:
    """The frames of a packet; none if it cannot be decoded."""
    try:
        return list(packet.decode())
    except _failures():
        return None


def _flushed(context: Any) -> list[Any]:
    """The frames that remain in the decoder."""
    try:
        return list(context.decode(None))
    except _failures():
        return []


def _mono(container: Any, audio: Any, budget: _Budget) -> Iterator[tuple[Samples, int]]:
    """Decoded chunks and their rates. Raises `InvalidAudio` where too little decodes, or too much or too slowly."""
    mixdown = Mixdown()
    good = bad = fruitless = 0
    for packet in _packets(container, audio):
        frames = _frames(packet)
        good, bad = good + (frames is not None), bad + (frames is None)
        fruitless = 0 if frames else fruitless + 1
        if fruitless > FRUITLESS:
            raise _unreadable("Too much of it does not decode.")
        for frame in frames or ():
            yield from mixdown.add(*budget.add(frame))
        budget.check_time()
    for frame in _flushed(audio.codec_context):
        yield from mixdown.add(*budget.add(frame))
    yield from mixdown.finish()
    if not good + bad:
        raise _nothing(container, audio)
    if good < DECODABLE * (good + bad):
        raise _unreadable("Too much of it does not decode.")


class _Budget:
    """Counts the decoded samples and the CPU seconds that this thread uses for them."""

    def __init__(self, max_seconds: float) -> None:
        self.seconds = 0.0
        self._most = max_seconds
        self._samples = 0
        self._began = time.thread_time()

    def add(self, frame: Any) -> tuple[NDArray[np.floating], int]:
        """The frame's values, float [channels, n], and its rate. Raises `InvalidAudio` beyond the limits."""
        rate, channels = _plausible(frame.sample_rate, frame.layout.nb_channels)
        self.seconds += frame.samples / rate
        if self.seconds > self._most + LENIENCE:
            raise too_long(self._most)
        self._samples += frame.samples * channels
        check_samples(self._samples)
        return _values(frame, channels), rate

    def check_time(self) -> None:
        allowed = CPU_LEAST + self.seconds * CPU_PER_SECOND + self._samples * CPU_PER_SAMPLE
        if time.thread_time() - self._began > allowed:
            raise InvalidAudio("The audio takes too long to decode.", code="decoding_too_slow")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the CPU clock while the caller uses the samples."""
        paused = time.thread_time()
        yield
        self._began += time.thread_time() - paused


def _nothing(container: Any, audio: Any) -> InvalidAudio:
    """The error of a file without packets: damaged if its header declares a duration, else too short."""
    return _unreadable("It contains no audio that can be decoded.") if _declared(container, audio) else _too_short()


def _values(frame: Any, channels: int) -> NDArray[np.floating]:
    """A frame's samples, float [channels, n], bounded."""
    try:
        values = frame.to_ndarray()
    except _failures() as error:
        raise _unreadable("Its sample format is unknown.") from error
    values = values if frame.format.is_planar else values.reshape(-1, channels).T
    if values.dtype.kind in "iu":
        half = float(2 ** (8 * values.dtype.itemsize - 1))
        values = values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
        values = values / half - (1.0 if frame.format.name.startswith("u8") else 0.0)
    values = np.nan_to_num(values, nan=0.0, posinf=HIGHEST_SAMPLE, neginf=-HIGHEST_SAMPLE)
    bounded: NDArray[np.floating] = np.clip(values, -HIGHEST_SAMPLE, HIGHEST_SAMPLE)
    return bounded


def _plausible(rate: int, channels: int) -> tuple[int, int]:
    if rate < LOWEST_RATE:
        raise _unreadable(f"A sample rate of {rate} Hz is not plausible.")
    if rate > HIGHEST_RATE:
        raise InvalidAudio(f"The sample rate is above {HIGHEST_RATE} Hz.", code="sample_rate_too_high")
    if channels < 1:
        raise _unreadable(f"{channels} channels are not plausible.")
    if channels > MOST_CHANNELS:
        raise InvalidAudio(f"The audio has more than {MOST_CHANNELS} channels.", code="too_many_channels")
    return rate, channels


class _Walk:
    """Counts packets and their durations, and looks at the time between the first and the last."""

    def __init__(self) -> None:
        self.packets = 0
        self._sum = 0.0
        self._first: float | None = None
        self._last = 0.0

    def add(self, packet: Any) -> None:
        base = float(packet.time_base or 0)
        length = (packet.duration or 0) * base
        self.packets += 1
        self._sum += length
        if packet.pts is not None:
            begin = packet.pts * base
            self._first = begin if self._first is None else min(self._first, begin)
            self._last = max(self._last, begin + length)

    def seconds(self) -> float:
        """The time between the first and the last packet if it agrees with the durations, else the sum of the
        durations. (A packet's own duration may be unknown or too short, as in Vorbis; timestamps may jump.)"""
        between = self._last - (self._first or 0.0)
        agree = not self._sum or self._sum <= between <= 1.1 * self._sum + 0.5
        return between if agree else self._sum


def _declared(container: Any, audio: Any) -> float:
    """The duration in seconds that the stream or container declares; 0 if neither does."""
    if audio.duration and audio.time_base:
        return max(0.0, float(audio.duration * audio.time_base))
    return max(0.0, (container.duration or 0) / 1_000_000)


class _Resampler:
    """Resamples chunks, whose rate may change between them, to one rate."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._from: int | None = None
        self._soxr: Any = None
        self._taken = self._given = 0

    def add(self, samples: Samples, rate: int) -> Iterator[Samples]:
        if rate != self._from:
            yield from self.finish()
            self._start(rate)
        self._taken += len(samples)
        if self._soxr is not None:
            samples = self._soxr.resample_chunk(samples)
        self._given += len(samples)
        if len(samples):
            yield samples

    def finish(self) -> Iterator[Samples]:
        """The remaining samples; the total is then ``round(n * rate_out / rate_in)`` samples."""
        if self._soxr is None or not self._from:
            return
        rest = self._soxr.resample_chunk(np.zeros(0, np.float32), last=True)
        wanted = max(0, math.floor(self._taken * self.rate / self._from + 0.5) - self._given)
        yield np.pad(rest[:wanted], (0, max(0, wanted - len(rest))))
        self._soxr = None

    def _start(self, rate: int) -> None:
        self._from, self._taken, self._given, self._soxr = rate, 0, 0, None
        if rate != self.rate:
            import soxr

            self._soxr = soxr.ResampleStream(rate, self.rate, 1, dtype="float32", quality="HQ")
