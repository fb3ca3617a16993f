"""Headings, lists, rules and code fences of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.lines import lines_of
from text.source import Rewrite, SourceText

_BULLETS = "-*+•‣◦▪●○■□➢➤✓✔⁃"
#: Between items in one line.
_INNER = {bullet: re.compile(rf"[ \t]++{bullet}[ \t]++(?=\S)") for bullet in "•‣◦▪●■"}
_MARKED = re.compile(
    rf"^[ \t]*+(?:#{{1,6}}[ \t]|[{_BULLETS}][ \t]|`{{3}}|~{{3}}|([-=_*~#+`])\1+[ \t]*+$)", re.MULTILINE
)
#: With the language of the code, where it begins.
_FENCE = re.compile(r"[ \t]*+(?P<marks>`{3,}+|~{3,}+)[ \t]*+(?P<about>[\w+#.-]{0,40}+)[ \t]*+$")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]++(?=[^\s#])")
_CLOSING = re.compile(r"[ \t]++#++[ \t]*+$")
_BULLET = re.compile(rf"[ \t]*+[{_BULLETS}][ \t]++(?:\[[ xX]\][ \t]++)?(?=\S)")
#: A rule, or what underlines a heading.
_RULE = re.compile(r"[ \t]*+([-=_*~#+`])\1+[ \t]*+")
_WORD = re.compile(r"[^\W_]")
_ENDED = (":", ".", "!", "?", ";")


def without_block_marks(text: SourceText) -> SourceText:
    """``text`` without ``#``, bullets, rules and fences at the start of lines. Numbers of lists stay; what a mark
    began is parted from what is around it by blank lines."""
    return text.rewritten(_changes(text.text)) if _MARKED.search(text.text) else text


def _changes(text: str) -> Iterator[Rewrite]:
    lines = lines_of(text)
    # the last line that may close a fence, by its mark
    fences = ((number, _FENCE.match(line)) for number, (_, line) in enumerate(lines))
    last = {found["marks"][0]: number for number, found in fences if found and not found["about"]}
    fence = ""  # that is open
    before = ""  # the line before
    listed = False  # whether an item of a list goes on
    parted = False  # whether a blank line must come next
    for number, (start, line) in enumerate(lines):
        end = start + len(line)
        found = _FENCE.match(line)
        if found and (_closes(found, fence) if fence else number < last.get(found["marks"][0], 0)):
            fence = "" if fence else found["marks"]
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
            if inner := _INNER.get(bullet[0].strip()[0]):
                yield from (
                    Rewrite(start + found.start(), start + found.end(), "\n\n")
                    for found in inner.finditer(line, bullet.end())
                )
            before, listed, parted = line, True, False
        else:
            if parted:
                yield Rewrite(start, start, "\n")
            indented = line[:1] in " \t"
            before, listed, parted = line, listed and (indented or bool(before.strip())), False


def _closes(found: re.Match[str], fence: str) -> bool:
    return found["marks"].startswith(fence) and not found["about"]


def _is_item(rest: str, before: str, listed: bool, following: str) -> bool:
    """Whether a line with a bullet is an item: not "2 * 3" that was wrapped, and not "* * *"."""
    if not _WORD.search(rest):
        return False
    if listed or not before.strip():
        return True
    if rest[0].isdigit() and not _BULLET.match(following):
        return False
    return before.rstrip().endswith(_ENDED) or _BULLET.match(following) is not None
