"""The lines of a text with their positions."""

from __future__ import annotations


def lines_of(text: str) -> list[tuple[int, str]]:
    """Each line of ``text`` without its line end, and the character at which it begins."""
    lines: list[tuple[int, str]] = []
    at = 0
    for line in text.split("\n"):
        lines.append((at, line))
        at += len(line) + 1
    return lines
