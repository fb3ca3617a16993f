"""What FFmpeg encodes: MP3 (LAME), Opus in Ogg (libopus), AAC in MPEG-4 or ADTS, FLAC; to a file or to a stream."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from audio.chapters import ChapterMark, marks_of
from audio.cover import Cover
from audio.samples import Samples
from audio.sinks.id3 import id3_tag
from audio.sinks.pcm import to_pcm16, to_pcm24
from audio.sinks.timed_text import Caption, TimedText
from core.names import AudioFormat, SampleEncoding

MP3_QUALITY = 2  #: LAME's -V, from 0 (best) to 9
STREAM_PAGE = 20_000  #: microseconds of audio in one page of Ogg, where it is heard as it is made

#: The name of a container, and its options.
_Container: TypeAlias = tuple[str, Mapping[str, str]]

#: codec, sample format, and the container with its options, of a file and of a stream
_FFMPEG: Mapping[AudioFormat, tuple[str, str, _Container, _Container]] = {
    AudioFormat.MP3: (
        *("libmp3lame", "fltp"),
        *(("mp3", {"id3v2_version": "0"}), ("mp3", {"write_xing": "0", "id3v2_version": "0"})),
    ),
    AudioFormat.OPUS: ("libopus", "flt", ("ogg", {}), ("ogg", {"page_duration": str(STREAM_PAGE)})),
    AudioFormat.M4A: ("aac", "fltp", ("ipod", {"movflags": "+faststart"}), ("adts", {})),
    AudioFormat.M4B: ("aac", "fltp", ("mp4", {"movflags": "+faststart", "brand": "M4B "}), ("adts", {})),
    AudioFormat.FLAC: ("flac", "s16", ("flac", {}), ("flac", {})),
}

#: For M4A with a cover: the muxer for iPods, which writes the same, takes no pictures.
_M4A_WITH_COVER = ("mp4", {"movflags": "+faststart", "brand": "M4A "})

#: The kind of media of an audio book in iTunes' ``stik``, and its genre unless the tags name another.
_BOOK_TAGS = {"genre": "Audiobook", "media_type": "2"}

#: Of the codecs. FFmpeg's default search for AAC's quantizers ("twoloop") misses speech by 5 to 10 dB more at the same
#: bit rate, with peaks up to 4 dB above those of the source, and takes twice as long.
_OPTIONS = {format: {"aac_coder": "fast"} for format in (AudioFormat.M4A, AudioFormat.M4B)}

#: LAME 3.100 turns what it encodes at a constant bit rate down by the factor ``scale`` of its presets (presets.c,
#: abr_switch_map): up to 160, 192 and 224 kbit/s; not at higher ones.
_LAME_SCALES = ((160_000, 0.95), (192_000, 0.97), (224_000, 0.98))


class FfmpegSink:
    """Writes to a file, or to any object with a ``write`` method, immediately and without metadata that is only known
    at the end: AAC as ADTS (ISO/IEC 13818-7), MP3 without a table of seek points.

    A file has its ``tags`` and, unless it is Opus, its ``cover``; that of AAC has its index at the start, and that of
    MP3 a Xing header with the duration. ``bit_rate`` in bits per second; None is near transparency. FLAC has 24 bits
    with ``PCM_S24``, else 16. ``captions``: a file in MPEG-4 will have a track of them.
    """

    def __init__(
        self,
        target: Path | io.RawIOBase,
        format: AudioFormat,
        rate: int,
        *,
        encoding: SampleEncoding | None = None,
        bit_rate: int | None = None,
        tags: Mapping[str, str] | None = None,
        cover: Cover | None = None,
        captions: bool = False,
    ) -> None:
        import av

        codec, self._format, in_file, in_stream = _FFMPEG[format]
        if encoding is SampleEncoding.PCM_S24:
            self._format = "s32"
        container, options = in_file if isinstance(target, Path) else in_stream
        if format is AudioFormat.M4A and cover is not None:
            container, options = _M4A_WITH_COVER
        if not isinstance(target, Path):
            options = {**options, "flush_packets": "1"}
        self._file: _Behind | None = None
        place: Any = f"file:{target.absolute()}" if isinstance(target, Path) else target
        if format is AudioFormat.MP3 and isinstance(target, Path):
            place = self._file = _Behind(target.open("w+b"), id3_tag(tags or {}, cover))
        self._rate, self._count, self._gain = rate, 0, 1.0
        self._container: Any = av.open(place, "w", format=container, options=options)
        self._stream: Any = self._container.add_stream(codec, rate=rate, layout="mono", options=_OPTIONS.get(format))
        if format is AudioFormat.MP3 and bit_rate is None:
            self._stream.codec_context.qscale = True
            self._stream.codec_context.global_quality = MP3_QUALITY
        elif format is not AudioFormat.FLAC:
            self._stream.bit_rate = bit_rate or _bit_rate(format, rate)
        if format is AudioFormat.MP3 and bit_rate is not None:
            self._gain = next((1 / scale for most, scale in _LAME_SCALES if bit_rate <= most), 1.0)
        self._stream.codec_context.format = self._format
        if isinstance(target, Path):
            shown = _BOOK_TAGS if format is AudioFormat.M4B else {}
            self._container.metadata.update({**shown, **(tags or {})})
        picture = None if cover is None or format is AudioFormat.MP3 else self._add_picture(cover)
        self._timed_text = TimedText(self._container) if captions else None
        self._container.start_encoding()
        if picture is not None:
            self._container.mux(picture)

    def write(self, samples: Samples) -> None:
        """Encode samples."""
        import av

        frame = av.AudioFrame.from_ndarray(self._converted(samples)[None], format=self._format, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._count, Fraction(1, self._rate)
        self._count += len(samples)
        self._container.mux(self._stream.encode(frame))

    def mark(self, chapters: Sequence[ChapterMark], duration: float) -> None:
        """Set the chapters of a file in MPEG-4 that lasts ``duration`` seconds. Players read either of their two lists:
        QuickTime's track of titles, or Nero's ``chpl``, which has at most 255."""
        self._container.set_chapters(marks_of(chapters, duration))

    def caption(self, captions: Iterable[Caption]) -> None:
        """Write the captions of a file that was opened with ``captions``."""
        if self._timed_text is not None:
            self._timed_text.write(captions)

    def close(self) -> None:
        """Encode the rest and end the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        if self._file is not None:
            self._file.close()

    def abandon(self) -> None:
        """Give up the file."""
        try:
            self._container.close()
        finally:
            if self._file is not None:
                self._file.close()

    def _add_picture(self, cover: Cover) -> Any:
        """A stream for the cover; the packet for it."""
        import av

        stream = self._container.add_mux_stream(cover.kind.value, width=cover.width, height=cover.height)
        stream.disposition = av.stream.Disposition.attached_pic
        packet: Any = av.Packet(cover.data)
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
        return packet

    def _converted(self, samples: Samples) -> Any:
        if self._format == "s16":
            return to_pcm16(samples)
        if self._format == "s32":  # FLAC takes the upper 24 bits
            return to_pcm24(samples) << 8
        return samples if self._gain == 1.0 else samples * np.float32(self._gain)


class _Behind(io.RawIOBase):
    """A file that begins with ``head``; what FFmpeg writes stands behind it, counted from there."""

    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self._file, self._head = file, len(head)
        file.write(head)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset + (self._head if whence == io.SEEK_SET else 0), whence) - self._head

    def tell(self) -> int:
        return self._file.tell() - self._head

    def close(self) -> None:
        self._file.close()
        super().close()


def _bit_rate(format: AudioFormat, rate: int) -> int:
    """Bits per second for one voice, near transparency."""
    if format is AudioFormat.OPUS:
        return 64_000
    return 32_000 if rate <= 12_000 else 64_000 if rate <= 24_000 else 96_000
