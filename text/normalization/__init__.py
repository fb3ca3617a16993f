"""Text as it is written to text as it is said, by language.

``Dr. Lee paid $500 in 1999.`` is said "Doctor Lee paid five hundred dollars in nineteen ninety nine." English has
rules of its own; of other languages nothing changes, since espeak-ng reads their numbers itself.
"""

from __future__ import annotations

from text.normalization import english
from text.normalization.rewrites import Rewrite, apply

__all__ = ["Rewrite", "normalize", "rewrites"]


def rewrites(text: str, language: str) -> list[Rewrite]:
    """What changes in ``text`` where it is said, in order; ``language`` is a BCP 47 tag."""
    code, _, region = language.replace("_", "-").partition("-")
    return english.rewrites(text, region.upper() or "US") if code.lower() == "en" else []


def normalize(text: str, language: str) -> str:
    """``text`` as it is said. Linear in time, never raises; every word of ``text`` stays or is said in other words."""
    return apply(text, rewrites(text, language))
