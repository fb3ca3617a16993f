"""Markup in texts: pauses, pronunciations, styles, and the voices and languages of stretches.

`parse` takes the markup out of a text and says what it means. A text is parsed only in the markup that is asked for.
"""

from __future__ import annotations

from core.names import Markup
from text.marks import MarkedText
from text.markup.light import parse_light
from text.markup.ssml import parse_ssml
from text.source import SourceText

__all__ = ["parse"]


def parse(text: str, markup: Markup, language: str = "en") -> MarkedText:
    """``text`` without its markup, and the marks. Takes linear time.

    ``language`` (BCP 47) is that of the text where its markup names none. Raises `core.errors.InvalidText`
    (``invalid_markup``) that says the line and column, counted from 1, and what is allowed there.
    """
    if markup is Markup.LIGHT:
        return parse_light(text)
    if markup is Markup.SSML:
        return parse_ssml(text, language)
    return MarkedText(SourceText.of(text))
