"""How ``<say-as>`` reads its text.

English is read by the rules of `text.normalization`. In other languages only letters and digits are taken apart, and
the voice reads numbers and dates itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from text.normalization import normalize, tables
from text.normalization.numbers import cardinal, decimal, digits, fraction, ordinal, roman, year

#: What ``interpret-as`` may be.
KINDS = (
    *("cardinal", "characters", "currency", "date", "digits", "expletive", "fraction", "number", "ordinal"),
    *("spell-out", "telephone", "time", "unit", "verbatim"),
)

_NUMBER = re.compile(r"([-+−]?)([0-9]{1,3}(?:,[0-9]{3})*|[0-9]+)(\.[0-9]+)?")
_ORDINAL = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})*|[0-9]+)\s?(?:st|nd|rd|th|\.|º|ª)?", re.IGNORECASE)
_FRACTION = re.compile(r"([-−]?)(?:([0-9]{1,12})\s?[+\s]\s?)?([0-9]{1,12})\s?[/⁄]\s?([0-9]{1,12})")
_DATE_PART = re.compile(r"[0-9]+|[A-Za-z]+")
_MONTH_FIRST = 70  #: years of two digits from here on are of the last century
_SIGNS = {
    "@": "at", ".": "dot", "-": "dash", "_": "underscore", "/": "slash", "#": "hash", "&": "and", "+": "plus",
    "*": "star", "%": "percent", "$": "dollar", "=": "equals", ":": "colon", ";": "semicolon", ",": "comma",
    "'": "apostrophe", "’": "apostrophe", '"': "quote", "(": "open parenthesis", ")": "close parenthesis",
    "?": "question mark", "!": "exclamation mark", "\\": "backslash", "<": "less than", ">": "greater than",
    "[": "open bracket", "]": "close bracket", "{": "open brace", "}": "close brace", "|": "bar", "~": "tilde",
    "^": "caret", "`": "backtick", "€": "euro", "£": "pound",
}  # fmt: skip


def is_english(language: str) -> bool:
    """Whether a BCP 47 tag names a kind of English."""
    return re.split("[-_]", language, maxsplit=1)[0].lower() == "en"


def said(kind: str, layout: str, text: str, language: str) -> str | None:
    """The words for ``text`` as one of `KINDS`; None where it is none, or where the voice reads it as it is.

    ``layout``: the order of a date (``mdy``) or of a time.
    """
    english = is_english(language)
    if kind in ("characters", "spell-out", "verbatim"):
        return _spelled(text, english)
    if kind == "expletive":
        return "beep"
    if kind in ("digits", "telephone"):
        return _digits(text, english)
    if not english:
        return None
    if kind == "date" and layout:
        return _date(text, layout)
    if kind in _READERS:
        return _READERS[kind](text)
    return _normalized(text, language)


def _normalized(text: str, language: str) -> str | None:
    read = normalize(text, language) if any(c.isnumeric() for c in text) else text
    return None if read == text or any(c.isdigit() for c in read) else read


def _spelled(text: str, english: bool) -> str | None:
    # A comma, since "a" before another word is not read as the letter.
    return ", ".join(filter(None, (_character(c, english) for c in text))) or None


def _character(c: str, english: bool) -> str:
    if english and c in "0123456789":
        return digits(c)
    if english and c in _SIGNS:
        return _SIGNS[c]
    upper = c.upper()
    return (upper if len(upper) == 1 else c) if c.isalnum() else ""


def _digits(text: str, english: bool) -> str | None:
    groups = []
    for group in re.findall(r"[0-9]+|[^\W0-9_]+|\+", text):
        if group[0] in "0123456789":
            groups.append(digits(group) if english else " ".join(group))
        elif group == "+":
            groups.append("plus" if english else "+")
        else:
            groups.append(group)
    return ", ".join(groups) or None


def _cardinal(text: str) -> str | None:
    text = text.strip()
    if (value := roman(text)) is not None:
        return cardinal(value)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign = {"-": "minus ", "−": "minus ", "+": "plus "}.get(found[1], "")
    whole = found[2].replace(",", "")
    words = digits(whole) if len(whole) > _MAX_WHOLE else decimal(f"{whole}{found[3] or ''}")
    return f"{sign}{words}"


_MAX_WHOLE = 100  #: digits of a number that is read as one


def _ordinal(text: str) -> str | None:
    text = text.strip()
    if (value := roman(text)) is not None:
        return ordinal(value)
    found = _ORDINAL.fullmatch(text)
    if found is None or len(found[1]) > _MAX_WHOLE:
        return None
    number = int(found[1].replace(",", ""))
    return ordinal(number) if number else "zeroth"


def _fraction(text: str) -> str | None:
    found = _FRACTION.fullmatch(text.strip())
    if found is None:
        return _normalized(text, "en")  # ½
    words = fraction(int(found[3]), int(found[4]))
    if found[2]:
        words = f"{cardinal(int(found[2]))} and {'a' + words[3:] if words in _ONE_PART else words}"
    return f"minus {words}" if found[1] else words


_ONE_PART = frozenset({"one half", "one quarter"})

_READERS: Mapping[str, Callable[[str], str | None]] = {
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "fraction": _fraction,
}


# -- dates


def date_order(layout: str) -> str | None:
    """The order of a date's parts: ``mdy`` for ``mdy``, ``MM/DD/YYYY`` and the like; None where it is none."""
    order = re.sub(r"(.)\1+", r"\1", re.sub(r"[^a-z]", "", layout.lower()))
    return order if order and len(set(order)) == len(order) and set(order) <= set("ymd") else None


def _date(text: str, layout: str) -> str | None:
    order = date_order(layout)
    parts = _DATE_PART.findall(re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text))
    if order is None:
        return None
    if len(parts) == 1 and len(order) == 3 and len(parts[0]) == 8 and parts[0].isdigit():
        parts = _apart(parts[0], order)
    if len(parts) != len(order):
        return None
    given = dict(zip(order, parts, strict=True))
    month = day = said_year = ""
    if "m" in given:
        name = given["m"]
        number = _small(name) if name.isdigit() else tables.MONTH_SHORT.get(name[:3].lower(), 0)
        if not 1 <= number <= len(tables.MONTHS) or (name.isalpha() and not _is_month(name, number)):
            return None
        month = tables.MONTHS[number - 1]
    if "d" in given:
        if not 1 <= _small(given["d"]) <= 31:
            return None
        day = ordinal(_small(given["d"]))
    if "y" in given:
        if not given["y"].isdigit() or len(given["y"]) > 4:
            return None
        said_year = _year(given["y"])
    return " ".join(filter(None, (month, day, said_year)))


def _small(written: str) -> int:
    return int(written) if written.isdigit() and len(written) <= 2 else 0


def _apart(date: str, order: str) -> list[str]:
    parts, at = [], 0
    for part in order:
        size = 4 if part == "y" else 2
        parts.append(date[at : at + size])
        at += size
    return parts


def _is_month(name: str, number: int) -> bool:
    return tables.MONTHS[number - 1].lower().startswith(name.lower()) or name.lower() == "sept"


def _year(written: str) -> str:
    number = int(written)
    if len(written) == 2:
        number += 1900 if number >= _MONTH_FIRST else 2000
    return year(number)
