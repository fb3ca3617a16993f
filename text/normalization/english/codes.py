"""Telephone numbers, addresses of machines, versions, and codes that are read digit by digit."""

from __future__ import annotations

import re

from text.normalization.english.rules import Match, Rules, after, before
from text.normalization.numbers import cardinal, digits

rule = Rules()


@rule(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w]|\.\d)")
def _ip_address(m: Match) -> str:
    return " dot ".join(digits(part) for part in m.groups())


_GROUPS = r"(?<![\w.,$€£-])(?P<plus>\+\d{1,3}[\s.-]?)?(?:\(\d{2,4}\)[\s.-]?|(?P<one>1-)?\d{3}[-.\s](?=\d{3}[-.]))"


@rule(rf"{_GROUPS}\d{{3}}[-.\s]\d{{4}}(?:-\d{{1,4}})?(?![\w]|-\d)")
def _telephone(m: Match) -> str:
    groups = re.findall(r"\+?\d+", m[0])
    return ", ".join(f"plus {_group_digits(g[1:])}" if g[0] == "+" else _group_digits(g) for g in groups)


def _group_digits(group: str) -> str:
    """A group of a telephone number: 800 is "eight hundred", all others digit by digit."""
    return "eight hundred" if group == "800" else digits(group)


@rule(r"(?<![\w.,$€£-])\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,5}(?![\w.,]\d|\w)")
def _international(m: Match) -> str:
    groups = re.findall(r"\d+", m[0])
    return "plus " + ", ".join(digits(g) for g in groups)


@rule(r"(?<![\w.-])(\d{3})-(\d{2})-(\d{4})(?![\w-])")
def _social_security(m: Match) -> str:
    return ", ".join(digits(g) for g in m.groups())


@rule(r"(?<![\w-])1-(8\d\d)-([A-Z0-9]{1,9}(?:-[A-Z0-9]{1,9}){1,4}|[A-Z0-9]{4,7})(?![\w-])")
def _toll_free(m: Match) -> str:
    head = f"{cardinal(int(m[1][0]))} hundred" if m[1].endswith("00") else digits(m[1])
    rest = [digits(p) if p.isdigit() else p for p in re.split("-", m[2])]
    joined = ", ".join(rest)
    return f"one, {head}, " + re.sub(r"([A-Z]+), (\w+)(?=,|$)", r"\1 \2", joined)


@rule(r"(?<![\w.,-])0\d{2,4}[\s-]\d{3,4}[\s-]\d{3,4}(?![\w-])")
def _national(m: Match) -> str:
    return ", ".join(digits(group) for group in re.split(r"[\s-]", m[0]))


_CALLS = re.compile(
    r"\b(?:call(?:ed|ing)?|dial(?:ed|ling)?|(?:tele)?phone|tel|text|ring|rang|fax|number)\b[:.]?\s?(?:\w+\s)?$"
)


@rule(r"(?<![\w.,$€£-])(\d{3})[-.](\d{4})(?![\w-]|[.,]\d)")
def _local(m: Match) -> str | None:
    """555-1234; but 500-1200 is a range."""
    called = m[1] == "555" or _CALLS.search(before(m))
    if called or (not m[2].endswith("00") and "-" in m[0] and m[1] > "1"):
        return f"{digits(m[1])}, {digits(m[2])}"
    return None


@rule(r"(?<![\w.,$€£-])(?:911|999|112|[2-8]11)(?![\w-]|[.,]\d)")
def _emergency(m: Match) -> str | None:
    called = _CALLS.search(before(m)) or re.match(r"\s(?:call|operator|dispatch)", after(m))
    return digits(m[0]) if called else None


@rule(r"(?<![\w.-])\d{4}(?:-\d{4}){2,4}(?![\w-])|(?<![\w.-])\d{4}(?:\s\d{4}){3}(?![\w-]|\s\d)")
def _card(m: Match) -> str:
    return ", ".join(digits(group) for group in re.split(r"[\s-]", m[0]))


#: Before a number that is a code.
_CODES = re.compile(
    r"\b(?:code|pin|i\.?d\.?|otp|account|(?:account|tracking|serial|reference|order|confirmation|phone|invoice|case|policy"
    r"|license|routing|card|mobile)\s(?:number|no\.?|\#))\b(?:\s(?:is|was))?[:\s\#]+$"
)
_EXTENSION = re.compile(r"\b(?:ext|extension)\b\.?\s$")


@rule(r"(?<![\w.,$€£/:-])\d{2,}(?![\w/:-]|[.,]\d)")
def _code(m: Match) -> str | None:
    behind = before(m, 32)
    coded = (len(m[0]) > 3 and _CODES.search(behind)) or _EXTENSION.search(behind)
    return digits(m[0]) if coded else None


@rule(r"(?<![\w-])(?:97[89][- ]?)\d{1,5}[- ]?\d{1,7}[- ]?\d{1,7}[- ]?\d(?![\w-])")
def _isbn(m: Match) -> str | None:
    return digits(m[0]) if len(re.sub(r"\D", "", m[0])) == 13 else None


@rule(r"(?<![\w.])v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9})){0,4}(?![\w]|\.\d)", re.I)
def _version(m: Match) -> str | None:
    parts = m[0].lstrip("vV").split(".")
    if m[0][0] not in "vV" and len(parts[0]) < 4 and all(len(part) == 3 for part in parts[1:]):
        return None  # thousands
    if len(parts) == 3 and len(parts[2]) == 4 and _is_date(parts):
        return None
    said = " point ".join(digits(p) if p[0] == "0" and len(p) > 1 else cardinal(int(p)) for p in parts)
    return f"version {said}" if m[0][0] in "vV" else said


def _is_date(parts: list[str]) -> bool:
    return 1 <= int(parts[0]) <= 31 and 1 <= int(parts[1]) <= 31
