"""Japanese in Kokoro's phonemes (misaki, ``cutlet.py``, after cutlet, MIT): kana by kana.

The readings are Open JTalk's (pyopenjtalk-plus, MIT; extra ``kokoro-ja``), where misaki has MeCab's with UniDic. Latin
words are read as Open JTalk does, and phonemes of markup are taken as they are."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from types import ModuleType

from core.errors import InvalidText
from models.kokoro.languages.espeak import respelled
from models.shared.libraries import library
from text.marks import inline_parts

_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "ɡ": "ガギグゲゴ", "s": "サ＿スセソ", "ʣ": "ザ＿＿ゼゾ", "z": "＿＿ズ",
    "ɕ": "＿シ", "ʥ": "＿ジ", "t": "タ＿＿テト", "d": "ダ＿＿デド", "ʨ": "＿チ", "ʦ": "＿＿ツ", "n": "ナ＿ヌネノ",
    "ɲ": "＿ニ", "h": "ハ＿＿ヘホ", "ç": "＿ヒ", "ɸ": "＿＿フ", "b": "バビブベボ", "p": "パピプペポ",
    "m": "マミムメモ", "j": "ヤ＿ユ＿ヨ", "ɾ": "ラリルレロ", "β": "ワ", "v": "＿＿ヴ",
}  # fmt: skip
_VOWELS = "aiɯeo"
#: Consonants that a following i or y makes soft, and those that are soft already.
_SOFTENED = frozenset("kɡbpmɾtdv") | {"ɸ", "ʦ"}
_HISSING = frozenset("sʦz")  # after which u is further forward
_SINGLE = {"ヂ": "ʥi", "ヅ": "zɨ", "ヰ": "i", "ヱ": "e", "ヲ": "o", "ヮ": "βa", "ヵ": "ka", "ヶ": "ke"}
_SMALL = {"ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "ja", "ュ": "jɯ", "ョ": "jo"}
#: The vowel of a small y, or e, behind a kana that it makes soft.
_PALATAL = {"ャ": "a", "ュ": "ɨ", "ョ": "o", "ェ": "e"}
_PALATALS = {
    "キ": "kʲ", "ギ": "ɡʲ", "シ": "ɕ", "ジ": "ʥ", "チ": "ʨ", "ヂ": "ʥ", "ニ": "ɲ", "ヒ": "ç", "ビ": "bʲ", "ピ": "pʲ",
    "ミ": "mʲ", "リ": "ɾʲ", "テ": "tʲ", "デ": "dʲ", "フ": "ɸʲ", "ヴ": "bʲ",
}  # fmt: skip
_WITH_SMALL = {
    "イェ": "je", "ウィ": "βi", "ウェ": "βe", "ウォ": "βo", "クァ": "kᵝa", "クィ": "kᵝi", "クェ": "kᵝe",
    "クォ": "kᵝo", "グァ": "ɡᵝa", "グィ": "ɡᵝi", "グェ": "ɡᵝe", "グォ": "ɡᵝo", "クヮ": "kᵝa", "グヮ": "ɡᵝa",
    "ツァ": "ʦa", "ツィ": "ʦʲi", "ツェ": "ʦe", "ツォ": "ʦo", "ティ": "tʲi", "ディ": "dʲi", "トゥ": "tɯ",
    "ドゥ": "dɯ", "スィ": "si", "ズィ": "zi", "ファ": "ɸa", "フィ": "ɸʲi", "フェ": "ɸe", "フォ": "ɸo",
    "ヴァ": "va", "ヴィ": "vʲi", "ヴェ": "ve", "ヴォ": "vo",
}  # fmt: skip
_MARKS = {
    "。": ".", "、": ",", "，": ",", "．": ".", "？": "?", "！": "!", "：": ":", "；": ";", "～": "—", "〜": "—",
    "・": " ", **dict.fromkeys("「『«〈", "“"), **dict.fromkeys("」』»〉", "”"), **dict.fromkeys("（《【", "("),
    **dict.fromkeys("）》】", ")"),
}  # fmt: skip
_LOOSE_BEFORE, _LOOSE_AFTER = frozenset("“("), frozenset(".,!?:;”)…")
#: Open JTalk takes 8,192 bytes at once. A text is cut after a mark or space where there is one.
_PORTION = re.compile(r".{1,400}(?:(?<=[。、．，.,!?！？\s])|$)|.{1,400}", re.DOTALL)
_UNREAD, _DEVOICED = "、", "’"
_SILENT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_STOP, _NASAL, _LONG = "ッ", "ン", "ー"

_lock = threading.Lock()


def _kana() -> dict[str, str]:
    """The phonemes of each kana and of each pair that makes one syllable."""
    found = dict(_SINGLE)
    for consonant, row in _ROWS.items():
        for kana, vowel in zip(row, _VOWELS, strict=False):
            soft = "ʲ" if vowel == "i" and consonant in _SOFTENED else ""
            found[kana] = consonant + soft + ("ɨ" if vowel == "ɯ" and consonant in _HISSING else vowel)
    found.pop("＿", None)
    found |= {kana + small: soft + vowel for kana, soft in _PALATALS.items() for small, vowel in _PALATAL.items()}
    return {**found, **_SMALL, **_WITH_SMALL}


_KANA = _kana()


def spell(text: str) -> str:
    """The phonemes of ``text``.

    Raises `core.errors.InvalidText` for a letter without a Japanese reading, `core.errors.ConfigurationError` if
    pyopenjtalk-plus is not installed."""
    parts = (f" {respelled(part, 'en-us')} " if is_ipa else _spelled(part) for part, is_ipa in inline_parts(text))
    spelled = " ".join("".join(parts).split())
    return re.sub(r'(?<![!",.:;?»—…”]) (?=ʔ)|(?<=ʔ) (?!["«“])', "", spelled)


def _spelled(text: str) -> str:
    text = "".join(" " if unicodedata.category(c) in _SILENT else c for c in unicodedata.normalize("NFKC", text))
    written = ""
    for portion in _PORTION.findall(text):
        for word in _words(portion):
            if word in _LOOSE_AFTER:
                written = f"{written.rstrip()}{word} "
            else:
                written += f" {word}" if word in _LOOSE_BEFORE else f"{word} "
    return written


def _words(text: str) -> Iterator[str]:
    """The phonemes of each word, and marks."""
    with _lock:
        read = _open_jtalk().run_frontend(text)
    for word in read:
        surface, pronounced = str(word["string"]), str(word["pron"]).replace(_DEVOICED, "")
        if pronounced != _UNREAD and (sounds := phonemes_of_kana(pronounced)):
            yield sounds
            continue
        for character in surface:
            if unicodedata.category(character)[0] in "LN":
                raise InvalidText(f"{character!r} has no Japanese reading.")
            yield _MARKS.get(unicodedata.normalize("NFKC", character), _MARKS.get(character, character))


def phonemes_of_kana(word: str) -> str:
    """The phonemes of a word in katakana, the longest syllables first."""
    sounds: list[str] = []
    at = 0
    while at < len(word):
        pair = word[at : at + 2]
        kana = pair if pair in _KANA else word[at]
        at += len(kana)
        if kana == _NASAL:
            sounds.append(_nasal(_KANA.get(word[at : at + 2]) or _KANA.get(word[at : at + 1], "")))
        else:
            sounds.append({_STOP: "ʔ", _LONG: "ː"}.get(kana) or _KANA.get(kana, ""))
    return "".join(sounds)


def _nasal(following: str) -> str:
    """ン before these sounds."""
    for sounds, nasal in (("mpb", "m"), ("kɡ", "ŋ"), ("ɲʨʥ", "ɲ"), ("ntdɾz", "n")):
        if following and following[0] in sounds:
            return nasal
    return "ɴ"


def _open_jtalk() -> ModuleType:
    return library("pyopenjtalk", "Kokoro's Japanese", "kokoro-ja")
