"""Replaces stylized letters by plain ones, so that espeak-ng reads words instead of the names of letters.

Text can contain ligatures (``oﬃce``), "bold" letters that are mathematical symbols (``𝐁𝐨𝐥𝐝``), circled, full-width
and superscript letters, digits of other scripts, and letters with diacritics that a language does not use. They are
replaced by Unicode's compatibility decomposition (UAX #15) where that keeps the word and its meaning.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Kinds of compatibility decomposition that keep a word.
_SAME = frozenset({"font", "compat", "circle", "square", "initial", "medial", "final", "isolated"})
_SAME_WIDTH = frozenset({"wide", "narrow"})

#: Kept, because espeak-ng reads them correctly: numero, ordinals, and some fractions.
_KNOWN = frozenset("№ªº½¼¾⅓⅔")

#: Languages whose letters are all below U+0180: others are replaced by their base letter.
_PLAIN = frozenset({"cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "nb", "pl", "pt", "sv"})
_EXTENDED = 0x180

#: Letters whose Unicode name does not contain the base letter.
_NEAR = {
    "ə": "a", "Ə": "A", "ɚ": "er", "ɜ": "er", "ʃ": "sh", "ʒ": "zh", "ʤ": "j", "ʧ": "ch", "ɣ": "g", "ɑ": "a", "ʊ": "u",
    "ɸ": "f", "ɾ": "r", "ɕ": "sh", "ʑ": "zh", "ʎ": "ly", "ɲ": "ny", "ɥ": "w", "ʔ": "", "ʕ": "", "ẞ": "SS", "ʼ": "'",
    "ʻ": "'", "ı": "i", "ſ": "s",
}  # fmt: skip

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_POWERS = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_OF_A_UNIT = re.compile(r"(?:[0-9)]|(?<![^\W_])(?:[A-Za-z]|[cdkmn]m|ft|in|mi|yd))$")
_SPOKEN_POWERS = {"2": " squared", "3": " cubed"}

#: Beside a number: a space, where a letter or digit is on the other side.
_GAP = "\0"
_BETWEEN_WORDS = re.compile(rf"(?<=[^\W_]){_GAP}+(?=[^\W_])")

_MARK = re.compile("(?<=[A-Za-zÀ-ɏΑ-ω])[\u0300-\u036f]+")


def plain_letters(text: str, language: str = "en") -> str:
    """``text`` (in NFC) with each letter and number replaced by its plain form.

    ``10²`` stays distinct from ``102``, and ``2½`` from ``21/2``. ``language`` is a BCP 47 tag: letters of that
    language are kept. Takes linear time; never raises.
    """
    if text.isascii():
        return text
    code = language.replace("_", "-").partition("-")[0].casefold()
    text = _POWERS.sub(lambda found: _power(text, found, code), text)
    plain = "".join(c if c.isascii() else _plain(c, code in _PLAIN) for c in text)
    plain = _BETWEEN_WORDS.sub(" ", plain).replace(_GAP, "")
    return _MARK.sub("", unicodedata.normalize("NFC", plain)) if code in _PLAIN else plain


def _power(text: str, found: re.Match[str], language: str) -> str:
    """A superscript number, separated from the text before it."""
    digits = found[0].translate(_RAISED)
    before = text[max(0, found.start() - 4) : found.start()]
    if language == "en" and digits in _SPOKEN_POWERS and _OF_A_UNIT.search(before):
        return _SPOKEN_POWERS[digits]
    return f" {digits.replace('-', 'minus ')}" if language == "en" else f" {digits}"


@lru_cache(maxsize=20_000)
def _plain(character: str, base: bool) -> str:
    """The plain form of one non-ASCII character; ``base``: remove diacritics that the language does not use."""
    kind = unicodedata.category(character)
    if character in _KNOWN:
        return character
    if kind == "Nd":
        return str(unicodedata.digit(character))
    how = unicodedata.decomposition(character).partition(">")[0].removeprefix("<")
    folded = unicodedata.normalize("NFKC", character)
    if how in _SAME_WIDTH or (how in _SAME and kind[0] == "L") or (how == "compat" and kind == "So"):
        return _bases(folded) if base else folded
    if how in _SAME and kind in ("So", "No", "Nl"):
        return f"{_GAP}{folded}{_GAP}" if kind == "No" else folded
    if how in ("super", "sub") and (kind[0] == "L" or folded.isdigit()):
        return _bases(folded) if base else folded
    if how == "fraction":
        return f"{_GAP}{folded.replace('⁄', '/')}{_GAP}"
    if kind in ("No", "Nl"):
        return _number(character)
    if "NEGATIVE" in unicodedata.name(character, "") and (letter := _named(character)):
        return letter
    return _bases(character) if base else character


def _number(character: str) -> str:
    """A numeral that is not decimal, such as a dingbat, in digits; ideographs stay."""
    value = unicodedata.numeric(character, -1.0)
    ideograph = unicodedata.name(character, "").startswith(("CJK", "IDEOGRAPHIC", "HANGZHOU"))
    return character if ideograph or value < 0 or not value.is_integer() else f"{_GAP}{value:.0f}{_GAP}"


def _named(character: str) -> str:
    """The letter in a name such as NEGATIVE SQUARED LATIN CAPITAL LETTER A."""
    name = unicodedata.name(character, "")
    return name[-1] if re.search(" LATIN CAPITAL LETTER [A-Z]$", name) else ""


def _bases(letters: str) -> str:
    return "".join(_base(c) for c in letters)


def _base(letter: str) -> str:
    """A Latin letter without what plain languages lack; a Greek one without its breathing."""
    code = ord(letter)
    if letter in _NEAR:
        return _NEAR[letter]
    if code < _EXTENDED or unicodedata.category(letter)[0] != "L":
        return letter
    name = unicodedata.name(letter, "")
    if name.startswith("MODIFIER"):
        return ""  # a sign of phonetics beside a letter
    if name.startswith("GREEK") and 0x1F00 <= code < 0x2000:
        return unicodedata.normalize("NFD", letter)[0]
    if not name.startswith("LATIN"):
        return letter
    first = unicodedata.normalize("NFD", letter)[0]
    if first != letter:
        return _base(first)
    word = name.partition(" WITH ")[0].split()[-1]
    return word if letter.isupper() and len(word) <= 2 else word.casefold()
