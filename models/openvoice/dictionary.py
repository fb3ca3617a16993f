"""The CMU pronouncing dictionary in IPA, as OpenVoice's base speakers were trained on it.

Their training texts were transcribed by eng_to_ipa 0.0.2. The extra ``openvoice`` installs that package for its
dictionary, 125,000 words; none of its code is imported (`models.shared.cmu`). The rules by which its ``transcribe.py``
and ``stress.py`` write an entry in IPA are written again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from models.shared.cmu import read_cmu

_VOWELS = {
    "aa": "ɑ", "ae": "æ", "ah": "ə", "ao": "ɔ", "aw": "aʊ", "ay": "aɪ", "eh": "ɛ", "er": "ər", "ey": "eɪ", "ih": "ɪ",
    "iy": "i", "ow": "oʊ", "oy": "ɔɪ", "uh": "ʊ", "uw": "u",
}  # fmt: skip
#: The other ones are written as in the dictionary.
_CONSONANTS = {"ch": "ʧ", "dh": "ð", "hh": "h", "jh": "ʤ", "ng": "ŋ", "sh": "ʃ", "th": "θ", "y": "j", "zh": "ʒ"}
_STOPS = frozenset("bdgkpt")
#: Before a stressed vowel, the consonants among which its syllable begins.
_BOUNDS = frozenset({*_VOWELS, *"fmnsvwz", "dh", "ng", "sh", "th", "zh"})
_CLUSTERS = frozenset({("s", "p"), ("s", "t"), ("s", "k"), ("f", "r"), ("f", "l")})
#: Vowels in a row that are two syllables; all others are counted as one.
_HIATUS = frozenset({("er", "iy"), ("iy", "ow"), ("uw", "ow"), ("iy", "ah"), ("iy", "ey"), ("uw", "eh"), ("er", "eh")})
_MARKS = {"1": "ˈ", "2": "ˌ"}


class Dictionary:
    """Words in lower case to IPA."""

    def __init__(self, entries: Mapping[str, Sequence[str]]) -> None:
        self._entries = entries

    def ipa(self, word: str) -> str | None:
        """The pronunciation of ``word``: of several, the last one in the order of their IPA. None for a word that the
        dictionary lacks."""
        found = self._entries.get(word)
        return max(map(written, found)) if found else None


@lru_cache(maxsize=1)
def dictionary() -> Dictionary:
    """The dictionary (about 40 MB), read once. Raises `core.errors.ConfigurationError` if it is not installed."""
    return Dictionary(read_cmu("OpenVoice's English", "openvoice"))


def written(entry: str) -> str:
    """An entry of the dictionary, such as ``k ah0 n uw1``, in IPA: ``kəˈnu``."""
    phones = [phone.rstrip("0123456789") for phone in entry.split(" ")]
    marks = [""] * len(phones)
    if _syllables(phones) > 1:
        for place, phone in enumerate(entry.split(" ")):
            if mark := _MARKS.get(phone[-1]):
                marks[_syllable_start(phones, place)] = mark
    sounds = (_VOWELS.get(phone, _CONSONANTS.get(phone, phone)) for phone in phones)
    ipa = "".join(mark + sound for mark, sound in zip(marks, sounds, strict=True))
    for early, late in (("ˈər", "əˈr"), ("ˈie", "iˈe")):
        if not ipa.startswith(early):
            ipa = ipa.replace(early, late)
    return ipa


def _syllables(phones: Sequence[str]) -> int:
    count = 0
    for place, phone in enumerate(phones):
        before = phones[place - 1] if place else ""
        count += phone in _VOWELS and (before not in _VOWELS or (before, phone) in _HIATUS)
    return count


def _syllable_start(phones: Sequence[str], vowel: int) -> int:
    """Where eng_to_ipa lets the syllable of a stressed vowel begin."""
    for place in range(vowel - 1, -1, -1):
        phone, behind = phones[place], phones[place + 1]
        last = place == vowel - 1
        if phone in _BOUNDS or (not last and behind in _STOPS):
            if phone in _VOWELS and last:
                return vowel
            return place if last or (phone, behind) in _CLUSTERS else place + 1
    return 0
