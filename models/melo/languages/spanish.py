"""Spanish for MeloTTS: espeak-ng's phones in the spelling of upstream's lexicon (`models.melo.languages.ipa`).

Of the words that upstream's lexicon has, 99.98 % of those of 768 news sentences have its phones, and 98.5 % of the
phones of all words (edit distance); the others are mostly foreign names. As upstream, the text is read in small
letters, apostrophes and quotation marks are left out, and hyphens are spaces. A dash is a space too; upstream joins
the words around it.
"""

from __future__ import annotations

import re

from models.melo.languages.ipa import Language, replaced, spell_words
from models.melo.languages.spelling import Spelling, Tokenize

_MARKS = str.maketrans(
    {
        **dict.fromkeys("：；，、·;:", ","),
        **dict.fromkeys("。…", "."),
        **dict.fromkeys("-–—―～~_/\\", " "),
        "！": "!",
        "？": "?",
    }
)
_SILENT = re.compile("[<>()\\[\\]{}\"«»'‘’“”„‹›（）《》【】「」`´]+")
_CONSONANTS = "bdfɡklmnpstxzβðŋɣʃʒθ"


def spell(text: str, tokenize: Tokenize) -> Spelling:
    """The phones of a Spanish text. Raises `core.errors.InvalidText`."""
    return spell_words(text, tokenize, _SPANISH)


def _clean(text: str) -> str:
    return replaced(text.lower(), _MARKS, _SILENT)


def _follower(word: str) -> str:
    """A final "d" is soft before vowels and "r"."""
    return "a" if word[:1] in "aeiouáéíóúühr" else "casa"


def _phones(word: str, ipa: str) -> str:
    """What an older espeak-ng wrote: "ɾɾ" for its "r" at the start and after a vowel (not at the end), "jj" for "ʝ"
    inside a word, "m" before "f"."""
    said = ipa.replace(" ", "")
    said = re.sub(f"(?<![{_CONSONANTS}])([ˈˌ]?)r(?!$)", r"\1ɾɾ", said)
    said = re.sub("(?<=[^ˈˌ])ʝ|(?<=[^ˈˌ][ˈˌ])ʝ", "jj", said)
    return re.sub("n([ˈˌ]?)f", r"m\1f", said)


_SPANISH = Language(voice="es", clean=_clean, follower=_follower, phones=_phones, own={"muy": "mˈujj"})
