"""The languages of MeloTTS: their numbers in its tables, and how their BERTs cut text. Imports no library of theirs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from core.errors import InvalidRequest
from models.melo.languages.spelling import Spelling, Tokenize

_TONES = {"zh": 6, "ja": 1, "en": 4, "ko": 1, "es": 1, "fr": 1}  # in the order of upstream's table
#: With a BERT of 1,024 numbers Chinese is a language without English words in it, and has a number of its own.
_CHINESE_ALONE = 0
_WIDE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """``number`` and ``first_tone`` in MeloTTS's tables; the rest is how its BERT's vocabulary was made, where the
    weights do not say it."""

    tag: str  #: BCP 47, the primary subtag
    module: str
    number: int
    lowercase: bool
    phonemes: bool = False  #: text may have inline phonemes
    words: bool = False  #: the front end gives words with spaces between them, which are not cut at punctuation

    @property
    def first_tone(self) -> int:
        names = list(_TONES)
        return sum(_TONES[name] for name in names[: names.index(self.tag)])

    @property
    def spell(self) -> Callable[[str, Tokenize], Spelling]:
        """The language's front end; importing it loads nothing of another language."""
        module = importlib.import_module(f"models.melo.languages.{self.module}")
        return cast(Callable[[str, Tokenize], Spelling], module.spell)

    def number_with(self, features: int) -> int:
        """The number of the language, whose BERT gives so many numbers."""
        return _CHINESE_ALONE if self.tag == "zh" and features == _WIDE else self.number


LANGUAGES = {
    language.tag: language
    for language in (
        Language(tag="en", module="english", number=2, lowercase=True, phonemes=True),
        Language(tag="zh", module="chinese", number=3, lowercase=True),
        Language(tag="ja", module="japanese", number=1, lowercase=False, words=True),
        Language(tag="ko", module="korean", number=4, lowercase=False),
        Language(tag="es", module="spanish", number=5, lowercase=True, phonemes=True),
        Language(tag="fr", module="french", number=6, lowercase=False, phonemes=True),
    )
}


def language_of(tag: str, model: str) -> Language:
    """The language of a BCP 47 tag. Raises `core.errors.InvalidRequest` (``unknown_language``)."""
    primary = tag.lower().replace("_", "-").split("-")[0]
    if primary not in LANGUAGES:
        raise InvalidRequest(f"{model} does not speak {tag[:40]!r}.", code="unknown_language")
    return LANGUAGES[primary]
