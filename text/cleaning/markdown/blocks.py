"""Headings, lists, rules and code fences of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.lines import lines_of
from text.source import Rewrite, SourceText

_BULLETS = "-*+•‣◦▪●○■□➢➤✓✔"
_MARKED = re.compile(rf"^[ \t]*+(?:#{{1,6}}[ \t]|[{_BULLETS}][ \t]|`{{3}}|~{{3}}|([-=_*~#+])\1+[ \t]*+$)", re.MULTILINE)
_FENCE = re.compile(r"[ \t]*+(`{3,}+(?=[^`\n]*+$)|~{3,}+)")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]++(?=[^\s#])")
_CLOSING = re.compile(r"[ \t]++#++[ \t]*+$")
_BULLET = re.compile(rf"[ \t]*+[{_BULLETS}][ \t]++(?:\[[ xX]\][ \t]++)?(?=\S)")
#: A rule, or what underlines a heading.
_RULE = re.compile(r"[ \t]*+([-=_*~#+])\1+[ \t]*+")
_WORD = re.compile(r"[^\W_]")
_ENDED = (":", ".", "!", "?", ";")


def without_block_marks(text: SourceText) -> SourceText:
    """``text`` without ``#``, bullets, rules and fences at the start of lines. Numbers of lists stay; what a mark
    began is parted from what is around it by blank lines."""
    return text.rewritten(_changes(text.text)) if _MARKED.search(text.text) else text


def _changes(text: str) -> Iterator[Rewrite]:
    lines = lines_of(text)
    fence = ""  # that is open
    before = ""  # the line before
    listed = False  # whether an item of a list goes on
    parted = False  # whether a blank line must come next
    for number, (start, line) in enumerate(lines):
        end = start + len(line)
        opened = _FENCE.match(line)
        if opened and (not fence or opened[1].startswith(fence)):
            fence = "" if fence else opened[1]
            yield Rewrite(start, end, "")
            before, listed, parted = "", False, False
            continue
        if fence or not line.strip():
            before, parted = "" if not fence else line, False
            continue
        gap = "\n" if before.strip() else ""
        following = lines[number + 1][1] if number + 1 < len(lines) else ""
        if heading := _HEADING.match(line):
            yield Rewrite(start, start + heading.end(), gap)
            if closing := _CLOSING.search(line, heading.end()):
                yield Rewrite(start + closing.start(), end, "")
            before, listed, parted = line, False, True
        elif _RULE.fullmatch(line) and (len(line.strip()) > 2 or before.strip()):
            yield Rewrite(start, end, "")
            before, listed, parted = "", False, False
        elif (bullet := _BULLET.match(line)) and _is_item(line[bullet.end() :], before, listed, following):
            yield Rewrite(start, start + bullet.end(), gap)
            before, listed, parted = line, True, False
        else:
            if parted:
                yield Rewrite(start, start, "\n")
            indented = line[:1] in " \t"
            before, listed, parted = line, listed and (indented or bool(before.strip())), False


def _is_item(rest: str, before: str, listed: bool, following: str) -> bool:
    """Whether a line with a bullet is an item: not "2 * 3" that was wrapped, and not "* * *"."""
    if not _WORD.search(rest):
        return False
    if listed or not before.strip():
        return True
    if rest[0].isdigit() and not _BULLET.match(following):
        return False
    return before.rstrip().endswith(_ENDED) or _BULLET.match(following) is not None
