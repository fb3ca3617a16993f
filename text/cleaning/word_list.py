"""The words of a language, to tell a word that was broken at a line's end from one that is spelt with a hyphen.

The lists are those of pyspellchecker (MIT): 40,000 to 440,000 words in each of twelve languages. A list is loaded
when the first broken word of its language is met, once per process: English takes 0.15 s and 20 MB.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

#: Languages that have a list.
_LANGUAGES = frozenset(("ar", "de", "en", "es", "eu", "fa", "fr", "it", "lv", "nl", "pt", "ru"))


@lru_cache(maxsize=4)
def _words(code: str) -> frozenset[str]:
    from spellchecker import SpellChecker  # a slow import

    return frozenset(SpellChecker(language=code).word_frequency.words())


def listed(words: str) -> frozenset[str]:
    """The words of a few lines."""
    return frozenset(words.split())


class WordList:
    """The list of one language; ``language`` is a BCP 47 tag."""

    def __init__(self, language: str) -> None:
        self._code = language.replace("_", "-").partition("-")[0].lower()

    @property
    def exists(self) -> bool:
        """Whether there is a list for the language."""
        return self._code in _LANGUAGES

    def __contains__(self, word: str) -> bool:
        """Whether ``word`` is listed, in any case, and with or without a possessive ``'s``."""
        if not self.exists:
            return False
        word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
        return word in _words(self._code) or word.removesuffix("'s") in _words(self._code)
