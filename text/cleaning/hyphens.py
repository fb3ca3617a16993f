"""Words that were broken at the end of a line, in a PDF or an e-mail, made whole again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from text.cleaning.word_list import WordList, listed
from text.source import Rewrite, SourceText

#: Hyphens that are only seen at a line's end: the soft hyphen, and the code that some PDFs have in its place.
_SOFT = re.compile("[\u00ad\ufffe][ \t]*+(?:\r\n?|\n)[ \t]*+(?=[^\\W_])")
_BROKEN = re.compile("[-\u2010\u2011\u00ac](?P<gap>[ \t]*+\n{1,3}[ \t]*+| )(?=[^\\W_])")
_PART_BEFORE = re.compile(r"(?:[^\W_]|['’])+$")
_PART_AFTER = re.compile(r"(?:[^\W_]|['’](?=[^\W_]))+")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*+")
#: Letters of a part of a word, at most.
_LONGEST = 40

#: After a hyphen that stands for what a later word has: "pre- and post-war".
_SUSPENDING = listed("""
    and or to nor but und oder bis sowie bzw et ou y e o u ni en of og och eller i lub oraz a nebo és vagy и или ja
    tai
""")
#: Not listed as words, but written with a hyphen before one.
_PREFIXES = listed("""
    anti auto bio co de eco electro ex extra half hyper infra inter intra macro mega meta micro mid mini mono multi
    neo neuro non over para poly post pre pro proto pseudo psycho quasi re retro self semi socio sub super trans tri
    ultra un under vice
""")


def without_soft_breaks(text: SourceText) -> SourceText:
    """``text`` without soft hyphens before line breaks; must come before `plain_characters`, which drops the
    hyphens alone."""
    return text.rewritten(Rewrite(found.start(), found.end(), "") for found in _SOFT.finditer(text.text))


def without_broken_words(text: SourceText, language: str) -> SourceText:
    """``text`` with "commit-", "tee" on two lines as "committee", and "well-", "known" as "well-known"."""
    return text.rewritten(_changes(text.text, language))


def _changes(text: str, language: str) -> Iterator[Rewrite]:
    judge = _Judge(text, WordList(language))
    for found in _BROKEN.finditer(text):
        before = _PART_BEFORE.search(text, max(0, found.start() - _LONGEST), found.start())
        after = _PART_AFTER.match(text, found.end(), found.end() + _LONGEST)
        if before is None or after is None:
            continue
        if found["gap"] == " ":
            if judge.is_split(before[0], after[0]):
                yield Rewrite(found.start(), found.end(), "")
            continue
        mark = judge.mark(before[0], after[0], chained=text[after.end() : after.end() + 1] == "-")
        if mark == "-":
            yield Rewrite(found.start("gap"), found.end(), "")
        elif mark == "":
            yield Rewrite(found.start(), found.end(), "")


class _Judge:
    """Decides how a broken word is spelt: as its text spells it elsewhere, else by the word list."""

    def __init__(self, text: str, words: WordList) -> None:
        self._text = text
        self._words = words

    @cached_property
    def _written(self) -> frozenset[str]:
        return frozenset(found[0].casefold() for found in _WORD.finditer(self._text))

    def mark(self, before: str, after: str, chained: bool) -> str | None:
        """What stands between the parts: nothing, a hyphen, or (None) the hyphen and the space that are there.

        ``chained``: whether another hyphen follows, as in "face-to-face".
        """
        if before[-1].isdigit() or after[0].isdigit():
            return "-"
        if after[0].isupper() and not before.isupper():
            return "-"
        if (before + after).casefold() in self._written:
            return ""
        if f"{before}-{after}".casefold() in self._written:
            return "-"
        if before + after in self._words:
            return ""
        if after.casefold() in _SUSPENDING:
            return "-" if chained else None
        if f"{before}-{after}" in self._words:
            return "-"
        known = before in self._words or before.casefold() in _PREFIXES
        return "-" if known and after in self._words else ""

    def is_split(self, before: str, after: str) -> bool:
        """Whether "capabili- ties", in one line, is one word. In doubt it is not."""
        if len(before) < 2 or len(after) < 2 or not after.islower() or after in _SUSPENDING:
            return False
        return before.isalpha() and before + after in self._words
