"""Smileys made of punctuation, such as ``:-)`` and ``<3``: they are not spoken."""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.candidates import matches
from text.cleaning.gaps import closed
from text.cleaning.word_list import listed
from text.source import Rewrite, SourceText

_BEGIN = re.compile("[:;=8(><^_¯-]")
_SMILEY = re.compile(
    r"(?<![^\s.!?,…)\"”*])(?:"
    r"[:;=]['’]?[-^o]?[)(\]\[}{]+|[:;]-?[DPpOo*|/\\]"
    r"|8-[)(]|[(]-?[:;]|>:-?[()]|</?3+|\^[_.o-]?\^|-_+-|>[_.]<"
    r"|[(]\^[_.o-]?\^[)]|¯\\{1,3}_[(]ツ[)]_/¯"
    r")(?![^\s.!?,…)\"”*])"
)
_HEART = re.compile(r"</?3+")
_LAST_WORD = re.compile(r"[^\W_]+$")
#: Before "<3", words that it is loved by; elsewhere it compares, unless a line ends with it.
_LOVING = listed("""
    i u you we they love loves loved luv miss thanks thank much so all guys everyone
""")
_COMPARED = listed("""
    of is was are were be than to at and or if for by with n p r t x y ph age score scores values value levels level
    count rate when where
""")


def without_smileys(text: SourceText) -> SourceText:
    """``text`` without smileys that stand by themselves."""
    return text.rewritten(_changes(text.text))


def _changes(text: str) -> Iterator[Rewrite]:
    done = 0
    for found in matches(_BEGIN, _SMILEY, text):
        if _HEART.fullmatch(found[0]) and not _is_heart(text, found.start(), found.end()):
            continue
        rewrite = closed(text, found.start(), found.end(), done)
        done = rewrite.end
        yield rewrite


def _is_heart(text: str, start: int, end: int) -> bool:
    word = _LAST_WORD.search(text, max(0, start - 40), max(0, start - 1))
    before = word[0].casefold() if word else ""
    if before in _LOVING:
        return True
    return text[end : end + 1] in ("", "\n", ".", "!") and before not in _COMPARED and not before.isdigit()
