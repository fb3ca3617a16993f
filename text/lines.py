"""Distinguishes deliberate line breaks in a paragraph from line wrapping.

In text wrapped by hand or by an e-mail program, a line ends wherever the next word did not fit. A heading, a list or
a verse has deliberate line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from text.abbreviations import without_stops

_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"\S+")
_BULLET = re.compile(r"(?:[-*•‣–—+]|\(?\d{1,3}[.)]|#+)\s")
#: A rule across the page, or what underlines a heading.
_RULE = re.compile(r"(?:[^\w\s]\s?){3,}")
_OPENING = "\"'“”‘’«„([*_"

#: Maximum characters of a line with a deliberate break; prose is wrapped at more.
_SHORT = 60
#: The same in a block in which every line starts with a capital.
_LISTED = 40
#: A line that was wrapped fills so much of the widest one at least.
_FILLED = 0.75

_SMALL_WORDS = frozenset(
    {"a", "an", "the", "of", "and", "or", "to", "in", "on", "at", "by", "for", "from", "with", "as", "is", "was"}
)


def lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split the paragraph from ``start`` to ``end`` at its deliberate line breaks.

    These are breaks next to a row of dashes or similar, and breaks after a short line that ends a phrase, before a
    line that starts with a capital, if the first word of the latter would have fitted, or if every line starts with a
    capital. Takes linear time.
    """
    found = [(line.start() + start, line.end() + start) for line in _LINE.finditer(text[start:end])]
    found = [(first, last) for first, last in found if text[first:last].strip()]
    if len(found) < 2:
        yield start, end
        return
    widest = max(len(text[first:last].rstrip()) for first, last in found)
    listed = all(_begins(text[first:last]) for first, last in found)
    at = start
    for (first, last), (following, until) in pairwise(found):
        if _meant(text[first:last].rstrip(), text[following:until], widest, listed):
            yield at, last
            at = following
    yield at, end


def _begins(line: str) -> bool:
    """Whether a line starts like a heading, a list item or a verse: with a capital, a digit or a bullet."""
    line = line.lstrip()
    if _BULLET.match(line):
        return True
    first = line.lstrip(_OPENING)[:1]
    return first.isdigit() or first.isupper() or first.istitle()


def _meant(line: str, following: str, widest: int, listed: bool) -> bool:
    """Whether ``line`` was ended on purpose before ``following``."""
    if _RULE.fullmatch(line.strip()) or _RULE.fullmatch(following.strip()):
        return True
    if len(line) > _SHORT or not _begins(following) or _is_open(line, following):
        return False
    if _BULLET.match(following.lstrip()):
        return True
    word = _WORD.search(following)
    fits = len(line) + 1 + len(word[0] if word else "") <= _FILLED * widest
    return fits or (listed and len(line) <= _LISTED)


def _is_open(line: str, following: str) -> bool:
    """Whether ``line`` ends inside a phrase: with a comma, a small word or an abbreviation."""
    if line.endswith((",", "-", "–", "—", "/", "&")) or _WORD.findall(line)[-1].casefold() in _SMALL_WORDS:
        return True
    return line.endswith(".") and not without_stops(f"{line} {following}", "en").startswith(line)
