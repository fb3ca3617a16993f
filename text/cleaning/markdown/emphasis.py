"""Emphasis, code and escapes of Markdown: ``**bold**``, ``_italic_``, ```code```, ``~~gone~~``, ``\\*``.

A mark is one only with its partner in the same paragraph. Marks inside words stay: "snake_case", "f*ck", "2*3*4".
"""

from __future__ import annotations

import re

from text.cleaning.candidates import matches
from text.source import Rewrite, SourceText

_BEGIN = re.compile(r"[\n\\*_`~=]")
_TOKEN = re.compile(r"\n[ \t]*+\n|\\[*_`~#>|\[\]]|`++|\*++|_++|~~(?!~)|==(?!=)")
_ANY = re.compile(r"[*_`\\]|~~|==")
#: What emphasized words may begin with besides letters and digits.
_BEGINNING = frozenset("\"'“‘«([{<_*~`=$€£#@¿¡…&+-—\\")
#: Scripts that are written without spaces begin here: marks stand inside their words.
_UNSPACED = "\u2e80"


def without_emphasis(text: SourceText) -> SourceText:
    """``text`` without pairs of marks around words; takes linear time."""
    return text.rewritten(_changes(text.text)) if _ANY.search(text.text) else text


def _changes(text: str) -> list[Rewrite]:
    tokens = list(matches(_BEGIN, _TOKEN, text))
    closers = _code_ends(tokens)
    gone: list[tuple[int, int]] = []
    opened: dict[str, tuple[int, int, bool]] = {}
    code = 0  # tokens before this position are inside code
    for number, token in enumerate(tokens):
        mark, (start, end) = token[0], token.span()
        if start < code:
            continue
        if mark[0] == "\n":
            opened.clear()
        elif mark[0] == "\\":
            gone.append((start, start + 1))
        elif mark[0] == "`":
            if number in closers:
                gone += [(start, end), closers[number]]
                code = closers[number][1]
        elif len(mark) <= 3:
            opening, clean = _side(text, start, end, mark)
            if (pair := opened.get(mark)) and _may_close(text, start, end, pair, mark):
                gone += [pair[:2], (start, end)]
                del opened[mark]
            elif opening:
                opened[mark] = (start, end, clean)
    return [Rewrite(start, end, "") for start, end in sorted(gone)]


def _code_ends(tokens: list[re.Match[str]]) -> dict[int, tuple[int, int]]:
    """For each token of backticks, the next of the same length in its paragraph."""
    ends: dict[int, tuple[int, int]] = {}
    later: dict[int, tuple[int, int]] = {}
    for number in range(len(tokens) - 1, -1, -1):
        mark = tokens[number][0]
        if mark[0] == "\n":
            later.clear()
        elif mark[0] == "`":
            if len(mark) in later:
                ends[number] = later[len(mark)]
            later[len(mark)] = tokens[number].span()
    return ends


def _in_word(character: str) -> bool:
    return character.isalnum() and character < _UNSPACED


def _side(text: str, start: int, end: int, mark: str) -> tuple[bool, bool]:
    """Whether a mark may begin emphasis, and whether it stands outside a word."""
    before, after = text[start - 1 : start], text[end : end + 1]
    clean = not _in_word(before)
    begins = after.isalnum() or after in _BEGINNING
    return bool(after) and begins and (clean or len(mark) > 1) and (clean or mark[0] != "_"), clean


def _may_close(text: str, start: int, end: int, pair: tuple[int, int, bool], mark: str) -> bool:
    before, after = text[start - 1], text[end : end + 1]
    if before.isspace() or before in "([{" or start == pair[1]:
        return False
    clean = not _in_word(after)
    if mark[0] == "_" or len(mark) == 1:
        return clean
    return clean or pair[2]
