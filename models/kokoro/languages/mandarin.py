"""Mandarin in Kokoro's phonemes (misaki, ``zh.py`` and ``transcription.py``, the latter after pinyin-to-ipa, MIT).

Words are told apart by jieba's dictionary (rjieba) and read by pypinyin; numbers become words by cn2an. Tones are those
of words by themselves, as in training: no sandhi. The extra ``kokoro-zh`` installs the libraries. Latin words, which
misaki leaves as letters, are read as English, and phonemes of markup are taken as they are."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from types import ModuleType

from core.errors import InvalidText
from models.kokoro.languages.espeak import respelled
from models.kokoro.languages.espeak import spell as spell_english
from models.melo.languages.mandarin.numbers import in_words
from models.shared.libraries import library
from text.letters import plain_letters
from text.marks import inline_parts

_INITIALS = {
    "b": "p", "c": "ʦʰ", "ch": "ꭧʰ", "d": "t", "f": "f", "g": "k", "h": "x", "j": "ʨ", "k": "kʰ", "l": "l", "m": "m",
    "n": "n", "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s", "sh": "ʂ", "t": "tʰ", "x": "ɕ", "z": "ʦ", "zh": "ꭧ",
}  # fmt: skip
#: The tone stands at 0, behind the vowel.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "ü": "y0", "üe": "ɥe0",
    "üan": "ɥɛ0n", "ün": "y0n",
}  # fmt: skip
#: Syllables without initial and final: interjections, and consonants by themselves.
_WHOLE = {"hm": "hm0", "hng": "hŋ0", "m": "m0", "n": "n0", "ng": "ŋ0", "io": "jɔ0", "ê": "ɛ0", "er": "ɚ0", "o": "ɔ0"}
_APICAL = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})  # whose i is no vowel
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(f"[{_HAN}]+|[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ' -]*|.", re.DOTALL)
_LOOSE = re.compile(" (?=[,.!?:;)”])")
_IS_HAN = re.compile(f"[{_HAN}]+")
_MARKS = {
    **{mark: f"{mark} " for mark in ",.!?:;)”"}, **dict.fromkeys("，、﹑", ", "), "。": ". ", "．": ". ", "！": "! ",
    "？": "? ", "：": ": ", "；": "; ", **dict.fromkeys("«《「『【", " “"), **dict.fromkeys("»》」』】", "” "),
    "（": " (", "）": ") ", "·": " ",
}  # fmt: skip


def spell(text: str) -> str:
    """The phonemes of ``text``.

    Raises `core.errors.InvalidText` for a character without a reading, `core.errors.ConfigurationError` without the
    libraries."""
    parts = (respelled(part, "en-us") if is_ipa else _spelled(part) for part, is_ipa in inline_parts(text))
    return _LOOSE.sub("", " ".join("".join(parts).split()))


def _spelled(text: str) -> str:
    plain = plain_letters(unicodedata.normalize("NFC", text.replace("，", "、")), "zh")
    plain = in_words(plain, lambda number, how: str(_library("cn2an").an2cn(number, how)))
    return "".join(_run(run) for run in _RUN.findall(plain))


def _run(run: str) -> str:
    if _IS_HAN.fullmatch(run):
        return " ".join(_word(word) for word in _library("rjieba").cut(run))
    if run[0].isalpha() and len(run.strip()) and "LATIN" in unicodedata.name(run[0], ""):
        return f" {spell_english(run, 'en-us')} "
    if run.isalnum():
        raise InvalidText(f"The voice has no sound for {run!r}.")
    return _MARKS.get(run, run)


@lru_cache(maxsize=10_000)
def _word(word: str) -> str:
    pypinyin = _library("pypinyin")
    read = pypinyin.lazy_pinyin(word, style=pypinyin.Style.TONE3, neutral_tone_with_five=True)
    return "".join(_syllable(pinyin) for pinyin in read)


def _syllable(pinyin: str) -> str:
    """A syllable such as ``hao3``. Raises `core.errors.InvalidText` for what is none."""
    convert = _library("pypinyin.contrib.tone_convert")
    written, tone = pinyin[:-1], _TONES.get(pinyin[-1:])
    if tone is None:
        raise InvalidText(f"The voice has no sound for {pinyin[:60]!r}.")
    if written in _WHOLE:
        return _WHOLE[written].replace("0", tone)
    initial, final = convert.to_initials(written, strict=True), convert.to_finals(written, strict=True, v_to_u=True)
    if final not in _FINALS or (initial and initial not in _INITIALS):
        raise InvalidText(f"The voice has no sound for {pinyin[:60]!r}.")
    sound = "ɨ0" if final == "i" and initial in _APICAL else _FINALS[final]
    return _INITIALS.get(initial, "") + sound.replace("0", tone)


def _library(name: str) -> ModuleType:
    return library(name, "Kokoro's Chinese", "kokoro-zh")
