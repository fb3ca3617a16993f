"""Normalization of written text to spoken words, by language.

``Dr. Lee paid $500 in 1999.`` becomes "Doctor Lee paid five hundred dollars in nineteen ninety nine." English has rules
for everything; German, French, Spanish and Italian for what espeak-ng reads wrongly. Other languages stay as they are.
"""

from __future__ import annotations

from functools import lru_cache

from core.settings import load_settings
from text.normalization import english, european, external
from text.source import Rewrite, SourceText

__all__ = ["normalize", "rewrites"]


def rewrites(text: str, language: str, *, readings: bool = False) -> list[Rewrite]:
    """The replacements for ``text``, in order; ``language`` is a BCP 47 tag. Takes linear time; never raises.

    ``readings``: with inline phonemes (`text.marks.inline`) where words that are spelled alike are said differently,
    for front ends that take phonemes. Without, all replacements are words.
    """
    code, _, region = language.replace("_", "-").partition("-")
    if code.lower() in european.LANGUAGES:
        return european.rewrites(text, code.lower())
    if code.lower() == "en" and (name := _engine()) != "builtin":
        return external.rewrites(text, name)
    return english.rewrites(text, region.upper() or "US", readings=readings) if code.lower() == "en" else []


def normalize(text: str, language: str) -> str:
    """``text`` as it is spoken, in words. Every word of ``text`` is kept or replaced by words."""
    return SourceText.of(text).rewritten(rewrites(text, language), apart=True).text


@lru_cache(maxsize=1)
def _engine() -> str:
    return load_settings().normalizer
