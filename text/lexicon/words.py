"""A text as words, signs and gaps, for finding the words of a lexicon."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator


def _marks() -> Iterator[str]:
    """The combining marks of Unicode, as ranges of a character class."""
    start = last = -2
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0), sys.maxunicode):
        if unicodedata.category(chr(code))[0] == "M":
            if code != last + 1:
                if start >= 0:
                    yield f"{chr(start)}-{chr(last)}"
                start = code
            last = code
    yield f"{chr(start)}-{chr(last)}"


_MARKS = "".join(_marks())
#: Letters of scripts that are written without spaces (Thai, Lao, Myanmar, Khmer, Hiragana, Bopomofo, Han): each is a
#: word.
_UNSPACED = (
    "\u0e01-\u0e30\u0e32-\u0e33\u0e40-\u0e45\u0e81-\u0eb0\u0eb2-\u0eb3\u0ec0-\u0ec4\u1000-\u102a\u1780-\u17b3"
    "\u3005-\u3007\u3041-\u3096\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)

MARK = re.compile(f"[{_MARKS}]")
UNSPACED = re.compile(f"[{_UNSPACED}]")

#: A word, white space, or one sign, each with its marks. Every character of a text is in one token.
TOKEN = re.compile(
    rf"[{_UNSPACED}][{_MARKS}]*|(?:[^\W_{_UNSPACED}][{_MARKS}]*)+|\s+|.[{_MARKS}]*",
    re.DOTALL,
)
#: Between the words of a phrase: one space, or one line break with a space beside it at most.
GAP = re.compile(r"[^\S\n]?\n[^\S\n]?|[^\S\n]")

_SPELLINGS = str.maketrans(
    {**dict.fromkeys("’ʼ＇‘", "'"), **dict.fromkeys("‐‑", "-"), **dict.fromkeys("\u00a0\u202f", " ")}
)


def one_spelling(text: str) -> str:
    """``text`` with one kind of apostrophe, hyphen and space, character by character."""
    return text.translate(_SPELLINGS)
