"""Markdown that was left in plain text: its marks go, its words stay."""

from __future__ import annotations

from text.cleaning.markdown.blocks import without_block_marks
from text.cleaning.markdown.emphasis import without_emphasis
from text.cleaning.markdown.links import without_links
from text.cleaning.markdown.tables import without_tables
from text.source import SourceText


def without_markdown(text: SourceText) -> SourceText:
    """``text`` without Markdown's marks. A heading, an item of a list and a row of a table become paragraphs."""
    return without_emphasis(without_links(without_tables(without_block_marks(text))))
