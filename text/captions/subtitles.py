"""Subtitles as SubRip (SRT) and WebVTT (W3C, Web Video Text Tracks).

SubRip has no specification and no escapes: what players agree on is a number, a line of times, lines of text, and an
empty line. So in both formats a text keeps its line ends but no empty lines, and never holds an arrow, which would be
a line of times to some readers. WebVTT has escapes for ``&``, ``<`` and ``>``; SubRip shows them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.names import SubtitleFormat

MEDIA_TYPES: Mapping[SubtitleFormat, str] = {
    SubtitleFormat.SRT: "application/x-subrip",
    SubtitleFormat.VTT: "text/vtt",
}

#: Characters that are no text: controls but tab and line ends, and halves of surrogate pairs, which UTF-8 cannot hold.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")

_ARROW = re.compile("--+>")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text that is shown from ``start`` to ``end``, in finite seconds."""

    start: float
    end: float
    text: str


def srt(cues: Iterable[Cue]) -> str:
    """The cues as SubRip, without those that have no text."""
    blocks: list[str] = []
    for cue in cues:
        if lines := _lines(cue.text):
            text = _ARROW.sub("->", "\n".join(lines))
            blocks.append(f"{len(blocks) + 1}\n{_times(cue, ',')}\n{text}\n")
    return "\n".join(blocks)


def vtt(cues: Iterable[Cue]) -> str:
    """The cues as WebVTT, without those that have no text."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        if lines := _lines(cue.text):
            text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            blocks.append(f"{_times(cue, '.')}\n{text}\n")
    return "\n".join(blocks)


def _lines(text: str) -> list[str]:
    """The lines of a text that have something on them."""
    lines = (" ".join(line.split()) for line in _NO_TEXT.sub("", text).splitlines())
    return [line for line in lines if line]


def _times(cue: Cue, point: str) -> str:
    """The line of times. A cue lasts for a millisecond at least, as WebVTT wants it."""
    start = max(0, round(cue.start * 1000))
    return f"{_clock(start, point)} --> {_clock(max(start + 1, round(cue.end * 1000)), point)}"


def _clock(milliseconds: int, point: str) -> str:
    """``HH:MM:SS.mmm``, with more digits of hours from 100 on."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
