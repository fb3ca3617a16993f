"""A track of subtitles in MPEG-4: 3GPP timed text (3GPP TS 26.245), ``tx3g``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_TIME_BASE = Fraction(1, 1000)
_MAX_TEXT = 2**16 - 1  #: bytes in UTF-8: they are counted in 16 bits

#: The style of all text, in the form that FFmpeg's encoder takes (Advanced SubStation Alpha): white, at the bottom.
_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Alignment\r\n"
    b"Style: Default,Arial,16,&Hffffff,&H0,2\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Text\r\n"
)


@dataclass(frozen=True, slots=True)
class Caption:
    """A text that is shown from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    text: str


class TimedText:
    """The track of a container of PyAV's, added before it is begun."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream: Any = container.add_stream("mov_text")
        self._stream.codec_context.subtitle_header = _HEADER
        self._stream.codec_context.time_base = self._stream.time_base = _TIME_BASE

    def write(self, captions: Iterable[Caption]) -> None:
        """Write captions in order, which do not overlap; the muxer writes empty ones between them."""
        import av

        behind = 0
        for caption in captions:
            text = caption.text.encode()[:_MAX_TEXT].decode(errors="ignore").encode()
            start = max(behind, round(caption.start / _TIME_BASE))
            behind = max(start + 1, round(caption.end / _TIME_BASE))
            packet: Any = av.Packet(len(text).to_bytes(2) + text)
            packet.stream, packet.time_base = self._stream, _TIME_BASE
            packet.pts, packet.dts, packet.duration = start, start, behind - start
            self._container.mux(packet)
