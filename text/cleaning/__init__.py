"""Cleaning: from a text as people have it to the text that is to be spoken.

Each step is a function from `SourceText` to `SourceText`, so that every word keeps its place in the source.
"""

from __future__ import annotations

from core.names import Clean, Emoji
from text.cleaning.characters import plain_characters
from text.cleaning.emoji import spoken_emoji
from text.cleaning.entities import without_entities
from text.cleaning.footnotes import without_footnote_marks
from text.cleaning.hyphens import without_broken_words, without_soft_breaks
from text.cleaning.mail import without_flowed_breaks, without_quote_marks
from text.cleaning.markdown import without_markdown
from text.cleaning.punctuation import without_runs
from text.cleaning.quotes import plain_quotes
from text.cleaning.smileys import without_smileys
from text.cleaning.tags import without_tags
from text.source import SourceText


def clean_up(text: SourceText, language: str, clean: Clean = Clean.AUTO, emoji: Emoji = Emoji.SILENT) -> SourceText:
    """``text`` without what would be spoken by mistake. Takes linear time; never raises.

    ``clean``: none only makes the characters safe, and sees to emoji. ``language`` is a BCP 47 tag.
    """
    if clean is Clean.NONE:
        return plain_characters(spoken_emoji(text, language, emoji))
    text = without_soft_breaks(without_entities(text))
    text = plain_characters(spoken_emoji(text, language, emoji))
    text = without_flowed_breaks(without_quote_marks(text))
    text = without_broken_words(text, language)
    text = without_markdown(without_tags(text))
    text = without_footnote_marks(without_smileys(text))
    return plain_quotes(without_runs(text))
