"""Mandarin in the symbols of OpenVoice V1's base speakers (``chinese_to_ipa`` and ``cjke_cleaners2`` of
myshell-ai/OpenVoice, MIT, after CjangCjengh's cleaners).

Words are told apart by jieba's dictionary (rjieba), read in Bopomofo by pypinyin, and written in IPA with arrows for
the tones. Latin letters are read by their names. The extra ``openvoice`` installs the libraries.
"""

from __future__ import annotations

import re
import unicodedata
from types import ModuleType

from core.errors import InvalidText
from models.shared.libraries import library
from text.letters import plain_letters
from text.marks import inline_spans
from text.speakable import clean

MAX_CHARACTERS = 2_000  #: of one call; utterances are far shorter
_MAX_DIGITS = 16  #: of a number that is not read digit by digit

_SOUNDS = {
    "ㄅㄛ": "p⁼wo", "ㄆㄛ": "pʰwo", "ㄇㄛ": "mwo", "ㄈㄛ": "fwo",
    "ㄅ": "p⁼", "ㄆ": "pʰ", "ㄇ": "m", "ㄈ": "f", "ㄉ": "t⁼", "ㄊ": "tʰ", "ㄋ": "n", "ㄌ": "l",
    "ㄍ": "k⁼", "ㄎ": "kʰ", "ㄏ": "x", "ㄐ": "tʃ⁼", "ㄑ": "tʃʰ", "ㄒ": "ʃ",
    "ㄓ": "ts`⁼", "ㄔ": "ts`ʰ", "ㄕ": "s`", "ㄖ": "ɹ`", "ㄗ": "ts⁼", "ㄘ": "tsʰ", "ㄙ": "s",
    "ㄚ": "a", "ㄛ": "o", "ㄜ": "ə", "ㄝ": "ɛ", "ㄞ": "aɪ", "ㄟ": "eɪ", "ㄠ": "ɑʊ", "ㄡ": "oʊ",
    "ㄧㄢ": "jɛn", "ㄩㄢ": "ɥæn", "ㄢ": "an", "ㄧㄣ": "in", "ㄩㄣ": "ɥn", "ㄣ": "ən", "ㄤ": "ɑŋ",
    "ㄧㄥ": "iŋ", "ㄨㄥ": "ʊŋ", "ㄩㄥ": "jʊŋ", "ㄥ": "əŋ", "ㄦ": "əɻ", "ㄧ": "i", "ㄨ": "u", "ㄩ": "ɥ",
    "ˉ": "→", "ˊ": "↑", "ˇ": "↓↑", "ˋ": "↓", "˙": "", "，": ",", "。": ".", "！": "!", "？": "?", "—": "-",
}  # fmt: skip
_LETTERS = {
    "a": "ㄟˉ", "b": "ㄅㄧˋ", "c": "ㄙㄧˉ", "d": "ㄉㄧˋ", "e": "ㄧˋ", "f": "ㄝˊㄈㄨˋ", "g": "ㄐㄧˋ", "h": "ㄝˇㄑㄩˋ",
    "i": "ㄞˋ", "j": "ㄐㄟˋ", "k": "ㄎㄟˋ", "l": "ㄝˊㄛˋ", "m": "ㄝˊㄇㄨˋ", "n": "ㄣˉ", "o": "ㄡˉ", "p": "ㄆㄧˉ",
    "q": "ㄎㄧㄡˉ", "r": "ㄚˋ", "s": "ㄝˊㄙˋ", "t": "ㄊㄧˋ", "u": "ㄧㄡˉ", "v": "ㄨㄧˉ", "w": "ㄉㄚˋㄅㄨˋㄌㄧㄡˋ",
    "x": "ㄝˉㄎㄨˋㄙˋ", "y": "ㄨㄞˋ", "z": "ㄗㄟˋ",
}  # fmt: skip
_NAMES = str.maketrans({**_LETTERS, **{letter.upper(): name for letter, name in _LETTERS.items()}})
_SOUND = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))
_MARKS = str.maketrans("、；：;:﹑", "，，，，，，")
_HAN = re.compile("[\u4e00-\u9fff]")
_UNTONED = re.compile(r"([\u3105-\u3129])$")
_YEAR = re.compile(r"(?<!\d)\d{4}(?=年)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)[%％]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_END = frozenset(".,!?-…~")
#: Before a tone or a space, a syllable without a vowel: ㄓ ㄔ ㄕ ㄖ, then ㄗ ㄘ ㄙ.
_RETROFLEX = re.compile(r"([sɹ]`[⁼ʰ]?)([→↓↑ ]+|$)")
_SIBILANT = re.compile(r"(s[⁼ʰ]?)([→↓↑ ]+|$)")


def read_chinese(text: str) -> str:
    """The symbols of a Mandarin text. It ends with a mark, as in training.

    Raises `core.errors.InvalidText` for inline phonemes, for a character without a reading, or (code
    ``text_too_long``) beyond `MAX_CHARACTERS`; `core.errors.ConfigurationError` without the libraries."""
    if inline_spans(text):
        raise InvalidText("The Chinese voice does not take phonemes.", code="no_phonemes")
    if len(text) > MAX_CHARACTERS:
        raise InvalidText(f"At most {MAX_CHARACTERS} characters can be read at once.", code="text_too_long")
    bopomofo = _bopomofo(_numbers_in_words(plain_letters(clean(text), "zh")))
    ipa = _SOUND.sub(lambda found: _SOUNDS[found[0]], bopomofo.translate(_NAMES))
    ipa = re.sub("u([aoəe])", r"w\1", re.sub("i([aoe])", r"j\1", ipa))
    ipa = _RETROFLEX.sub(r"\1ɹ`\2", ipa).replace("ɻ", "ɹ`")
    ipa = _SIBILANT.sub(r"\1ɹ\2", ipa).rstrip()
    if lost := next((c for c in ipa if unicodedata.category(c) == "Lo"), None):
        raise InvalidText(f"The voice has no sound for {lost!r}.")
    return ipa if not ipa or ipa[-1] in _END else f"{ipa}."


def _bopomofo(text: str) -> str:
    """The syllables of each word, a space before it, and all else as it is."""
    rjieba, pypinyin = _library("rjieba"), _library("pypinyin")
    written = ""
    for word in rjieba.cut(text.translate(_MARKS)):
        if not _HAN.search(word):
            written += word
            continue
        syllables = pypinyin.lazy_pinyin(word, pypinyin.BOPOMOFO)
        toned = "".join(_UNTONED.sub(r"\1ˉ", syllable) for syllable in syllables)
        written += f" {toned}" if written else toned
    return written


def _numbers_in_words(text: str) -> str:
    """Years digit by digit, percentages and numbers as they are said."""
    if not any(c.isdigit() for c in text):
        return text
    cn2an = _library("cn2an")

    def said(number: str) -> str:
        return str(cn2an.an2cn(number, "direct" if len(number) > _MAX_DIGITS else "low"))

    text = _YEAR.sub(lambda found: str(cn2an.an2cn(found[0], "direct")), text)
    text = _PERCENT.sub(lambda found: f"百分之{said(found[1])}", text)
    return _NUMBER.sub(lambda found: said(found[0]), text)


def _library(name: str) -> ModuleType:
    return library(name, "OpenVoice's Chinese", "openvoice")
