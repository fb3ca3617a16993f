"""Normalization of English: numbers, dates, times, money, measures, abbreviations.

Each module has rules: a pattern and its replacement, in order of precedence. Text matched by one rule is hidden from
later ones. No pattern repeats without a limit, so normalization takes linear time.
"""

from __future__ import annotations

from text.normalization.english import (
    acronyms,
    amounts,
    codes,
    dates,
    electronic,
    homographs,
    leftovers,
    maths,
    measures,
    places,
    roman,
    times,
    words,
)
from text.normalization.english.rules import DIGITS
from text.source import Rewrite

RULES = [
    *electronic.rule,
    *codes.rule,
    *places.rule,
    *dates.rule,
    *times.rule,
    *amounts.rule,
    *maths.rule,
    *measures.rule,
    *maths.powers,
    *roman.rule,
    *words.rule,
    *acronyms.rule,
    *leftovers.rule,
]

#: Also those that give phonemes instead of words.
READINGS = [*acronyms.letters, *RULES]


def rewrites(text: str, region: str = "US", *, readings: bool = False) -> list[Rewrite]:
    """The replacements for ``text``, in order.

    ``region`` (ISO 3166) decides how to read 12/05: in the US the month comes first.
    ``readings``: also the inline phonemes of words that are spelled alike.
    """
    present = frozenset(text)
    if not text.isascii() and any(map(str.isdecimal, present)):
        present |= frozenset(DIGITS)
    taken = bytearray(len(text))
    found: list[Rewrite] = []
    for needs, pattern, say in READINGS if readings else RULES:
        if needs and needs.isdisjoint(present):
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if start == end or taken.find(1, start, end) >= 0:
                continue
            spoken = say(match) if say is not dates.slashed_date else dates.slashed_date(match, region)
            if spoken is not None:
                taken[start:end] = b"\1" * (end - start)
                found.append(Rewrite(start, end, spoken))
    if readings:
        found += (one for one in homographs.homographs(text) if taken.find(1, one.start, one.end) < 0)
    return sorted(found, key=lambda rewrite: rewrite.start)
