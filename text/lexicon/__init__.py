"""Lexicons: how words are said, as other words or as IPA phonemes."""

from text.lexicon.entries import Entry, checked
from text.lexicon.matching import Lexicon

__all__ = ["Entry", "Lexicon", "checked"]
