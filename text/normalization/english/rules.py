"""Shared parts of the English rules: the rule registry, parts of patterns, numbers in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from text.normalization import tables, units
from text.normalization.numbers import MAX_DIGITS, cardinal, decimal, digits

Match: TypeAlias = "re.Match[str]"
Say: TypeAlias = Callable[[Match], str | None]
Rule: TypeAlias = "tuple[frozenset[str], re.Pattern[str], Say]"

#: What a text with a number has. `english.rewrites` counts digits of other scripts as these.
DIGITS = "0123456789"

#: Digits from which on a number without commas is a code, unless it ends in six zeros.
_ENDLESS = 10


class Rules:
    """Patterns and their replacements, in order of precedence.

    ``needs``: characters of which a text must have one for any of the patterns to match, so that texts without are
    passed over.
    """

    def __init__(self, needs: str = DIGITS) -> None:
        self._needs = needs
        self._rules: list[Rule] = []

    def __call__(self, pattern: str, flags: int = 0, *, needs: str | None = None) -> Callable[[Say], Say]:
        """Register the decorated function as the replacement of a match; None leaves the match to later rules."""
        compiled = re.compile(pattern, flags | re.VERBOSE)
        wanted = frozenset(self._needs if needs is None else needs)

        def add(say: Say) -> Say:
            self._rules.append((wanted, compiled, say))
            return say

        return add

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)


WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)"  # a whole number
NUMBER = rf"(?:{WHOLE}(?:\.\d+)?|\.\d+)"  # a number
MINUS = r"(?:(?<![\w.)\]])[-−–](?=[\d.]))"
NO_WORD_AFTER = r"(?![\w])"
NO_WORD_BEFORE = r"(?<![\w])"
MONTH = (
    r"(?P<month>(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?)"
)
ANY_MONTH = f"(?i:{MONTH})"
DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])"
YEAR = r"(?P<year>[12]\d{3})"
SCALE = r"(?P<scale>thousand|million|billion|trillion|quadrillion)"
SIGN = "[" + "".join(sign for sign in units.CURRENCIES if len(sign) == 1) + "]"
CODE = "|".join(re.escape(code) for code in units.CURRENCIES if len(code) > 1)
UNIT = "|".join(re.escape(unit) for unit in sorted(units.UNITS, key=len, reverse=True))
PER = "|".join(re.escape(unit) for unit in sorted(units.PER, key=len, reverse=True))


def month_name(written: str) -> str:
    """``Sept.`` is "September"."""
    key = written.rstrip(".").lower()
    number = tables.MONTH_SHORT.get(key) or tables.MONTH_SHORT[key[:3]]
    return tables.MONTHS[number - 1]


def number_words(text: str) -> str:
    """A number in words, read digit by digit if it is too long."""
    minus = text[0] in "-−–"
    bare = text.lstrip("-−–")
    whole = bare.partition(".")[0].replace(",", "")
    coded = whole.startswith("0") and len(whole) > 1 and "." not in bare
    endless = len(whole) >= _ENDLESS and "," not in bare and not whole.endswith("000000")
    said = digits(bare) if len(whole) > MAX_DIGITS or coded or endless else decimal(bare)
    return f"minus {said}" if minus else said


def quantity(text: str) -> float:
    """The value of a number as it is written."""
    return float(text.replace(",", "").lstrip("-−–") or 0)


def short_year(text: str) -> str:
    """A year of two digits: ``05`` is "oh five"."""
    return f"oh {cardinal(int(text))}" if text[0] == "0" else cardinal(int(text))


def before(m: Match, size: int = 24) -> str:
    """The last ``size`` characters before a match, in small letters."""
    return m.string[max(0, m.start() - size) : m.start()].lower()


def after(m: Match, size: int = 24) -> str:
    """The first ``size`` characters behind a match."""
    return m.string[m.end() : m.end() + size]


def ends_sentence(m: Match) -> bool:
    """Whether a full stop at the end of a match ends a sentence: nothing or a capital follows."""
    return re.match(r"\s*$|\s+[\"“'‘(]?[A-Z]", after(m)) is not None
