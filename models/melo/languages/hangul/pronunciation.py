"""Korean spelling to pronunciation: the rules of the Standard Pronunciation (표준 발음법) within a word.

The numbers in comments are its articles. MeloTTS learned the pronunciations of g2pkk (0.1.2), so cases in which that
applies a rule before another are kept: 붙여 is [부쳐], for article 5 comes before 17. Everything is in conjoining jamo,
with ᄋ as the initial of a syllable that begins with its vowel.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

_SILENT = "ᄋ"
_RIEUL, _NIEUN = "ᄅ", "ᄂ"

#: Articles 8 to 11: the seven sounds that a final can be at the end of a word or before a consonant.
_CLOSED = {
    **dict.fromkeys("ᆨᆩᆪᆿᆰ", "ᆨ"), **dict.fromkeys("ᆮᆺᆻᆽᆾᇀᇂ", "ᆮ"), **dict.fromkeys("ᆸᆹᇁᆵ", "ᆸ"),
    **dict.fromkeys("ᆫᆬᆭ", "ᆫ"), **dict.fromkeys("ᆷᆱ", "ᆷ"), **dict.fromkeys("ᆯᆲᆳᆴᆶ", "ᆯ"), "ᆼ": "ᆼ",
}  # fmt: skip
#: Articles 12.4, 13 and 14: what stays of a final and what goes to a syllable that begins with its vowel.
_LINKED = {
    "ᆨ": ("", "ᄀ"), "ᆩ": ("", "ᄁ"), "ᆫ": ("", "ᄂ"), "ᆮ": ("", "ᄃ"), "ᆯ": ("", "ᄅ"), "ᆷ": ("", "ᄆ"), "ᆸ": ("", "ᄇ"),
    "ᆺ": ("", "ᄉ"), "ᆻ": ("", "ᄊ"), "ᆽ": ("", "ᄌ"), "ᆾ": ("", "ᄎ"), "ᆿ": ("", "ᄏ"), "ᇀ": ("", "ᄐ"), "ᇁ": ("", "ᄑ"),
    "ᆪ": ("ᆨ", "ᄊ"), "ᆬ": ("ᆫ", "ᄌ"), "ᆰ": ("ᆯ", "ᄀ"), "ᆱ": ("ᆯ", "ᄆ"), "ᆲ": ("ᆯ", "ᄇ"), "ᆳ": ("ᆯ", "ᄊ"),
    "ᆴ": ("ᆯ", "ᄐ"), "ᆵ": ("ᆯ", "ᄑ"), "ᆹ": ("ᆸ", "ᄊ"), "ᇂ": ("", "ᄋ"), "ᆭ": ("", "ᄂ"), "ᆶ": ("", "ᄅ"), "ᆼ": ("ᆼ", "ᄋ"),
}  # fmt: skip
#: Article 17: before ᅵ or ᅧ.
_PALATAL = {"ᆮ": ("", "ᄌ"), "ᇀ": ("", "ᄎ"), "ᆴ": ("ᆯ", "ᄎ")}
#: Article 12: an obstruent and ᄒ, in either order.
_WITH_HIEUT = {
    **dict.fromkeys("ᆨᆩᆪᆿ", ("", "ᄏ")), "ᆰ": ("ᆯ", "ᄏ"), **dict.fromkeys("ᆮᆺᆻᆾᇀ", ("", "ᄐ")), "ᆽ": ("", "ᄎ"),
    "ᆬ": ("ᆫ", "ᄎ"), "ᆸ": ("", "ᄑ"), "ᇁ": ("", "ᄑ"), "ᆲ": ("ᆯ", "ᄑ"), "ᆵ": ("ᆸ", "ᄑ"), "ᆹ": ("ᆸ", "ᄑ"), "ᇂ": ("", "ᄒ"),
}  # fmt: skip
_HIEUT_ENDS = {"ᇂ": "", "ᆭ": "ᆫ", "ᆶ": "ᆯ"}
_AFTER_HIEUT = {"ᄀ": "ᄏ", "ᄃ": "ᄐ", "ᄌ": "ᄎ", "ᄉ": "ᄊ"}
_TENSE = {"ᄀ": "ᄁ", "ᄃ": "ᄄ", "ᄇ": "ᄈ", "ᄉ": "ᄊ", "ᄌ": "ᄍ"}
#: Article 23: after these an initial is tense. Articles 24 and 25: after these at the end of a verb's stem.
_OBSTRUENTS = frozenset("ᆨᆩᆪᆿᆰᆮᆺᆻᆽᆾᇀᆸᆹᇁᆵᆲᆳ")
_TENSE_STEMS = frozenset("ᆫᆬᆷᆱᆲᆴ")
#: Articles 18 and 19.
_NASAL = {"ᆨ": "ᆼ", "ᆮ": "ᆫ", "ᆸ": "ᆷ"}


def pronunciation(word: str, stems: Collection[int] = ()) -> str:
    """The jamo of ``word`` as it is spoken; ``word`` is made of Hangul syllables alone.

    ``stems``: the indexes of the syllables that end the stem of a verb or adjective, after which some initials are
    tense: 안고 is [안꼬] of 안다, to embrace. Linear in the length of ``word``."""
    syllables = [_parts(syllable) for syllable in word]
    spoken: list[str] = []
    initial = syllables[0][0] if syllables else ""
    for at, (spelt, vowel, final) in enumerate(syllables):
        spoken += [initial, _vowel(spelt, vowel)]
        if at + 1 == len(syllables):
            spoken.append(_CLOSED.get(final, final))
            break
        following = syllables[at + 1]
        stays, initial = _joined(_heavy(word[at : at + 2], final, following), *following[:2], at in stems)
        spoken.append(stays)
    return "".join(spoken)


def _parts(syllable: str) -> tuple[str, str, str]:
    initial, vowel, *final = list(unicodedata.normalize("NFD", syllable))
    return initial, vowel, "".join(final)


def _vowel(initial: str, vowel: str) -> str:
    """Article 5: 져 is [저], 희 is [히]."""
    if vowel == "ᅧ" and initial in "ᄌᄍᄎ":
        return "ᅥ"
    return "ᅵ" if vowel == "ᅴ" and initial != _SILENT else vowel


def _heavy(pair: str, final: str, following: tuple[str, str, str]) -> str:
    """Article 10: the ᆲ of 밟- before consonants, and that of 넓죽- and 넓둥-, is [ㅂ]."""
    initial, vowel, _ = following
    if final == "ᆲ" and (
        (pair[0] == "밟" and initial not in "ᄋᄒ") or (pair[0] == "넓" and initial in "ᄌᄍᄃᄄ" and vowel == "ᅮ")
    ):
        return "ᆸ"
    return final


def _joined(final: str, initial: str, vowel: str, stem: bool) -> tuple[str, str]:
    """What a final and the initial after it become; ``vowel`` is the one after the initial."""
    if not final:
        return final, initial
    if initial == _SILENT:
        return _PALATAL[final] if final in _PALATAL and vowel in "ᅵᅧ" else _LINKED[final]
    if initial == "ᄒ":
        if final == "ᆮ" and vowel == "ᅵ":
            return "", "ᄎ"
        return _WITH_HIEUT.get(final, (_CLOSED[final], initial))
    if final in _HIEUT_ENDS and initial not in (_NIEUN, _RIEUL):
        return _HIEUT_ENDS[final], _AFTER_HIEUT.get(initial, initial)
    if stem and final == "ᆰ" and initial in "ᄀᄁ":
        return "ᆯ", "ᄁ"
    tense = final in _OBSTRUENTS or (stem and final in _TENSE_STEMS and initial != "ᄇ")
    return _sonorant(final, _TENSE.get(initial, initial) if tense else initial)


def _sonorant(final: str, initial: str) -> tuple[str, str]:
    """Articles 18 to 20: nasals and liquids become like each other, and obstruents before them nasals."""
    closed = _CLOSED[final]
    if initial not in "ᄂᄆᄅ":
        return closed, initial
    if final == "ᇂ" and initial == _RIEUL:
        return "", initial
    if final == "ᆲ" and initial != _RIEUL:
        return "ᆷ", initial
    if closed in "ᆫᆯ":
        return ("ᆯ", _RIEUL) if initial == _RIEUL or (closed == "ᆯ" and initial == _NIEUN) else (closed, initial)
    return _NASAL.get(closed, closed), _NIEUN if initial == _RIEUL else initial
