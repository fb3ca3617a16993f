"""The shapes of responses about lexicons. See `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.responses import LexiconId, Time
from schemas.shapes import Count, Shape, Url


class LexiconLinks(Shape):
    """Links to related resources."""

    self: Url


class LexiconEntry(Shape):
    """How a word or phrase is spoken."""

    word: str
    say: str | None
    ipa: str | None
    case_sensitive: bool
    whole_word: bool


class LexiconSummary(Shape):
    """A version of a lexicon, without its entries."""

    id: LexiconId
    object: Literal["lexicon"]
    name: str
    language: Annotated[str, Field(description="BCP 47")]
    version: Annotated[int, Field(ge=1)]
    size: Annotated[Count, Field(description="Number of entries")]
    created: Time
    updated: Annotated[Time, Field(description="When this version was created")]
    links: LexiconLinks


class Lexicon(LexiconSummary):
    """A version of a lexicon."""

    entries: list[LexiconEntry]


class LexiconList(Shape):
    """All lexicons in their latest versions."""

    object: Literal["list"]
    data: list[LexiconSummary]
