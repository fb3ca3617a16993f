"""Dates, years and decades."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import (
    ANY_MONTH,
    DAY,
    NO_WORD_AFTER,
    NO_WORD_BEFORE,
    WHOLE,
    YEAR,
    Match,
    Rules,
    before,
    month_name,
    short_year,
)
from text.normalization.numbers import cardinal, ordinal, plural, year

rule = Rules()

# -- dates


@rule(r"(?<![\w/-])(?P<year>[12]\d{3})-(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])(?:T(?=\d))?(?![\w/-])")
def _iso_date(m: Match) -> str:
    return _date_words(int(m["m"]), int(m["d"]), year(int(m["year"])))


@rule(r"(?<![\w/.-])([12]\d{3})([/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?![\w/-]|\.\d)")
def _year_first(m: Match) -> str:
    return _date_words(int(m[3]), int(m[4]), year(int(m[1])))


@rule(r"(?<![\w/.,-])([12]\d{3})-(0[1-9]|1[0-2])(?![\w/-]|[.,]\d)")
def _year_and_month(m: Match) -> str | None:
    """2020-12; but 2010-12 is a range of years."""
    return f"{tables.MONTHS[int(m[2]) - 1]} {year(int(m[1]))}" if int(m[2]) <= int(m[1]) % 100 else None


def _date_words(month: int, day: int, year_words: str = "") -> str:
    return f"{tables.MONTHS[month - 1]} {ordinal(day)} {year_words}".strip()


@rule(r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|\.\d)")
def slashed_date(m: Match, region: str = "US") -> str | None:
    first, second = int(m[1]), int(m[3])
    day_first = region != "US" or first > 12
    month, day = (second, first) if day_first else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    said = year(int(m[4])) if len(m[4]) == 4 else short_year(m[4])
    if day_first:
        return f"the {ordinal(day)} of {tables.MONTHS[month - 1]} {said}"
    return _date_words(month, day, said)


@rule(
    r"(?:(?<=\bon\s)|(?<=\bby\s)|(?<=\buntil\s)|(?<=\bsince\s)|(?<=\bfrom\s)|(?<=ning\s)|(?<=ting\s)|(?<=\bdue\s))"
    r"(\d{1,2})/(\d{1,2})(?![\w/-]|\.\d)"
)
def _month_slash_day(m: Match) -> str | None:
    month, day = int(m[1]), int(m[2])
    return _date_words(month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


@rule(
    rf"{NO_WORD_BEFORE}{DAY}(?:st|nd|rd|th)?(?:\sof)?[\s-]{ANY_MONTH}(?P<comma>,)?(?:[\s-]+{YEAR}(?![\w%]|,?\d))?(?![\w])"
)
def _day_month(m: Match) -> str | None:
    if (
        m["month"].rstrip(".").lower() in ("may", "march", "mar", "dec", "sep", "jan")
        and m["month"][0].islower()
        and ("-" not in m[0] and not m["year"] and m["month"].lower() != "may")
    ):
        return None
    comma = m["comma"] or ""
    tail = f"{comma} {year(int(m['year']))}" if m["year"] else comma
    behind = before(m).rstrip()
    article = "" if re.search(r"(?:^|\s)the$", behind) else "the "
    return f"{article}{ordinal(int(m['day']))} of {month_name(m['month'])}{tail}"


@rule(
    rf"{NO_WORD_BEFORE}{ANY_MONTH}\s{DAY}(?:st|nd|rd|th)?\s?[-–]\s?(?P<last>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
    rf"(?:(?P<comma>,)?\s{YEAR})?(?![\w%:/-]|[.,]\d)"
)
def _month_days(m: Match) -> str | None:
    """May 5-7, 2024."""
    if m["month"] in ("may", "march", "mar") or int(m["day"]) >= int(m["last"]):
        return None
    tail = f"{m['comma'] or ''} {year(int(m['year']))}" if m["year"] else ""
    return f"{month_name(m['month'])} {ordinal(int(m['day']))} to {ordinal(int(m['last']))}{tail}"


@rule(
    rf"{NO_WORD_BEFORE}{ANY_MONTH}[\s-]+(?P<the>the\s)?{DAY}(?:st|nd|rd|th)?(?![\d:%]|[.,]\d{{1,3}}(?!\d))(?P<comma>,)?"
    rf"(?:[\s-]+{YEAR}(?![\w%]|,?\d))?(?![\w])"
)
def _month_day(m: Match) -> str | None:
    if m["month"] in ("may", "march", "mar") and not m["year"]:
        return None  # a verb
    comma = m["comma"] or ""
    tail = f"{comma} {year(int(m['year']))}" if m["year"] else comma
    return f"{month_name(m['month'])} {ordinal(int(m['day']))}{tail}"


@rule(
    rf"{NO_WORD_BEFORE}{ANY_MONTH}\s['’](?P<short>\d\d)(?![\w])|(?<=\bclass\sof\s)['’](?P<of>\d\d)(?!\w)|(?<=\bsummer\sof\s)['’](?P<summer>\d\d)(?!\w)"
)
def _short_year(m: Match) -> str:
    said = short_year(m["short"] or m["of"] or m["summer"])
    return f"{month_name(m['month'])} {said}" if m["short"] else said


@rule(rf"{NO_WORD_BEFORE}{ANY_MONTH}[\s,]+{YEAR}(?![\w%]|,?\d)")
def _month_year(m: Match) -> str | None:
    comma = "," if "," in m[0][len(m["month"]) :] else ""
    return f"{month_name(m['month'])}{comma} {year(int(m['year']))}"


@rule(rf"{NO_WORD_BEFORE}(?P<prefix>mid-|early-|late-)?(?P<century>[12]\d)(?P<tens>\d0)(?:'|’)?s{NO_WORD_AFTER}")
def _decade(m: Match) -> str:
    prefix = f"{m['prefix'][:-1]} " if m["prefix"] else ""
    if m["tens"] == "00":
        return f"{prefix}{cardinal(int(m['century']))} hundreds" if m["century"] != "20" else f"{prefix}two thousands"
    return f"{prefix}{cardinal(int(m['century']))} {plural(cardinal(int(m['tens'])))}"


@rule(rf"(?:(?P<prefix>mid-|early-|late-)|(?<![\w.,])['’]?)(?P<tens>[2-9]0)(?P<own>['’])?s{NO_WORD_AFTER}")
def _short_decade(m: Match) -> str:
    prefix = f"{m['prefix'][:-1]} " if m["prefix"] else ""
    return f"{prefix}{plural(cardinal(int(m['tens'])))}"


@rule(rf"{NO_WORD_BEFORE}(?P<kind>FY|CY)\s?['’]?(?P<year>\d{{4}}|\d{{2}}){NO_WORD_AFTER}")
def _fiscal_year(m: Match) -> str:
    return f"{m['kind']} {year(int(m['year'])) if len(m['year']) == 4 else short_year(m['year'])}"


@rule(
    rf"{NO_WORD_BEFORE}(?P<q>[1-4])Q(?P<year>\d{{4}}|\d{{2}}){NO_WORD_AFTER}|{NO_WORD_BEFORE}Q(?P<q2>[1-4])\s(?P<year2>\d{{4}}){NO_WORD_AFTER}"
)
def _quarter(m: Match) -> str:
    of = m["year"] or m["year2"]
    said = year(int(of)) if len(of) == 4 else short_year(of)
    return f"the {ordinal(int(m['q'] or m['q2']))} quarter of {said}"


@rule(
    rf"{NO_WORD_BEFORE}(?P<a>{WHOLE})\s?(?P<era>BCE|BC|CE|AD|B\.C\.E?\.|A\.D\.){NO_WORD_AFTER}|{NO_WORD_BEFORE}AD\s(?P<b>\d{{1,4}}){NO_WORD_AFTER}"
)
def _era(m: Match) -> str:
    number = (m["a"] or m["b"]).replace(",", "")
    said = year(int(number)) if len(number) == 4 else cardinal(int(number))
    return f"AD {said}" if m["b"] else f"{said} {m['era'].replace('.', '')}"
