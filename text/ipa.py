"""The check of IPA that users write, in markup and in lexicons."""

from __future__ import annotations

import unicodedata

from core.errors import InvalidText

MAX_IPA_CHARACTERS = 500  #: of one reading
MAX_DIACRITICS = 4  #: in a row; no symbol of the IPA has more

#: Letters of the International Phonetic Alphabet (chart of 2020), and those of espeak-ng beside it. Letters with
#: accents are checked decomposed.
_LETTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzæðøħŋœβθχǀǁǂǃⱱꞎ" + "".join(map(chr, (*range(0x250, 0x2B0), *range(0x1D00, 0x1D80))))
)
#: Stress, length, tone and other modifiers (Spacing Modifier Letters, superscripts, Modifier Tone Letters).
_MODIFIERS = frozenset(map(chr, (*range(0x2B0, 0x300), 0x207F, *range(0x1D80, 0x1DC0), *range(0xA700, 0xA720))))
#: Between words, syllables, feet, intonation groups; linking; global rise and fall.
_SIGNS = frozenset(" .|‖‿↗↘")
_DIACRITICS = frozenset(map(chr, (*range(0x300, 0x370), *range(0x1AB0, 0x1AD0), *range(0x1DC0, 0x1E00))))

_HINTS = {
    "'": "Stress is ˈ (U+02C8).",
    "’": "Stress is ˈ (U+02C8).",
    '"': "Stress is ˈ (U+02C8).",
    ",": "Secondary stress is ˌ (U+02CC).",
    ":": "Length is ː (U+02D0).",
    **dict.fromkeys("/[]()", "Write IPA without slashes and brackets."),
    **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@{}&~^", "ARPAbet and X-SAMPA are not IPA."),
}


def check_ipa(ipa: str) -> None:
    """Raise `InvalidText` (code ``invalid_ipa``) unless ``ipa`` is phonemes of the International Phonetic Alphabet,
    such as ``dʒˈoʊ``: at most `MAX_IPA_CHARACTERS` characters, words separated by spaces, at least one letter."""
    if len(ipa) > MAX_IPA_CHARACTERS:
        raise _invalid(f"IPA must have at most {MAX_IPA_CHARACTERS} characters.")
    heard, diacritics = False, 0
    for character in unicodedata.normalize("NFD", ipa):
        diacritics = diacritics + 1 if character in _DIACRITICS else 0
        if diacritics > MAX_DIACRITICS:
            raise _invalid(f"An IPA letter can have at most {MAX_DIACRITICS} diacritics.")
        if diacritics and not heard:
            raise _invalid("A diacritic must follow a letter of the IPA.")
        if character in _LETTERS:
            heard = True
        elif not diacritics and character not in _MODIFIERS and character not in _SIGNS:
            shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
            raise _invalid(" ".join(f"{shown} is not in the IPA. {_HINTS.get(character, '')}".split()))
    if not heard:
        raise _invalid("IPA must have at least one letter.")


def _invalid(message: str) -> InvalidText:
    return InvalidText(message, code="invalid_ipa")
