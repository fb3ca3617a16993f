"""What the kinds of markup have in common: errors with a position, pauses, phonemes."""

from __future__ import annotations

import re

from core.errors import InvalidText
from text.ipa import check_ipa

MAX_PAUSE = 10.0  #: seconds in one place
MAX_MARKS = 200_000  #: in one text: elements, or places that the light markup changes

_LINE_END = re.compile(r"\r\n?|\n")
_CLOSING = "\"'”’»)]}」』"
_SENTENCE_ENDS = ".!?…:;。！？"


def invalid(text: str, at: int, detail: str) -> InvalidText:
    """The error at a character of ``text``."""
    line, start = 1, 0
    for end in _LINE_END.finditer(text, 0, at):
        line, start = line + 1, end.end()
    return InvalidText(f"Line {line}, column {at - start + 1}: {detail}", code="invalid_markup")


def shown(value: str) -> str:
    """A user's value in an error: short, on one line, odd characters escaped."""
    short = f"{value[:40]}…" if len(value) > 40 else value
    return repr(short) if short.isprintable() else ascii(short)


def joined_pause(text: str, at: int, seconds: float, before: float = 0.0) -> float:
    """The pause of ``seconds`` at ``at`` and the one ``before``, without a word between them. Raises `InvalidText`."""
    if seconds + before > MAX_PAUSE:
        raise invalid(text, at, f"A pause may last at most {MAX_PAUSE:g} s.")
    return seconds + before


def ends_sentence(before: str) -> bool:
    """Whether the text ``before`` a place ends with a mark at which a voice pauses."""
    return before.rstrip().rstrip(_CLOSING).endswith(tuple(_SENTENCE_ENDS))


def phonemes(text: str, at: int, ipa: str) -> str:
    """``ipa`` from the character ``at`` of ``text`` with single spaces. Raises `InvalidText` where it is no IPA."""
    try:
        check_ipa(ipa)
    except InvalidText as error:
        raise invalid(text, at, error.message) from error
    return " ".join(ipa.split())
