"""Chapter marks of an audio book, as players show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

#: Bytes of a title in UTF-8: Nero's list of chapters counts them in one byte.
MAX_TITLE_BYTES = 255

#: The unit of marks in a file.
_TIME_BASE = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class ChapterMark:
    """Where a chapter begins, in seconds."""

    title: str
    start: float


def readable_title(title: str, number: int) -> str:
    """A title for players: without control characters, of at most `MAX_TITLE_BYTES`; ``Chapter 3`` where nothing
    remains (``number`` counts from 1)."""
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in title)
    plain = " ".join(spaced.split())
    if len(plain.encode()) > MAX_TITLE_BYTES:
        plain = plain.encode()[: MAX_TITLE_BYTES - len("…".encode())].decode(errors="ignore").rstrip() + "…"
    return plain or f"Chapter {number}"


def book_chapters(chapters: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> list[ChapterMark]:
    """The chapters (``title`` and ``start`` of each) of an audio book; without any, one that has the title of the
    whole."""
    if not chapters:
        return [ChapterMark(tags.get("title", ""), 0.0)]
    return [ChapterMark(chapter["title"], chapter["start"]) for chapter in chapters]


def marks_of(chapters: Sequence[ChapterMark], duration: float) -> list[dict[str, Any]]:
    """The marks in PyAV's form: each chapter lasts until the next one, the last one until ``duration`` seconds."""
    starts = [min(round(chapter.start / _TIME_BASE), round(duration / _TIME_BASE)) for chapter in chapters]
    spans = pairwise([*starts, max([round(duration / _TIME_BASE), *starts[-1:]])])
    return [
        {
            "id": number,
            "start": start,
            "end": max(start, end),
            "time_base": _TIME_BASE,
            "metadata": {"title": readable_title(chapter.title, number)},
        }
        for number, (chapter, (start, end)) in enumerate(zip(chapters, spans, strict=True), 1)
    ]
