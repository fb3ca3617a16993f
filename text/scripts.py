"""The scripts that a language's voice can read, and the parts of a text in other scripts.

espeak-ng spells characters of other scripts by name ("Japanese letter", once per character), which is useless to
listeners.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from text.letters import plain_letters

#: Scripts that espeak-ng reads in a voice of any language, by going over to their own language for a word: with that
#: language's sounds, which the voice may not have learned.
BORROWED = frozenset(
    {
        *("ARMENIAN", "BENGALI", "DEVANAGARI", "GEORGIAN", "GUJARATI", "GURMUKHI", "HANGUL", "KANNADA"),
        *("MALAYALAM", "SINHALA", "TAMIL"),
    }
)

#: The languages of each script but Latin, which all voices read; by the first word of its letters' names in Unicode.
_OWN = {
    "ARABIC": "ar fa ku ps sd ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn bpy",
    "DEVANAGARI": "bho hi kok mai mr ne sa",
    "GEORGIAN": "ka",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "TAMIL": "ta",
    "CJK": "cmn ja ko yue zh",
    "BOPOMOFO": "cmn zh",
    "CYRILLIC": "ba be bg cv kk ky mk mn ru sr tt uk",
    "ETHIOPIC": "am ti",
    "GREEK": "el grc",
    "HEBREW": "he yi",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "MYANMAR": "my",
    "ORIYA": "or",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
    "KHMER": "km",
    "LAO": "lo",
    "CHEROKEE": "chr",
}

#: Characters of a script whose Unicode name does not start with the script's.
_ALIASES = {"KATAKANA-HIRAGANA": "KATAKANA", "IDEOGRAPHIC": "CJK", "KANGXI": "CJK", "HANGZHOU": "CJK"}
#: Signs of all scripts: ordinals, the micro sign, fractions.
_EVERYWHERE = frozenset("ªºµ½¼¾⅓⅔")
_SHOWN = {"CJK": "Han"}
_SCRIPTS_NAMED = 3  #: in one stretch, at most

# A text as one class per character: readable, unreadable, Greek, mark, and anything that is not a letter.
_READ, _UNREAD, _GREEK, _MARK, _OTHER = "rugmo"
#: Greek letters by themselves have names that are used (α), words of them are spelled.
_FOREIGN = rf"(?:{_UNREAD}[{_UNREAD}{_GREEK}{_MARK}]*|{_GREEK}{_MARK}*{_GREEK}[{_UNREAD}{_GREEK}{_MARK}]*)"
_STRETCH = re.compile(rf"{_FOREIGN}(?:{_OTHER}+{_FOREIGN})*")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words from ``start`` to ``end`` of a text, in characters, in ``scripts`` that the voice does not read."""

    start: int
    end: int
    scripts: tuple[str, ...]


def unreadable(text: str, language: str, *, borrowed: bool = True) -> list[Stretch]:
    """Where ``text`` is in scripts that a voice of ``language`` (BCP 47) does not read; linear in time. ``borrowed``:
    it reads those of `BORROWED`."""
    if text.isascii():
        return []
    signs = text.translate(_signs(_code(language), borrowed))
    return [_stretch(text, found.start(), found.end()) for found in _STRETCH.finditer(signs)]


def is_readable(text: str, language: str) -> bool:
    """Whether a voice of ``language`` reads at least one word of ``text``."""
    signs = text.translate(_signs(_code(language)))
    return _READ in signs or _GREEK in _STRETCH.sub("", signs)


def without(text: str, stretches: list[Stretch]) -> str:
    """``text`` with a space for each stretch."""
    kept, at = [], 0
    for stretch in stretches:
        kept += [text[at : stretch.start], " "]
        at = stretch.end
    return "".join([*kept, text[at:]])


def _code(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()


def _stretch(text: str, start: int, end: int) -> Stretch:
    found = dict.fromkeys(filter(None, map(script_of, text[start:end])))
    names = [_SHOWN.get(name, name.capitalize()) for name in found]
    return Stretch(start, end, tuple(names[:_SCRIPTS_NAMED]))


@lru_cache(maxsize=20_000)
def script_of(character: str) -> str:
    """The script of a letter or numeral, by Unicode's name for it; empty where all scripts have it."""
    plain = next((c for c in plain_letters(character) if c.isalnum()), "")
    if not plain or plain in _EVERYWHERE:
        return ""
    first = unicodedata.name(plain, "UNKNOWN").partition(" ")[0]
    return "" if first in ("DIGIT", "MODIFIER") else _ALIASES.get(first, first)


class _Signs(dict[int, str]):
    """The sign of each character, worked out once for each that is met."""

    def __init__(self, language: str, borrowed: bool) -> None:
        super().__init__()
        own = {script for script, languages in _OWN.items() if language in languages.split()}
        self._read = {"LATIN"} | own | (BORROWED if borrowed else set())

    def __missing__(self, code: int) -> str:
        self[code] = self._sign(chr(code))
        return self[code]

    def _sign(self, character: str) -> str:
        script = script_of(character)
        if script in self._read:
            return _READ
        if script:
            return _GREEK if script == "GREEK" else _UNREAD
        plain = plain_letters(character)
        if unicodedata.category((plain or character)[0])[0] == "M" or character in "\u200c\u200d":
            return _MARK
        return _READ if any(c.isalnum() for c in plain) else _OTHER


@lru_cache(maxsize=64)
def _signs(language: str, borrowed: bool = True) -> _Signs:
    return _Signs(language, borrowed)
