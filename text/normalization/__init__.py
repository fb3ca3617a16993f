"""Normalization of written text to spoken words, by language.

``Dr. Lee paid $500 in 1999.`` becomes "Doctor Lee paid five hundred dollars in nineteen ninety nine." Only English
has rules; text in other languages is unchanged, because espeak-ng reads their numbers itself.
"""

from __future__ import annotations

from text.normalization import english
from text.source import Rewrite, SourceText

__all__ = ["normalize", "rewrites"]


def rewrites(text: str, language: str, *, readings: bool = False) -> list[Rewrite]:
    """The replacements for ``text``, in order; ``language`` is a BCP 47 tag. Takes linear time; never raises.

    ``readings``: with inline phonemes (`text.marks.inline`) where words that are spelled alike are said differently,
    for front ends that take phonemes. Without, all replacements are words.
    """
    code, _, region = language.replace("_", "-").partition("-")
    return english.rewrites(text, region.upper() or "US", readings=readings) if code.lower() == "en" else []


def normalize(text: str, language: str) -> str:
    """``text`` as it is spoken, in words. Every word of ``text`` is kept or replaced by words."""
    return SourceText.of(text).rewritten(rewrites(text, language), apart=True).text
