"""Rules that come last: signs, words with digits, single years, and plain numbers."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.acronyms import spelled
from text.normalization.english.rules import MINUS, NUMBER, Match, Rules, after, before, number_words
from text.normalization.numbers import cardinal, decimal, digits, spoken_pairs, year

rule = Rules()

# -- signs that belong to a word


_BOOKS = (
    "Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Judges|Samuel|Kings|Chronicles|Psalms?|Proverbs|Isaiah|Jeremiah"
    "|Ezekiel|Daniel|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians|Hebrews|James|Peter|Revelation"
)


@rule(rf"(?<!\w)(?P<book>{_BOOKS})\s(?P<a>\d{{1,3}}):(?P<b>\d{{1,3}})(?:[-–](?P<c>\d{{1,3}}))?(?![\w:])", needs=":")
def _verse(m: Match) -> str:
    last = f" to {cardinal(int(m['c']))}" if m["c"] else ""
    return f"{m['book']} {cardinal(int(m['a']))} {cardinal(int(m['b']))}{last}"


@rule(
    r"(?<![\w\d.,])(?P<n>\d{1,3}(?:[\u00a0\u202f\u2009]\d{3})+|\d{1,3}(?:\s\d{3}){2,6}|\d{1,3}(?:\.\d{3}){2,6})(?![\w]|[.,\s]\d)"
)
def _grouped(m: Match) -> str:
    """1 000 000 and 1.000.000, as most of Europe writes them."""
    return number_words(re.sub(r"\D", "", m["n"]))


@rule(r"(?<![\w:.,])(?P<a>\d{1,4}):(?P<b>\d{1,4})(?![\w:]|[.,]\d)")
def _ratio(m: Match) -> str:
    return f"{number_words(m['a'])} to {number_words(m['b'])}"


_SUBSCRIPTS = {ord(c): str(n) for n, c in enumerate("₀₁₂₃₄₅₆₇₈₉")}


@rule(r"[₀-₉]+", needs="₀₁₂₃₄₅₆₇₈₉")
def _subscript(m: Match) -> str:
    after = m.string[m.end() : m.end() + 1]
    return f" {cardinal(int(m[0].translate(_SUBSCRIPTS)))}{' ' if after.isalnum() else ''}"


@rule(r"(?<=\b[A-Z])(?:\+\+|\#)(?![\w+\#])", needs="+#")
def _language_name(m: Match) -> str:
    return " plus plus" if m[0] == "++" else " sharp"


# -- the rest: words with digits, signs, numbers


@rule(r"(?<![\w.])401\(k\)s?")
def _pension(m: Match) -> str:
    return "four oh one k" + ("s" if m[0].endswith("s") else "")


_NO_YEAR_BEFORE = re.compile(
    r"\b(?:divide|multiply|page|number|about|over|under|than|least|most|nearly|almost|exactly|some)\s*$"
)
_YEAR_BEFORE = re.compile(r"(?:in|since|of|by|until|from|to|year|\()\s*$")
_NO_YEAR_BEHIND = re.compile(
    r"\s*(?:hundred|thousand|million|billion|people|miles|feet|men|women|units|meters|by|times|plus|minus)\b"
)
_PLURAL = re.compile(r"\s*(?!was\b|is\b|has\b|as\b|this\b|its\b|his\b)[a-z]+s\b(?!\s*(?:,|\.|$))")


@rule(r"(?<![\w.,$€£¥/:-])(?P<y>1[1-9]\d\d|20[0-3]\d)(?P<s>['’]s)?(?!\w|[.,:/]\d|\s?[%°]|-[\dA-Za-z]|\s-\d)")
def _year(m: Match) -> str | None:
    behind, ahead = before(m), after(m)
    if _NO_YEAR_BEFORE.search(behind) or _NO_YEAR_BEHIND.match(ahead):
        return None
    if _PLURAL.match(ahead) and not _YEAR_BEFORE.search(behind):
        return None  # 1900 sheep and 1900 cars
    return year(int(m["y"])) + (m["s"] or "")


@rule(r"(?<![\w.,])802\.(?P<n>\d{1,2})(?P<letters>[a-z]{0,2})(?!\w)")
def _wireless(m: Match) -> str:
    return f"eight oh two dot {cardinal(int(m['n']))} {m['letters'].upper()}".strip()


@rule(r"(?<![\w.,])(?P<n>\d+\.\d+)(?P<letters>[A-Za-z]{1,10})(?!\w)")
def _decimal_with_letters(m: Match) -> str:
    return f"{decimal(m['n'])} {m['letters']}"


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


@rule(r"(?<![\w.,])(?:240|360|480|576|720|1080|1440|2160|4320)(?P<p>[pi])(?!\w)")
def _lines(m: Match) -> str:
    return f"{spoken_pairs(m[0][:-1])} {m['p']}"


@rule(r"(?<![\w.,-])(?P<letter>[A-Z])(?P<n>\d{3})(?!\w|[.,]\d)")
def _letter_and_three(m: Match) -> str:
    """The A380 is "three eighty", the A307 "three oh seven", and H264 "two six four"."""
    number = m["n"]
    said = spoken_pairs(number) if number[2] == "0" and number[0] != "0" else digits(number, "oh")
    return f"{m['letter']}{'-' if m['letter'] == 'A' else ' '}{said}"


@rule(r"(?<![\w.,])(?=\w*\d)(?=\w*[A-Za-z])(?P<first>[A-Za-z]+|\d+)\w*(?!\w|\.\d)")
def _letters_and_digits(m: Match) -> str | None:
    """Model numbers, codes: B2B, ipv6, FX2024, ab9453."""
    parts = re.findall(r"[A-Za-z]+|\d+|_", m[0])
    if "".join(parts) != m[0]:
        return None
    said = ""
    for place, part in enumerate(parts):
        last = parts[place - 1] if place else ""
        if part.isdigit():
            dated = len(last) > 2 and re.fullmatch(r"(?:19|20)\d\d", part)
            long = len(part) > 2 or part[0] == "0"
            one = year(int(part)) if dated else " ".join(map(digits, part)) if long else cardinal(int(part))
        elif part == "_":
            one = "underscore"
        elif part[-1] == "v" and len(part) > 1 and place + 1 < len(parts):
            head = part[:-1]
            one = f"{head.upper() if len(head) < 3 else head} v"
        else:
            one = spelled(part)
        said += f"{'-' if last == 'A' and part.isdigit() else ' ' if place else ''}{one}"
    return said


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


@rule(r"(?<![\w&])\#(?=[A-Za-z]\w)(?![0-9A-Fa-f]{6}\b)", needs="#")
def _hashtag(_: Match) -> str:
    return "hashtag "


@rule("[" + re.escape("".join(tables.SIGNS)) + "]", needs="".join(tables.SIGNS))
def _sign(m: Match) -> str:
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    left, right = ("" if not c or c.isspace() else " " for c in (before, after))
    return f"{left}{tables.SIGNS[m[0]]}{right}"


@rule(r"(?<=[A-Za-z])\s?/\s?(?=[A-Za-z])", needs="/")
def _slash(m: Match) -> str | None:
    around = m.string[max(0, m.start() - 3) : m.end() + 3].lower()
    return None if "and/or" in around.replace(" ", "") else " slash "
