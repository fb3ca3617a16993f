"""E-mail, URLs, addresses of machines, versions; telephone and other numbers that are read digit by digit."""

from __future__ import annotations

import re

from text.normalization.english.rules import Match, Rules
from text.normalization.numbers import cardinal, digits

rule = Rules()

# -- electronic

_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|uk|de|fr|it|es|nl|ch|at|be|eu|us|ca|au|nz|jp|cn|in|br|ru|pl"
    "|se|no|fi|dk|ie|pt|gr|cz|hu|ro|tr|za|mx|ar|cl|kr|tw|hk|sg|tv|me|fm|ly|gg|xyz|online|site|tech|cloud|blog|abc|sm"
)


@rule(r"(?<![\w@])[A-Za-z0-9][\w.+&-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?:/[\w./-]{0,200}\w)?")
def _email(m: Match) -> str:
    return _electronic(m[0])


@rule(
    rf"""(?<![\w@.])(?:[a-z][a-z0-9+]{{1,10}}://[^\s<>"'()\[\]{{}}]{{0,500}}[\w/]
    |www\.[^\s<>"'()\[\]{{}}]{{0,500}}[\w/]
    |(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_TOP})(?:(?:[:/?\#][^\s<>"'()\[\]{{}}]{{0,500}})?[\w/])?(?![\w@]))""",
    re.I,
)
def _url(m: Match) -> str | None:
    if re.fullmatch(r"[A-Za-z]+\.[A-Z][a-z]+", m[0]):
        return None  # a full stop without a space behind it
    return _electronic(m[0])


_ELECTRONIC = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "ampersand", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", ",": "comma", "!": "bang",
}  # fmt: skip
_SPELLED = re.compile(r"^(?:https?|ftp|www|html?|php|pdf|id|[a-z]{1,2})$", re.I)


def _electronic(text: str) -> str:
    words: list[str] = []
    for part in re.findall(r"[A-Za-z]+|\d|[^A-Za-z\d]", text):
        if part.isdigit():
            words.append(digits(part))
        elif part.isalpha() and part.isascii():
            short = _SPELLED.match(part) and part.lower() not in ("me", "us", "io", "it", "in", "at", "no", "be")
            words.append(part.upper() if short and len(part) > 1 else part)
        else:
            words.append(_ELECTRONIC.get(part, part if part.isalpha() else " "))
    return " ".join(" ".join(words).split())


@rule(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w]|\.\d)")
def _ip_address(m: Match) -> str:
    return " dot ".join(digits(part) for part in m.groups())


# -- telephone and the like

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


@rule(r"(?<![\w-])(?:97[89][- ]?)\d{1,5}[- ]?\d{1,7}[- ]?\d{1,7}[- ]?\d(?![\w-])")
def _isbn(m: Match) -> str | None:
    return digits(m[0]) if len(re.sub(r"\D", "", m[0])) == 13 else None


@rule(r"(?<![\w.])v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9})){0,4}(?![\w]|\.\d)", re.I)
def _version(m: Match) -> str | None:
    parts = m[0].lstrip("vV").split(".")
    if len(parts) == 3 and len(parts[2]) == 4 and _is_date(parts):
        return None
    said = " point ".join(digits(p) if p[0] == "0" and len(p) > 1 else cardinal(int(p)) for p in parts)
    return f"version {said}" if m[0][0] in "vV" else said


def _is_date(parts: list[str]) -> bool:
    return 1 <= int(parts[0]) <= 31 and 1 <= int(parts[1]) <= 31
