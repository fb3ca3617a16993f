"""Runs of punctuation: one mark says as much, and lines of marks say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.candidates import matches
from text.source import Rewrite, SourceText

_MARKS = r"[!?！？.·…,，、。;:–—―=_~`#*+•●▪■◆★☆<>|\\^─━│┃═║▀▄█░▒▓/-]"
#: Two marks in a row, or a bullet.
_BEGIN = re.compile(f"{_MARKS}(?=[ ]?{_MARKS})|[•‣◦▪●■∙]")
_RUN = re.compile(
    r"(?P<shout>[!?](?:[ ]?[!?])+|！[！？]+|？[！？]+)"
    r"|(?P<leader>(?<![.·…])(?<![.·…][ ])(?:[.·…][ ]?){4,}+(?=\d{1,4}[ \t]*$))"  # of a table of contents
    r"|(?P<dots>\.{5,}+|…[.…]++)"
    r"|(?P<comma>,{2,}+|，{2,}+|、{2,}+)|(?P<stop>。{2,}+)|(?P<semicolon>;{2,}+)|(?P<colon>:{3,}+)"
    r"|(?P<dash>(?<![-<])-{2,}+(?![->])|[–—―]{2,}+)"
    r"|(?P<bullet>(?<=[\w)] )[•‣◦▪●■∙](?=[ ]\w))"
    r"|(?P<drop>={4,}+|_{3,}+|~{3,}+|`{3,}+|\#{3,}+|\*{4,}+|\+{3,}+|[•·●▪■◆★☆]{3,}+|<{3,}+|>{3,}+|\|{3,}+|\\{3,}+|\^{2,}+"
    r"|[─━│┃═║▀▄█░▒▓]{2,}+|(?<![:/])/{3,}+)",
    re.MULTILINE,
)


def without_runs(text: SourceText) -> SourceText:
    """``text`` with "!" for "!!!", "?!" for "?!?!", one ellipsis for many dots, a dash for hyphens between words, and
    without rows of other marks."""
    return text.rewritten(_changes(text.text))


def _changes(text: str) -> Iterator[Rewrite]:
    for found in matches(_BEGIN, _RUN, text):
        made = _made(found, text)
        if made is not None and made != found[0]:
            spaced = found.lastgroup in ("leader", "bullet") and text[found.start() - 1 : found.start()] == " "
            yield Rewrite(found.start() - spaced, found.end(), made)


def _made(found: re.Match[str], text: str) -> str | None:
    run = found[0]
    before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
    match found.lastgroup:
        case "shout":
            return "".join(dict.fromkeys(run.replace(" ", "")))
        case "leader":
            return ", " if text[max(0, found.start() - 2) : found.start()].strip()[-1:].isalnum() else " "
        case "dots":
            return "..." if run[0] == "." else "…"
        case "bullet":
            return ","
        case "dash":
            return _dash(before, after)
        case "drop":
            if run[0] == "*" and before.isalnum():
                return None  # letters that were left out: "f****"
            return " " if before.isalnum() and after.isalnum() else ""
    return run[0]


def _dash(before: str, after: str) -> str | None:
    """What hyphens in a row mean: a dash beside a word, nothing in a line of their own. Options (``--help``) stay."""
    if (not before or before.isspace()) and after and not after.isspace():
        return None
    blank = not before or before == "\n"
    if before.isdigit() and after.isdigit():
        return "–"  # a range
    return "" if blank and (not after or after == "\n") else "—"
