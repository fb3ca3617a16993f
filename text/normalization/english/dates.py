"""Dates, years, decades and times of day."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import (
    ANY_MONTH,
    DAY,
    NO_WORD_AFTER,
    NO_WORD_BEFORE,
    YEAR,
    Match,
    Rules,
    month_name,
    short_year,
)
from text.normalization.numbers import cardinal, ordinal, plural, year

rule = Rules()

# -- dates


@rule(r"(?<![\w/-])(?P<year>[12]\d{3})-(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])(?:T(?=\d))?(?![\w/-])")
def _iso_date(m: Match) -> str:
    return _date_words(int(m["m"]), int(m["d"]), year(int(m["year"])))


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
    before = m.string[: m.start()].rstrip().lower()
    article = "" if before.endswith((" the", "\nthe")) or before == "the" else "the "
    return f"{article}{ordinal(int(m['day']))} of {month_name(m['month'])}{tail}"


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


@rule(
    rf"{NO_WORD_BEFORE}(?P<q>[1-4])Q(?P<year>\d{{4}}|\d{{2}}){NO_WORD_AFTER}|{NO_WORD_BEFORE}Q(?P<q2>[1-4])\s(?P<year2>\d{{4}}){NO_WORD_AFTER}"
)
def _quarter(m: Match) -> str:
    of = m["year"] or m["year2"]
    said = year(int(of)) if len(of) == 4 else short_year(of)
    return f"the {ordinal(int(m['q'] or m['q2']))} quarter of {said}"


@rule(
    rf"{NO_WORD_BEFORE}(?P<a>\d{{3,4}})\s?(?P<era>BCE|BC|CE|AD|B\.C\.E?\.|A\.D\.){NO_WORD_AFTER}|{NO_WORD_BEFORE}AD\s(?P<b>\d{{1,4}}){NO_WORD_AFTER}"
)
def _era(m: Match) -> str:
    number = m["a"] or m["b"]
    said = year(int(number)) if len(number) == 4 else cardinal(int(number))
    return f"AD {said}" if m["b"] else f"{said} {m['era'].replace('.', '')}"


# -- times


@rule(
    r"""(?<=\d[AaPp][Mm])\s?[-–—]\s?(?=\d)|(?<=\d\s[AaPp][Mm])\s?[-–—]\s?(?=\d)|(?<=\d:\d\d)\s?[-–—]\s?(?=\d{1,2}:\d\d)
    |(?<=\d0s)[-–—](?=\d)|(?<=\d[AaPp]\.[Mm]\.)\s?[-–—]\s?(?=\d)|(?<=\d\s[AaPp]\.[Mm]\.)\s?[-–—]\s?(?=\d)"""
)
def _to(_: Match) -> str:
    return " to "


_AMPM = r"(?P<half>[AaPp]\.\s?[Mm]\.?|[AaPp][Mm]\b)"
_ZONE = rf"(?:\s(?P<zone>{'|'.join(tables.TIME_ZONES)}|(?i:e\.?s\.?t|p\.?s\.?t|g\.?m\.?t)\b))?"


def _half(text: str | None) -> str:
    return f" {re.sub('[^A-Z]', '', text.upper())}" if text else ""


def _dot_after(m: Match) -> str:
    """The dot of "p.m." that also ends a sentence."""
    ends = (
        m.start()
        and (m["half"] or "").endswith(".")
        and re.match(r"\s*$|\s+[A-Z]", m.string[m.end() :])
        and not _zone(m)
    )
    return "." if ends else ""


def _zone(m: Match) -> str:
    return f" {re.sub('[^A-Z]', '', m['zone'].upper())}" if m["zone"] else ""


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>\d{{1,2}}):(?P<m>[0-5]\d):(?P<s>[0-5]\d)(?![\d:])(?:\s?{_AMPM})?{_ZONE}")
def _time_with_seconds(m: Match) -> str:
    parts = [(int(m[name]), word) for name, word in (("h", "hour"), ("m", "minute"), ("s", "second"))]
    hours, minutes, seconds = (f"{cardinal(n)} {word}{'' if n == 1 else 's'}" for n, word in parts)
    return f"{hours} {minutes} and {seconds}{_half(m['half'])}{_zone(m)}{_dot_after(m)}"


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?![\d:])(?:\s?{_AMPM})?{_ZONE}")
def _clock(m: Match) -> str:
    hours, minutes = int(m["h"]), int(m["m"])
    half = _half(m["half"])
    if minutes == 0:
        said = cardinal(hours) if half else f"{cardinal(hours)} o'clock"
    else:
        said = f"{cardinal(hours)} {f'oh {cardinal(minutes)}' if minutes < 10 else cardinal(minutes)}"
    return f"{said}{half}{_zone(m)}{_dot_after(m)}"


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>1[0-2]|0?[1-9])\s?{_AMPM}{_ZONE}")
def _hour(m: Match) -> str | None:
    if " " in m[0] and m["half"].lower() == "am" and m["half"].islower() and re.match(r"\s+[a-z]", m.string[m.end() :]):
        return None  # "what I 5 am not"
    return f"{cardinal(int(m['h']))}{_half(m['half'])}{_zone(m)}{_dot_after(m)}"
