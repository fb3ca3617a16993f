"""English, as it is written, to English as it is said: numbers, dates, times, money, measures, abbreviations.

Each module has rules, a pattern and what it becomes, in the order in which they have their say; what one rule has
taken no later one sees. No pattern repeats without a bound, so that all of it takes linear time.
"""

from __future__ import annotations

from text.normalization.english import amounts, dates, electronic, leftovers, places, words
from text.normalization.rewrites import Rewrite

RULES = [*electronic.rule, *places.rule, *dates.rule, *amounts.rule, *words.rule, *leftovers.rule]


def rewrites(text: str, region: str = "US") -> list[Rewrite]:
    """What changes in ``text`` where it is said, in order.

    ``region`` (ISO 3166) decides what 12/05 is: the US write the month first."""
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
