"""Links and images of Markdown: their text stays, their addresses go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.source import Rewrite, SourceText

_DEFINITION = re.compile(
    r"^[ ]{0,3}\[(?!\^)([^\[\]\n]{1,200})\]:[ \t]++<?(?:[a-zA-Z][a-zA-Z+.-]{1,20}:|[/#.]|www\.)\S*+"
    r"(?:[ \t]++(?:\"[^\"\n]*+\"|'[^'\n]*+'|\([^()\n]*+\)))?[ \t]*+$",
    re.MULTILINE,
)
_BRACKET = re.compile(r"(?<!\\)(?:!?\[|\])|\n[ \t]*+\n")
_TARGET = re.compile(
    r"\([ ]?(?P<address><[^<>\n]*+>|(?:[^()\s<>]++|\([^()\s]*+\))*+)"
    r"(?:[ \n]{1,2}(?:\"[^\"\n]*+\"|'[^'\n]*+'|“[^”\n]*+”|\([^()\n]*+\)))?[ ]?\)"
)
_REFERENCE = re.compile(r"[ ]?\[([^\[\]\n]{0,200})\]")
_ADDRESS = re.compile(r"[/.#:@=?%&_-]|^<?>?$")
_NUMBER = re.compile(r"\d{1,4}")


def without_links(text: SourceText) -> SourceText:
    """``text`` with the words of links and the descriptions of images alone."""
    return text.rewritten(_changes(text.text)) if "](" in text.text or "][" in text.text or "]:" in text.text else text


def _changes(text: str) -> Iterator[Rewrite]:
    definitions = {found[1].casefold(): found.span() for found in _DEFINITION.finditer(text)}
    gone = [Rewrite(start, end, "") for start, end in sorted(found.span() for found in _DEFINITION.finditer(text))]
    opened: list[re.Match[str]] = []
    until = 0  # addresses up to here are gone
    found_links: list[Rewrite] = []
    for bracket in _BRACKET.finditer(text):
        if bracket.start() < until:
            continue
        if bracket[0][0] == "\n":
            opened.clear()
        elif bracket[0] != "]":
            opened.append(bracket)
        elif opened:
            opening = opened.pop()
            end = _end(text, opening, bracket.end(), definitions)
            if end is None:
                continue
            until = end
            if _is_note(text, opening, bracket.start()):
                found_links.append(Rewrite(opening.start(), end, ""))
            else:
                found_links.append(Rewrite(opening.start(), opening.end(), ""))
                found_links.append(Rewrite(bracket.start(), end, ""))
    yield from _apart(sorted(gone + found_links, key=lambda rewrite: (rewrite.start, -rewrite.end)))


def _end(text: str, opening: re.Match[str], at: int, definitions: dict[str, tuple[int, int]]) -> int | None:
    """Where the address of the link ends whose text ends before ``at``."""
    image = opening[0][0] == "!"
    if not image and text[opening.start() - 1 : opening.start()].isalnum() and not text[opening.end()].isdigit():
        return None  # an index, and a call: a[i](x)
    if (target := _TARGET.match(text, at)) is not None:
        return target.end() if image or _ADDRESS.search(target["address"]) else None
    reference = _REFERENCE.match(text, at)
    if reference is None or _NUMBER.fullmatch(text, opening.end(), at - 1):
        return None
    name = reference[1] or text[opening.end() : min(at - 1, opening.end() + 200)]
    if name.casefold() in definitions or _NUMBER.fullmatch(reference[1]):
        return reference.end()
    return None


def _is_note(text: str, opening: re.Match[str], end: int) -> bool:
    """Whether a link is a footnote mark: a number behind a word."""
    before = text[opening.start() - 1 : opening.start()]
    return bool(before.strip()) and _NUMBER.fullmatch(text, opening.end(), end) is not None


def _apart(rewrites: list[Rewrite]) -> Iterator[Rewrite]:
    done = 0
    for rewrite in rewrites:
        if rewrite.start >= done:
            done = rewrite.end
            yield rewrite
