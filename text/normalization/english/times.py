"""Times of day and spans between them."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import Match, Rules, after, before, ends_sentence
from text.normalization.numbers import cardinal

rule = Rules()


@rule(r"(?<![\w:.,/-])9(?:-|–|\sto\s)5(?![\w:/-]|[.,]\d|\s?[%$€£])")
def _working_hours(_: Match) -> str:
    return "nine to five"


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
    ends = m.start() and (m["half"] or "").endswith(".") and ends_sentence(m) and not _zone(m)
    return "." if ends else ""


def _zone(m: Match) -> str:
    return f" {re.sub('[^A-Z]', '', m['zone'].upper())}" if m["zone"] else ""


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>\d{{1,2}}):(?P<m>[0-5]\d):(?P<s>[0-5]\d)(?![\d:])(?:\s?{_AMPM})?{_ZONE}")
def _time_with_seconds(m: Match) -> str:
    parts = [(int(m[name]), word) for name, word in (("h", "hour"), ("m", "minute"), ("s", "second"))]
    hours, minutes, seconds = (f"{cardinal(n)} {word}{'' if n == 1 else 's'}" for n, word in parts)
    return f"{hours} {minutes} and {seconds}{_half(m['half'])}{_zone(m)}{_dot_after(m)}"


#: Before two numbers with a colon that are no time.
_NO_TIME = re.compile(r"\b(?:ratio|scores?|odds|scale|proportion|ratios|aspect)\b(?:\s\w{1,12}){0,3}\s$")


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?![\d:])(?:\s?{_AMPM})?{_ZONE}")
def _clock(m: Match) -> str | None:
    hours, minutes = int(m["h"]), int(m["m"])
    half = _half(m["half"])
    if not half and not m["zone"] and _NO_TIME.search(before(m, 32)):
        return None
    if minutes == 0 and not half and hours in (0, 24):
        said = "midnight"
    elif minutes == 0 and not half and hours > 12:
        said = f"{cardinal(hours)} hundred"
    elif minutes == 0:
        said = cardinal(hours) if half else f"{cardinal(hours)} o'clock"
    else:
        said = f"{cardinal(hours)} {f'oh {cardinal(minutes)}' if minutes < 10 else cardinal(minutes)}"
    return f"{said}{half}{_zone(m)}{_dot_after(m)}"


@rule(rf"(?<![\w:.])(?<!\d,)(?P<h>1[0-2]|0?[1-9])\s?{_AMPM}{_ZONE}")
def _hour(m: Match) -> str | None:
    if " " in m[0] and m["half"].lower() == "am" and m["half"].islower() and re.match(r"\s+[a-z]", after(m)):
        return None  # "what I 5 am not"
    return f"{cardinal(int(m['h']))}{_half(m['half'])}{_zone(m)}{_dot_after(m)}"
