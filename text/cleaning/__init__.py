"""Cleaning: from a text as people have it to the text that is to be spoken.

Each step is a function from `SourceText` to `SourceText`, so that every word keeps its place in the source.
"""

from __future__ import annotations

from core.names import Clean, Emoji
from text.cleaning.characters import plain_characters
from text.source import SourceText


def clean_up(text: SourceText, language: str, clean: Clean = Clean.AUTO, emoji: Emoji = Emoji.SILENT) -> SourceText:
    """``text`` without what would be spoken by mistake. Takes linear time; never raises.

    ``clean``: none only makes the characters safe. ``language`` is a BCP 47 tag.
    """
    return plain_characters(text)
