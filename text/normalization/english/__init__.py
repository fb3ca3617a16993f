"""Normalization of English: numbers, dates, times, money, measures, abbreviations.

Each module has rules: a pattern and its replacement, in order of precedence. Text matched by one rule is hidden from
later ones. No pattern repeats without a limit, so normalization takes linear time.
"""

from __future__ import annotations

from text.normalization.english import amounts, dates, electronic, leftovers, places, words
from text.source import Rewrite

RULES = [*electronic.rule, *places.rule, *dates.rule, *amounts.rule, *words.rule, *leftovers.rule]


def rewrites(text: str, region: str = "US") -> list[Rewrite]:
    """The replacements for ``text``, in order.

    ``region`` (ISO 3166) decides how to read 12/05: in the US the month comes first.
    """
    taken = bytearray(len(text))
    found: list[Rewrite] = []
    for pattern, say in RULES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if start == end or any(taken[start:end]):
                continue
            spoken = say(match) if say is not dates.slashed_date else dates.slashed_date(match, region)
            if spoken is not None:
                taken[start:end] = b"\1" * (end - start)
                found.append(Rewrite(start, end, spoken))
    return sorted(found, key=lambda rewrite: rewrite.start)
