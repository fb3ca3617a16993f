"""Korean for MeloTTS.

Upstream (``text/korean.py``) gives its BERT (kykim/bert-kor-base) the text in small letters, and g2pkk each word that
BERT's tokenizer cuts at spaces and marks; so no sound changes across words. Here the rules of `hangul` take g2pkk's
place. The stems of verbs are found with the same dictionary (mecab-ko-dic, Apache-2.0, read by fugashi). They differ
where g2pkk has errors: 늦어 is [느저] here and [느서] there. English words are read by the CMU dictionary, as upstream,
else by espeak-ng; initials such as TV are spelt. Chinese characters are read, unless in parentheses after Hangul;
upstream drops them.
"""

from __future__ import annotations

import contextlib
import re
import threading
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.errors import ConfigurationError, InvalidText
from models.melo.languages.hangul.loanwords import hangul_of_english
from models.melo.languages.hangul.pronunciation import pronunciation
from models.melo.languages.hangul.words import latin_word, letter_names, with_irregular_words, with_spoken_numbers
from models.melo.languages.parts import assemble, toneless_part

if TYPE_CHECKING:
    from models.melo.languages.spelling import Spelling, Tokenize

#: Marks that MeloTTS has phones for, here or among its Korean symbols.
_MARKS = frozenset("!?…,.'-¿¡()~[]/^:*\\")
_WIDE = re.compile("[\uff01-\uffef]+")
_PLAIN_MARKS = str.maketrans({"。": ".", "、": ",", "‘": "'", "’": "'", "−": "-", "‐": "-", "‑": "-", "⋯": "…"})
_HANJA = "\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HANJA_ASIDE = re.compile(rf"(?<=[가-힣])\([{_HANJA}·,\s]+\)")
_HANJA_RUN = re.compile(f"[{_HANJA}]+")
_LATIN = re.compile("[A-Za-z]+")
_WORD = re.compile(r"[^\W_]+|\S")
_SILENT = ("C", "M")
_VOWEL = re.compile("[aeiouy]", re.IGNORECASE)
_LONGEST_WORD, _INITIALS = 30, 3

_lock = threading.Lock()


def spell(text: str, tokenize: Tokenize) -> Spelling:
    """The spelling of a Korean utterance; ``tokenize`` is given one word or mark at a time, in small letters.

    Raises `InvalidText` for a text without speech and for a letter without a Korean reading, and `ConfigurationError`
    where the extra ``melo-ko`` is not installed. Linear in the length of ``text``."""
    words = [word for word in _WORD.findall(_normalized(text)) if _is_written(word)]
    parts = [toneless_part(word.lower(), _phones(word), tokenize) for word in words]
    if not any("ᅡ" <= phone <= "ᅵ" for part in parts for phone in part.phones):
        raise InvalidText("The text has nothing that can be spoken in Korean.")
    return assemble(parts)


def _normalized(text: str) -> str:
    """``text`` with numbers, Chinese characters and the Latin words of upstream's dictionary in Hangul."""
    text = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), unicodedata.normalize("NFC", text))
    text = "".join(map(_plain, text.translate(_PLAIN_MARKS).replace("...", "…")))
    text = _HANJA_RUN.sub(lambda found: _read_hanja(found[0]), _HANJA_ASIDE.sub("", text))
    text = with_spoken_numbers(text)
    return _LATIN.sub(lambda found: latin_word(found[0]) or found[0], text)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Latin letters without diacritics, ASCII digits; a space for controls, nothing for marks on nothing."""
    if "가" <= character <= "힣":
        return character
    category = unicodedata.category(character)
    if category[0] in _SILENT:
        return " " if category == "Cc" else ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


def _is_written(word: str) -> bool:
    """Whether BERT is to see ``word``: a word or mark, not a picture or another sign without a reading."""
    return word.isalnum() or word in _MARKS or unicodedata.category(word)[0] == "P"


def _phones(word: str) -> str:
    if not word.isalnum():
        return word if word in _MARKS else ""
    spoken = with_irregular_words("".join(map(_syllables, _LATIN.sub(lambda found: _in_hangul(found[0]), word))))
    return pronunciation(spoken, _stems(spoken))


@lru_cache(maxsize=4096)
def _in_hangul(latin: str) -> str:
    """An English word as Korean writes it. Initials (TV), and what is too long or has no vowel, are spelt."""
    is_spelt = len(latin) > _LONGEST_WORD or (len(latin) <= _INITIALS and latin.isupper()) or not _VOWEL.search(latin)
    if not is_spelt:
        with contextlib.suppress(InvalidText):
            return hangul_of_english(latin) or letter_names(latin)
    return letter_names(latin)


@lru_cache(maxsize=4096)
def _syllables(character: str) -> str:
    """A character as Hangul syllables: single jamo are given a vowel or a place in a syllable (ㅋ is 크, ㅠ is 유)."""
    if "가" <= character <= "힣":
        return character
    jamo = unicodedata.normalize("NFKD", character)
    if "ᄀ" <= jamo <= "ᄒ":
        return unicodedata.normalize("NFC", jamo + "ᅳ")
    if "ᅡ" <= jamo <= "ᅵ":
        return unicodedata.normalize("NFC", "ᄋ" + jamo)
    if "ᆨ" <= jamo <= "ᇂ":
        return unicodedata.normalize("NFC", "으" + jamo)
    raise InvalidText(f"{character!r} has no Korean reading.")


def _stems(word: str) -> set[int]:
    """The indexes of the syllables of ``word`` that end the stem of a verb or adjective."""
    ends, at = set(), 0
    for surface, features in _analysed(word):
        at += len(surface)
        if features[0].split("+")[-1].startswith("V"):
            ends.add(at - 1)
    return ends


def _read_hanja(text: str) -> str:
    readings = []
    for surface, features in _analysed(text):
        reading = features[3] if len(features) > 3 else "*"
        if reading == "*":
            raise InvalidText(f"{surface!r} has no Korean reading.")
        readings.append(reading)
    return "".join(readings)


def _analysed(text: str) -> list[tuple[str, tuple[str, ...]]]:
    with _lock:
        return [(word.surface, word.feature) for word in _mecab()(text)]


@lru_cache(maxsize=1)
def _mecab() -> Any:
    try:
        import fugashi
        import mecab_ko_dic
    except ImportError as error:
        raise ConfigurationError(
            "Korean with MeloTTS requires fugashi and python-mecab-ko-dic. "
            "Install them with: pip install 'chorus-speech[melo-ko]'"
        ) from error
    folder = mecab_ko_dic.dictionary_path
    return fugashi.GenericTagger(f'-d "{folder}" -r "{folder}/dicrc"')
