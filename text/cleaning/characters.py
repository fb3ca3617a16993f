"""`text.speakable.clean` with the source kept: one normal form of Unicode, without inaudible characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from text.source import Rewrite, SourceText
from text.speakable import clean

#: Stretches that `clean` may change: line ends and controls, and characters beyond ASCII with the one before them.
_ODD = re.compile(r"\r\n?|[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]+|[^\x00-\x1f\x7f]?[^\x00-\x7f]+")
_JOINERS = frozenset("\u200c\u200d")
#: Hangul vowels and finals, which compose with what two letters before them became.
_JAMO = range(0x1160, 0x1200)


def plain_characters(text: SourceText) -> SourceText:
    """``text`` as `text.speakable.clean` makes it."""
    return text.rewritten(_changes(text.text))


def _changes(text: str) -> Iterator[Rewrite]:
    for found in _ODD.finditer(text):
        made = clean(found[0])
        if made == found[0]:
            continue
        bits = list(_bits(found[0]))
        cleaned = [clean(bit) for bit in bits]
        if "".join(cleaned) != made:
            yield Rewrite(found.start(), found.end(), made)
            continue
        at = found.start()
        for bit, new in zip(bits, cleaned, strict=True):
            if bit != new:
                yield Rewrite(at, at + len(bit), new)
            at += len(bit)


def _bits(text: str) -> Iterator[str]:
    """``text`` in its smallest parts that can be composed (NFC) by themselves."""
    start = 0
    for at in range(1, len(text)):
        if _begins(text[at - 1], text[at]):
            yield text[start:at]
            start = at
    yield text[start:]


def _begins(before: str, character: str) -> bool:
    if unicodedata.combining(character) or character in _JOINERS or before in _JOINERS or ord(character) in _JAMO:
        return False
    return unicodedata.normalize("NFC", before + character) == unicodedata.normalize("NFC", before) + character
