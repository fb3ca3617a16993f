"""What e-mail adds to a text: quote marks at the start of lines, and lines broken for transport (RFC 3676)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.lines import lines_of
from text.source import Rewrite, SourceText

_QUOTED = re.compile(r"^[ ]{0,3}>", re.MULTILINE)
_MARKS = re.compile(r"[ ]{0,3}(?:>[ \t]?){1,50}+(?![=>])")
#: Widest first word that a line of format=flowed has room for: shorter lines ended on purpose.
_NARROW = 40


def without_quote_marks(text: SourceText) -> SourceText:
    """``text`` without the ``>`` before lines of a quotation, in e-mail and in Markdown. Where a quotation begins or
    ends inside a paragraph, a blank line parts it."""
    return text.rewritten(_unquoted(text.text)) if _QUOTED.search(text.text) else text


def without_flowed_breaks(text: SourceText) -> SourceText:
    """``text`` with the paragraphs in one line that were sent as format=flowed, where a space ends each line that goes
    on."""
    return text.rewritten(_flowed(text.text)) if " \n" in text.text else text


def _unquoted(text: str) -> Iterator[Rewrite]:
    lines = lines_of(text)
    marks = [_MARKS.match(line) for _, line in lines]
    before, quoted = "", True  # the line before, and whether it was quoted
    for number, (start, line) in enumerate(lines):
        found = marks[number]
        if found is not None and before and not quoted and _is_sum(before, line[found.end() :]):
            beside = number + 1 < len(lines) and marks[number + 1] is not None
            found = found if beside else None
        rest = line[found.end() :] if found else line
        if found:
            yield Rewrite(start, start + found.end(), "\n" if before and not quoted else "")
        elif quoted and before and rest.strip() and not rest.lstrip()[:1].islower():
            yield Rewrite(start, start, "\n")
        before, quoted = rest.strip(), found is not None


def _is_sum(before: str, rest: str) -> bool:
    """Whether ``>`` between two lines compares numbers."""
    return rest[:1].isdigit() and not before.endswith((":", ".", "!", "?"))


def _flowed(text: str) -> Iterator[Rewrite]:
    ends: list[int] = []  # of the paragraph's lines so far, each with a space before it
    flowed = True
    for start, line in lines_of(text):
        end = start + len(line)
        if _goes_on(line) and end < len(text):
            ends.append(end)
            continue
        if flowed and line.strip():
            yield from (Rewrite(at, at + 1, "") for at in ends)
        ends, flowed = [], not line.strip()


def _goes_on(line: str) -> bool:
    return len(line) > _NARROW and line.endswith(" ") and not line.endswith("  ")
