"""Which line ends of a paragraph were meant, and which only keep lines short.

A text that is wrapped by hand or by an e-mail programme has an end of line wherever the next word did not fit. A
heading, a list or a verse has one on purpose.
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

#: A line that may stand for itself has so many characters at most: prose is wrapped at more.
_SHORT = 60
#: One of a block in which every line begins with a capital: so many.
_LISTED = 40
#: A line that was wrapped fills so much of the widest one at least.
_FILLED = 0.75

_SMALL_WORDS = frozenset(
    {"a", "an", "the", "of", "and", "or", "to", "in", "on", "at", "by", "for", "from", "with", "as", "is", "was"}
)


def lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The paragraph from ``start`` to ``end`` in parts that end where a line was ended on purpose.

    That is beside a row of dashes or the like; and behind a short line that does not end in a word that goes on,
    before one that begins with a capital: where that one's first word would well have fitted, or where every line
    begins so. Linear in time."""
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
    """Whether a line begins as a heading, an item of a list or a verse does: with a capital, a digit or a bullet."""
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
    """Whether ``line`` ends as no line does that stands for itself: in a comma, a small word or an abbreviation."""
    if line.endswith((",", "-", "–", "—", "/", "&")) or _WORD.findall(line)[-1].casefold() in _SMALL_WORDS:
        return True
    return line.endswith(".") and not without_stops(f"{line} {following}", "en").startswith(line)
