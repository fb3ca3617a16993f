"""Words as single characters of IPA: what Spanish and French share.

Upstream (``text/spanish.py`` and ``text/french.py`` of MeloTTS, MIT) reads a text word by word, as BERT's tokenizer
divides it: a word's phones do not depend on its neighbours. They come from gruut's lexicon (gruut 2.2.3,
``use_espeak_phonemes``), which an older espeak-ng wrote from a sorted list of words. gruut is not used here: its last
release is of 2024 (of its French data 2022), it holds dateparser, jsonlines and Babel at old versions, and its data
take 160 MB. Here the phones come from espeak-ng itself: each word is heard before one that begins as its neighbour in
a sorted list does, and what espeak-ng has changed since is changed back.

Words that gruut's lexicon lacks differ: gruut guesses them from their letters (BBC: "kb"), espeak-ng has rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from core.errors import InvalidText
from models.melo.languages.parts import assemble, toneless_part
from models.melo.languages.spelling import Spelling, Tokenize
from text.marks import inline, inline_parts
from text.phonemes import MAX_CHARACTERS, phonemize_each
from text.sounds.nearest import adapt
from text.speakable import has_word

#: MeloTTS's marks, and its sounds of Spanish and French (``text/symbols.py``: ``punctuation``, ``es_symbols``,
#: ``fr_symbols``).
MARKS = frozenset("!?…,.'-¿¡")
SOUNDS = frozenset("NQabdefghijklmnopstuvwxyzɑæʃʑçɯɪɔɛɹðəɫɥɸʊɾʒθβŋɦɡrɲʝɣʎˈˌː\u0303œøʁɒʌɜɐ")
_HEARD = SOUNDS - frozenset("ˈˌː\u0303")
#: Sounds of foreign words that MeloTTS has no symbol for, as near ones that it has.
_NEAR = {
    "ᵻ": "ɪ", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɨ": "ɪ", "ʏ": "y", "ʉ": "u", "ɵ": "ø", "ɘ": "ə", "ɤ": "o", "ɶ": "œ", "c": "k",
    "ɟ": "ɡ", "q": "k", "ɢ": "ɡ", "χ": "x", "ħ": "h", "ɬ": "l", "ɭ": "l", "ʂ": "ʃ", "ʐ": "ʒ", "ɕ": "ʃ", "ʈ": "t",
    "ɖ": "d", "ɳ": "n", "ɴ": "n", "ɱ": "m", "ɽ": "ɾ", "ɻ": "ɹ", "ʀ": "ʁ", "ʋ": "v", "ɰ": "ɣ", "ʍ": "w",
}  # fmt: skip

#: Signs that are read; others between words are silent.
_READ = frozenset("%‰&+=@#°€$£¥§©")
_STAND_IN = inline("")[0]  #: in place of inline phonemes
#: BERT's words: a sign is one by itself.
_WORD = re.compile(rf"{_STAND_IN}|[^\W_]+(?:[\u0300-\u036f][^\W_]*)*|[^\w\s]|_")
_CLOSED = re.compile(r"[^.,!?\-…]$")
_OPENING_MARKS = re.compile(r"^[\s,.!?…]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How one language is read.

    ``voice``: of espeak-ng. ``clean``: a text as upstream's cleaner leaves it. ``follower``: the word before which a
    word is heard. ``phones``: the symbols of a word (in small letters), from it and espeak-ng's IPA.
    ``own``: the phones of words that neither gives."""

    voice: str
    clean: Callable[[str], str]
    follower: Callable[[str], str]
    phones: Callable[[str, str], str]
    own: Mapping[str, str]


def spell_words(text: str, tokenize: Tokenize, language: Language) -> Spelling:
    """The phones and pieces of ``text``; all tones are 0. ``tokenize`` is given one word or mark at a time.

    Inline phonemes (`text.marks.inline`) are kept, with sounds that the language lacks as near ones; BERT gets the
    unknown word in their place.

    Raises `core.errors.InvalidText` where there is nothing to speak or no sound for a word, and beyond
    `text.phonemes.MAX_CHARACTERS` (code ``text_too_long``)."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidText(f"At most {MAX_CHARACTERS} characters can be spelt at once.", code="text_too_long")
    words, given = _words(text, language)
    sounds = _sounds(set(words), language)
    spelt = [
        ("", _inline_phones(next(given), language)) if word == _STAND_IN else (word, sounds[word]) for word in words
    ]
    if not any(phone in _HEARD for _, phones in spelt for phone in phones):
        raise InvalidText("The text contains nothing that the voice can speak.")
    return assemble(toneless_part(word, phones, tokenize) for word, phones in spelt)


def replaced(text: str, marks: Mapping[int, str], silent: re.Pattern[str]) -> str:
    """``text`` with upstream's few marks, without ``silent`` ones, marks at its start and doubled spaces, and with a
    full stop if it ends with no mark."""
    plain = silent.sub("", text.replace("...", ".").translate(marks))
    plain = " ".join(_OPENING_MARKS.sub("", plain).split())
    return f"{plain}." if _CLOSED.search(plain) else plain


def _words(text: str, language: Language) -> tuple[list[str], Iterator[str]]:
    """BERT's words of the cleaned text, a stand-in for inline phonemes, and these."""
    parts = inline_parts(text)
    plain = "".join(f" {_STAND_IN} " if is_ipa else part for part, is_ipa in parts)
    given = iter([part for part, is_ipa in parts if is_ipa])
    return _WORD.findall(language.clean(unicodedata.normalize("NFC", plain))), given


def _sounds(words: set[str], language: Language) -> dict[str, list[str]]:
    """The phones of each of ``words``."""
    found: dict[str, list[str]] = {word: [word] if word in MARKS - {"'", "-"} else [] for word in words}
    asked = []
    for word in sorted(words - {_STAND_IN}):
        if own := language.own.get(word.lower()):
            found[word] = _symbols(own)
        elif has_word(word) or word in _READ:
            asked.append(word)
    followers = [language.follower(word.lower()) for word in asked]
    for word, ipa in zip(asked, phonemize_each(asked, language.voice, followers), strict=True):
        found[word] = _symbols(language.phones(word.lower(), ipa))
        if has_word(word) and not any(phone in _HEARD for phone in found[word]):
            raise InvalidText(f"The voice has no sound for {word[:60]!r}.")
    return found


def _inline_phones(ipa: str, language: Language) -> list[str]:
    """The phones of inline phonemes."""
    near = adapt(ipa, language.voice)
    said = _symbols(language.phones("", near or ""))
    if not said:
        raise InvalidText(f"The voice has no sound for {ipa[:60]!r}.")
    return said


def _symbols(ipa: str) -> list[str]:
    """IPA as MeloTTS's symbols, one character each; a nasal vowel is two."""
    # ç is a sound, c with a cedilla is not.
    apart = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç").translate({ord("g"): "ɡ"})
    near = "".join(_NEAR.get(character, character) for character in apart)
    return [character for character in near if character in SOUNDS or character in MARKS]
