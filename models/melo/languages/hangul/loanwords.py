"""English words as Korean writes them: the rules for loanwords (외래어 표기법), from ARPABET, as g2pkk applies them.

They differ from g2pkk before a nasal with a vowel (helmet: 헬멋, not 헬르멋) and where it takes its own Hangul for
phones: in 1 of 100 words of the CMU dictionary.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from models.melo.languages.american.arpabet import pronounced

_INITIALS = {
    "b": "ᄇ", "ch": "ᄎ", "d": "ᄃ", "dh": "ᄃ", "dz": "ᄌ", "f": "ᄑ", "g": "ᄀ", "hh": "ᄒ", "jh": "ᄌ", "k": "ᄏ",
    "l": "ᄅ", "m": "ᄆ", "n": "ᄂ", "p": "ᄑ", "r": "ᄅ", "s": "ᄉ", "sh": "ᄉ", "t": "ᄐ", "th": "ᄉ", "ts": "ᄎ",
    "v": "ᄇ", "z": "ᄌ", "zh": "ᄌ", "w": "W", "y": "Y",
}  # fmt: skip
_FINALS = {"k": "ᆨ", "p": "ᆸ", "t": "ᆺ", "m": "ᆷ", "n": "ᆫ", "ng": "ᆼ", "l": "ᆯ"}
_VOWELS = {
    "aa": "ᅡ", "ae": "ᅢ", "ah": "ᅥ", "ao": "ᅩ", "aw": "ᅡ우", "ay": "ᅡ이", "eh": "ᅦ", "er": "ᅥ", "ey": "ᅦ이", "ih": "ᅵ",
    "iy": "ᅵ", "ow": "ᅩ", "oy": "ᅩ이", "uh": "ᅮ", "uw": "ᅮ", "awer": "ᅡ워",
}  # fmt: skip
_SHORT = frozenset({"ae", "ah", "eh", "ih", "uh"})
#: What a consonant has for a vowel where none follows; none where it is a final.
_SUPPORT = {**dict.fromkeys(("ch", "jh", "zh"), "ᅵ"), "sh": "ᅲ"}
#: A glide and its vowel.
_GLIDES = (
    ("그W", "ᄀW"), ("크W", "ᄏW"), ("ᄂYᅥ", "니어"), ("ᄃYᅥ", "디어"), ("ᄅYᅥ", "리어"), ("Yᅵ", "ᅵ"), ("Yᅡ", "ᅣ"),
    ("Yᅢ", "ᅤ"), ("Yᅥ", "ᅧ"), ("Yᅦ", "ᅨ"), ("Yᅩ", "ᅭ"), ("Yᅮ", "ᅲ"), ("Wᅡ", "ᅪ"), ("Wᅢ", "ᅫ"), ("Wᅥ", "ᅯ"),
    ("Wᅩ", "ᅯ"), ("Wᅮ", "ᅮ"), ("Wᅦ", "ᅰ"), ("Wᅵ", "ᅱ"), ("Y", "ᅵ"), ("W", "ᅮ"),
)  # fmt: skip
#: Neighbours of a phone at an edge of its word.
_EDGE = "#"


def hangul_of_english(word: str) -> str:
    """The Hangul of an English ``word`` in ASCII letters. Raises as `pronounced` does."""
    return hangul_of_phones([phone.lower() for phone in pronounced(word).phones])


def hangul_of_phones(phones: Sequence[str]) -> str:
    """The Hangul of ``phones`` of ARPABET, in small letters and without stress."""
    merged = _merged(phones)
    jamo = "".join(
        _jamo(phone, before, after, second)
        for before, phone, after, second in zip(
            [_EDGE, *merged], merged, [*merged[1:], _EDGE], [*merged[2:], _EDGE, _EDGE], strict=False
        )
    )
    for glide, vowel in _GLIDES:
        jamo = jamo.replace(glide, vowel)
    return _syllables(jamo)


def _merged(phones: Sequence[str]) -> list[str]:
    """Affricates and triphthongs as one phone; the r of a last -ir or -er as a vowel (ear: 이어)."""
    merged: list[str] = []
    for phone in phones:
        if merged and (merged[-1], phone) in {("t", "s"), ("d", "z"), ("aw", "er")}:
            merged[-1] += phone
        else:
            merged.append(phone)
    if merged[-1:] == ["r"] and merged[-2:-1] in (["ih"], ["eh"]):
        merged[-1] = "er"
    return merged


def _jamo(phone: str, before: str, after: str, second: str) -> str:
    """The jamo of a phone between its neighbours; ``second`` comes behind ``after``. W and Y stand for glides."""
    vowel_follows = after[0] in "aeiou"
    if phone == "er":
        return ("ᄋ" if before[0] in "aeiouy" else "") + "ᅥ" + ("ᄅ" if vowel_follows or after == "y" else "")
    if phone in _VOWELS:
        return _VOWELS[phone]
    if phone in ("w", "y", "hh"):
        return _INITIALS[phone]
    if phone == "r":
        return "ᄅ" if vowel_follows or after == "y" else ""
    if phone in ("m", "n"):
        return _INITIALS[phone] if vowel_follows or after == "y" else _FINALS[phone]
    if phone == "ng":
        return _FINALS[phone]
    if phone == "l":
        return _lateral(before, after, second)
    return _obstruent(phone, before, after)


def _lateral(before: str, after: str, second: str) -> str:
    """Article 6: ㄹㄹ between vowels (color: 컬러) and before a nasal without a vowel (film: 필름)."""
    if before == _EDGE:
        return "ᄅ"
    if after in ("m", "n"):
        return "ᆯ" if second[0] in "aeiouy" else "ᆯ르"
    if after[0] not in "aeiouy":
        return "ᆯ"
    return "ᄅ" if before in ("m", "n") else "ᆯᄅ"


def _obstruent(phone: str, before: str, after: str) -> str:
    """Articles 1 to 4: a consonant without a vowel is a final behind a short one (book: 북), or is given a vowel."""
    if after[0] in "aeiou":
        return _INITIALS[phone] + ("Y" if phone == "sh" else "")
    if phone in ("p", "t", "k"):
        final = before in _SHORT and after not in ("l", "r", "m", "n")
        return _FINALS[phone] if final else _INITIALS[phone] + "ᅳ"
    if after == "y":
        return _INITIALS[phone] + ("Y" if phone == "sh" else "")
    if phone == "sh" and after == _EDGE:
        return "시"
    return _INITIALS[phone] + _SUPPORT.get(phone, "ᅳ")


def _syllables(jamo: str) -> str:
    """``jamo`` as syllables: vowels without an initial are given ᄋ; what no syllable holds is left out."""
    with_initials = "".join(
        ("ᄋ" if "ᅡ" <= this <= "ᅵ" and not "ᄀ" <= before <= "ᄒ" else "") + this
        for before, this in pairwise(" " + jamo)
    )
    composed = unicodedata.normalize("NFC", with_initials)
    return "".join(syllable for syllable in composed if "가" <= syllable <= "힣")
