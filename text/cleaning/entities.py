"""HTML's character references, such as ``&amp;`` and ``&#8217;``, replaced by their characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5

from text.source import Rewrite, SourceText

#: With ``amp;`` where a text was escaped twice.
_REFERENCE = re.compile(
    r"&(?P<twice>amp;)?(?:(?P<number>#\d{1,7}|#[xX][0-9A-Fa-f]{1,6})|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}));|&nbsp(?!\w)"
)


def without_entities(text: SourceText) -> SourceText:
    """``text`` with characters in place of the references that HTML knows. Controls that they may stand for are left
    to `plain_characters`, which must come later."""
    return text.rewritten(_changes(text.text)) if "&" in text.text else text


def _changes(text: str) -> Iterator[Rewrite]:
    for found in _REFERENCE.finditer(text):
        meant = _meant(found)
        if meant is not None:
            yield Rewrite(found.start(), found.end(), meant.replace("\xa0", " "))
        elif found["twice"]:
            yield Rewrite(found.start(), found.end("twice"), "&")


def _meant(found: re.Match[str]) -> str | None:
    if found["number"]:
        return unescape(f"&{found['number']};")
    return html5.get(f"{found['name']};") if found["name"] else " "
