"""Tables of Markdown: a row becomes a paragraph, and a comma parts its cells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.source import Rewrite, SourceText

_ROW = re.compile(r"^[ \t]*+\|?[^|\n]*+\|[^\n]*+$", re.MULTILINE)
_DELIMITER = re.compile(r"[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+")
_PIPES = re.compile(r"(?<!\\)\|(?:[ \t]*\|)*")
_STOPS = ".,;:!?…"


def without_tables(text: SourceText) -> SourceText:
    """``text`` without the pipes of tables: rows around a row of dashes, and lines that a pipe begins and ends."""
    return text.rewritten(_changes(text.text)) if "|" in text.text else text


def _changes(text: str) -> Iterator[Rewrite]:
    rows: list[tuple[int, int]] = []
    for found in _ROW.finditer(text):
        if rows and found.start() != rows[-1][1] + 1:
            yield from _group(text, rows)
            rows = []
        rows.append(found.span())
    yield from _group(text, rows)


def _group(text: str, rows: list[tuple[int, int]]) -> Iterator[Rewrite]:
    """The changes of adjacent lines with pipes."""
    kinds = [_DELIMITER.fullmatch(text, start, end) is not None for start, end in rows]
    header = kinds.index(True) - 1 if True in kinds else len(rows)
    for number, (start, end) in enumerate(rows):
        line = text[start:end].strip()
        if kinds[number] and "|" in line:
            yield Rewrite(start, end, "")
        elif number >= header or (len(line) > 2 and line.startswith("|") and line.endswith("|")):
            if number:
                yield Rewrite(start, start, "\n")
            yield from _cells(text, start, end)


def _cells(text: str, start: int, end: int) -> Iterator[Rewrite]:
    done = start
    for pipes in _PIPES.finditer(text, start, end):
        first, last = pipes.span()
        while first > done and text[first - 1] in " \t":
            first -= 1
        while last < end and text[last] in " \t":
            last += 1
        outer = first == start or last == end
        yield Rewrite(first, last, "" if outer else " " if text[first - 1] in _STOPS else ", ")
        done = last
