"""E-mail and URLs."""

from __future__ import annotations

import re

from text.normalization.english.rules import Match, Rules
from text.normalization.numbers import digits

rule = Rules(needs=".@/")

# -- electronic

_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|uk|de|fr|it|es|nl|ch|at|be|eu|us|ca|au|nz|jp|cn|in|br|ru|pl"
    "|se|no|fi|dk|ie|pt|gr|cz|hu|ro|tr|za|mx|ar|cl|kr|tw|hk|sg|tv|me|fm|ly|gg|xyz|online|site|tech|cloud|blog|abc|sm"
    "|cards|store|shop|club|news|wiki|social|software|email|digital|agency|studio|games|space|website"
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
    return _electronic(_SCHEME.sub("", m[0]).removesuffix("/") or m[0]) or None


#: Nobody says these, and people ask that they are not said.
_SCHEME = re.compile(r"^https?://(?:www\.)?(?=\w)", re.I)

_ELECTRONIC = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "ampersand", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", ",": "comma", "!": "bang",
}  # fmt: skip
_SPELLED = re.compile(r"^(?:https?|ftp|www|html?|php|pdf|id|[a-z]{1,2})$", re.I)


def _electronic(text: str) -> str:
    words: list[str] = []
    for part in re.findall(r"[A-Za-z]+|\d|[^A-Za-z\d]", text):
        if part in "0123456789":
            words.append(digits(part))
        elif part.isalpha() and part.isascii():
            short = _SPELLED.match(part) and part.lower() not in ("me", "us", "io", "it", "in", "at", "no", "be")
            words.append(part.upper() if short and len(part) > 1 else part)
        else:
            words.append(_ELECTRONIC.get(part, part if part.isalnum() else " "))
    return " ".join(" ".join(words).split())
