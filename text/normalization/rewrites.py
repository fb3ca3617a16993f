"""A stretch of text and its spoken replacement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``text[start:end]`` is spoken as ``spoken``."""

    start: int
    end: int
    spoken: str


def apply(text: str, rewrites: Sequence[Rewrite]) -> str:
    """``text`` with all rewrites applied; they must be in order and must not overlap. Replacements are separated from
    adjacent letters and commas."""
    parts: list[str] = []
    at = 0
    for rewrite in rewrites:
        parts += (text[at : rewrite.start], rewrite.spoken)
        at = rewrite.end
    parts.append(text[at:])
    return "".join(_apart(parts))


def _apart(parts: Sequence[str]) -> Iterator[str]:
    last = ""
    for part in filter(None, parts):
        if (last.isalnum() or last in (",", ")")) and part[0].isalnum():
            yield " "
        yield part
        last = part[-1]
