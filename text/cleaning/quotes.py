"""Apostrophes and quotation marks in the spelling that later rules know.

An apostrophe inside a word becomes ``'``. Opening and closing double quotation marks stay, because they show where
quotations end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from text.cleaning.candidates import matches
from text.source import Rewrite, SourceText

_BEGIN = re.compile("[’‘ʼ`´＇‟❝〝'❞〞＂]")
_MARK = re.compile(
    r"(?P<apostrophe>(?<=[^\W\d_])[’‘ʼ`´＇](?=[^\W\d_])|(?<=\d)[’ʼ](?=s\b)|(?<=\s[’'][nN])[’ʼ](?=\s)"
    r"|(?<![\w’'])[’ʼ](?=(?:[tT](?:is|was|were|il)|[eE]m|[cC](?:ause|uz)|[bB]out|[nN])\b|\d0s))"
    r"|(?P<opening>``|[‟❝〝])|(?P<closing>(?<=\S)''|[❞〞])|(?P<straight>＂)"
)


def plain_quotes(text: SourceText) -> SourceText:
    """``text`` with ``'`` inside words, and with ``“ ”`` in place of rarer double quotation marks."""
    return text.rewritten(_changes(text.text))


def _changes(text: str) -> Iterator[Rewrite]:
    for found in matches(_BEGIN, _MARK, text):
        made = {"apostrophe": "'", "opening": "“", "closing": "”", "straight": '"'}[found.lastgroup or ""]
        yield Rewrite(found.start(), found.end(), made)
