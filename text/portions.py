"""Where a long text is cut into the portions that are prepared one after the other.

A portion ends at a blank line, so that what is read of it does not depend on the next. Only a paragraph that is longer
than several portions is cut inside.
"""

from __future__ import annotations

import re

#: Characters of a text's first portion, so that its first utterances are rendered at once, and of the others.
FIRST = 2_000
PORTION = 40_000

#: How much longer a portion may become to end at a blank line.
_STRETCH = 4

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*|\r\n[^\S\n]*\r\n\s*|\r[^\S\r\n]*\r\s*")
_SPACE = re.compile(r"\s")


def portion_end(text: str, start: int) -> tuple[int, bool]:
    """The end of the portion that begins at ``start``, and whether a paragraph ends there.

    If not, the last utterance of the portion may go on behind it. The same text is always cut at the same places.
    """
    size = PORTION if start else FIRST
    if len(text) - start <= size:
        return len(text), True
    if found := _BLANK_LINES.search(text, start + size, start + _STRETCH * size):
        return found.end(), True
    stop = start + _STRETCH * size
    if len(text) <= stop:
        return len(text), True
    space = _SPACE.search(text, stop, stop + size)
    return (space.end() if space else stop), False
