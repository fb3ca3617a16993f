"""English text to MeloTTS's phones (upstream ``text/english.py``).

As in training, a text falls into words and marks where BERT parts it (``don't`` is ``don``, ``'``, ``t``), and each
word has its phones by `models.melo.languages.american.arpabet`. Unlike upstream, signs such as ``&`` and words that
BERT does not know are spoken; a semicolon, a colon and a dash are a comma, and the ellipsis is three full stops, where
upstream loses them. ``US`` and a few others in capitals are spelled. Inline phonemes (`text.marks.inline`) stand for
words: BERT reads ``[UNK]`` in their place.
"""

from __future__ import annotations

import re
import unicodedata

from core.errors import InvalidText
from models.melo.languages.american.arpabet import Pronunciation, by_espeak, from_ipa, pronounced
from models.melo.languages.parts import Part, assemble, pieces_of
from models.melo.languages.spelling import UNKNOWN_PIECE, Spelling, Tokenize
from text.letters import plain_letters
from text.marks import inline_parts

#: Marks to the phones that are heard.
MARKS = {
    **{mark: (mark,) for mark in ",.!?'-"},
    **dict.fromkeys("，、；：;:—–―·", (",",)),
    **dict.fromkeys("。｡", (".",)),
    "！": ("!",), "？": ("?",), "…": (".", ".", "."), "‐": ("-",), "‑": ("-",),
}  # fmt: skip
#: Signs that are said, beside those of mathematics and money.
_SAID = frozenset("&%@#°§©®™")
#: Spelled, although the dictionary has a word of these letters.
_INITIALS = frozenset({"A", "AI", "ID", "IT", "LA", "UN", "US"})
_QUOTES = frozenset("’‘ʼ＇")
#: Numbers with what parts their digits; words; all else by itself.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+|[^\w\s]")


def spell(text: str, tokenize: Tokenize) -> Spelling:
    """The phones of ``text``, and BERT's pieces for them. Takes time linear in its length.

    Raises `core.errors.InvalidText` for a text with nothing to speak or a word without sounds of English,
    `core.errors.ConfigurationError` if the dictionary is not installed."""
    parts = english_parts(text, tokenize)
    if not any(is_spoken(part) for part in parts):
        raise InvalidText("The text contains nothing that the voice can speak.")
    return assemble(parts)


def english_parts(text: str, tokenize: Tokenize, alone: bool = True) -> list[Part]:
    """The words and marks of ``text`` in order. Raises as `spell` does; there may be nothing to speak.

    If it is not ``alone``, but within a text in another language, ``A`` is a letter, and words in capitals are not
    those of a text that is written so throughout."""
    parts: list[Part] = []
    for stretch, is_ipa in inline_parts(text):
        if is_ipa:
            said = from_ipa(stretch)
            parts.append(Part((UNKNOWN_PIECE,), said.phones, said.tones))
        else:
            plain = plain_letters(stretch, "en")
            spelled = _INITIALS if not alone else _INITIALS - {"A"} if any(c.islower() for c in plain) else frozenset()
            parts += [_part(found, spelled, tokenize) for found in _TOKEN.finditer(plain)]
    return parts


def is_spoken(part: Part) -> bool:
    """Whether a part is more than a mark."""
    return any(phone.isalpha() for phone in part.phones)


def _part(found: re.Match[str], spelled: frozenset[str], tokenize: Tokenize) -> Part:
    """A word, mark or sign, where it was found in its text; words of ``spelled`` are read letter by letter."""
    token = found[0]
    if token in spelled:
        said = by_espeak(token)
    elif any(c.isalnum() for c in token):
        said = pronounced(token)
        if not said.phones:
            raise InvalidText(f"The voice has no sound for {token[:60]!r}.")
    elif token in _QUOTES:
        said = Pronunciation(("'",), (0,)) if _in_word(found) else Pronunciation((), ())
    elif token in MARKS:
        phones = MARKS[token]
        said = Pronunciation(phones, (0,) * len(phones))
    elif token in _SAID or unicodedata.category(token)[0] == "S":
        said = pronounced(token)
    else:
        said = Pronunciation((), ())
    return Part(pieces_of(token, tokenize, heard=bool(said.phones)), said.phones, said.tones)


def _in_word(found: re.Match[str]) -> bool:
    """Whether a letter stands on both sides of a quotation mark, so that it is an apostrophe."""
    text, start, end = found.string, found.start(), found.end()
    return text[max(0, start - 1) : start].isalnum() and text[end : end + 1].isalnum()
