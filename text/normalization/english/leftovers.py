"""Rules that come last: signs, words with digits, single years, and plain numbers."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import MINUS, NUMBER, Match, Rules, number_words, quantity
from text.normalization.numbers import cardinal, decimal, digits, year

rule = Rules()

# -- signs that belong to a word


@rule(r"(?<![\w:.,])(?P<a>\d{1,4}):(?P<b>\d{1,4})(?![\w:]|[.,]\d)")
def _ratio(m: Match) -> str:
    return f"{number_words(m['a'])} to {number_words(m['b'])}"


@rule(r"(?<=[A-Za-z\d)])(?P<power>[²³])")
def _power(m: Match) -> str:
    return " squared" if m["power"] == "²" else " cubed"


_SUBSCRIPTS = {ord(c): str(n) for n, c in enumerate("₀₁₂₃₄₅₆₇₈₉")}


@rule(r"[₀-₉]+")
def _subscript(m: Match) -> str:
    after = m.string[m.end() : m.end() + 1]
    return f" {cardinal(int(m[0].translate(_SUBSCRIPTS)))}{' ' if after.isalnum() else ''}"


@rule(r"(?<=\b[A-Z])(?:\+\+|\#)(?![\w+\#])")
def _language_name(m: Match) -> str:
    return " plus plus" if m[0] == "++" else " sharp"


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})\s?¢")
def _cents(m: Match) -> str:
    return f"{number_words(m['n'])} cent{'' if quantity(m['n']) == 1 else 's'}"


# -- the rest: words with digits, signs, numbers


@rule(r"(?<![\w.])401\(k\)s?")
def _pension(m: Match) -> str:
    return "four oh one k" + ("s" if m[0].endswith("s") else "")


@rule(r"(?<![\w.,$€£¥/:-])(?P<y>1[1-9]\d\d|20[0-3]\d)(?P<s>['’]s)?(?![\w]|[.,:/]\d|\s?[%°-]\d?)")
def _year(m: Match) -> str | None:
    before = m.string[: m.start()].rstrip().lower()
    after = m.string[m.end() :].lstrip().lower()
    if re.search(
        r"\b(?:divide|multiply|page|number|about|over|under|than|least|most|nearly|almost|exactly|some)$", before
    ):
        return None
    if re.match(r"(?:[a-z]+s\b(?!\s*(?:,|\.|$))(?<!was)(?<!is)(?<!has))", after) and not re.search(
        r"(?:in|since|of|by|until|from|to|year|\()$", before
    ):
        return None
    if re.match(
        r"(?:hundred|thousand|million|billion|people|miles|feet|men|women|units|meters|by|times|plus|minus)\b", after
    ):
        return None
    return year(int(m["y"])) + (m["s"] or "")


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})(?=[A-Z]{{2,}}\b)")
def _number_before_capitals(m: Match) -> str:
    return number_words(m["n"])


@rule(r"(?<![\w.,])\d+\.\d+-(?=[A-Za-z]{2,})")
def _decimal_compound(m: Match) -> str:
    return f"{decimal(m[0][:-1])} "


@rule(r"(?<![\w.])\d{1,2}-(?=[A-Za-z]{2,})")
def _compound(m: Match) -> str:
    return f"{cardinal(int(m[0][:-1]))}-"


@rule(r"(?<=[A-Za-z])-(?P<n>\d{1,3})(?![\w-]|[.,]\d)")
def _behind_hyphen(m: Match) -> str:
    return f"-{cardinal(int(m['n']))}"


@rule(r"(?<![\w.,])(?=\w*\d)(?=\w*[A-Za-z])(?P<first>[A-Za-z]+|\d+)\w*(?!\w|\.\d)")
def _letters_and_digits(m: Match) -> str | None:
    parts = re.findall(r"[A-Za-z]+|\d+|_", m[0])
    if "".join(parts) != m[0]:
        return None
    words = []
    for place, part in enumerate(parts):
        if part.isdigit():
            long = len(part) > 2 or part[0] == "0"
            words.append(" ".join(digits(c) for c in part) if long else cardinal(int(part)))
        elif part == "_":
            words.append("underscore")
        else:
            words.append(part if place or len(part) > 1 else part.upper() if part.isupper() else part)
    return " ".join(words)


@rule(rf"(?P<minus>{MINUS})?(?<![\w])(?<!\.(?=\.))(?P<number>{NUMBER}|\d[\d,]*\d)(?![\w])")
def _plain_number(m: Match) -> str:
    text = m[0]
    if re.fullmatch(r"[-−–]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?", text):
        return number_words(text)
    return ", ".join(number_words(part) for part in text.split(",") if part)


@rule(r"\d+")
def _any_digits(m: Match) -> str:
    before = m.string[m.start() - 1 : m.start()]
    after = m.string[m.end() : m.end() + 1]
    said = number_words(m[0]) if len(m[0]) <= 9 else digits(m[0])
    return f"{' ' if before.isalnum() else ''}{said}{' ' if after.isalnum() else ''}"


@rule("[" + re.escape("".join(tables.SIGNS)) + "]")
def _sign(m: Match) -> str:
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    left, right = ("" if not c or c.isspace() else " " for c in (before, after))
    return f"{left}{tables.SIGNS[m[0]]}{right}"


@rule(r"(?<=[A-Za-z])\s?/\s?(?=[A-Za-z])")
def _slash(m: Match) -> str | None:
    around = m.string[max(0, m.start() - 3) : m.end() + 3].lower()
    return None if "and/or" in around.replace(" ", "") else " slash "
