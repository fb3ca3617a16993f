"""The shapes of requests about lexicons."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.requests import Flag, exactly_one
from text.ipa import MAX_IPA_CHARACTERS
from text.lexicon.entries import MAX_SAY_CHARACTERS, MAX_WORD_CHARACTERS

#: Entries of a lexicon.
MAX_ENTRIES = 10_000

_Strict = ConfigDict(extra="forbid", hide_input_in_errors=True)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Language = Annotated[
    str,
    StringConstraints(min_length=2, max_length=35, pattern="^[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*$"),
    Field(description="BCP 47. `en` also serves jobs in `en-US`, but not the other way round", examples=["en"]),
]


class LexiconEntryInput(BaseModel):
    """How a word or phrase is spoken: as other words (``say``), or as phonemes (``ipa``)."""

    model_config = ConfigDict(**_Strict, json_schema_extra={"oneOf": exactly_one("say", "ipa")})
    word: Annotated[str, StringConstraints(min_length=1, max_length=MAX_WORD_CHARACTERS)]
    say: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SAY_CHARACTERS)] | None = None
    ipa: Annotated[str, StringConstraints(min_length=1, max_length=MAX_IPA_CHARACTERS)] | None = None
    case_sensitive: Flag = False
    whole_word: Flag = Field(True, description="false: the word is also replaced inside of other words")

    @model_validator(mode="after")
    def one_way(self) -> LexiconEntryInput:
        """Exactly one of ``say`` and ``ipa``."""
        if (self.say is None) == (self.ipa is None):
            raise PydanticCustomError("one_of", "Send exactly one of say and ipa.")
        return self


Entries = Annotated[list[LexiconEntryInput], Field(max_length=MAX_ENTRIES)]


class LexiconHead(BaseModel):
    """What a lexicon has besides its entries."""

    model_config = _Strict
    name: Name
    language: Language


class LexiconRequest(LexiconHead):
    """A lexicon."""

    entries: Entries


class LexiconChange(BaseModel):
    """Changes to a lexicon. Omitted fields are unchanged."""

    model_config = _Strict
    name: Name | None = None
    language: Language | None = None
    entries: Entries | None = None
