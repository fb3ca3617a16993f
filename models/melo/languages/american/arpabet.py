"""English words in ARPABET as MeloTTS writes it: phones in lower case, stress as a tone (``refine_ph`` of upstream's
``text/english.py``).

The CMU pronouncing dictionary (BSD) comes with the package eng-to-ipa, which names no licence of its own; none of its
code is imported. Upstream has an older edition of the dictionary: 97 of 100 words that are in both have the same
phones, and of the frequent ones that differ, `models.melo.languages.american.cmu_words` has the older phones. Words
that the dictionary lacks, and inline phonemes, are espeak-ng's IPA in ARPABET, where upstream has a neural network
(g2p_en).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.errors import InvalidText
from models.melo.languages.american.cmu_words import OLDER
from models.shared.cmu import read_cmu
from text.phonemes import phonemize
from text.sounds.nearest import adapt

#: IPA as `text.sounds.nearest.adapt` leaves it, for American English. A vowel carries the stress.
_VOWELS = {
    "aɪɚ": "ay er", "aʊɚ": "aw er", "aɪə": "ay ah", "aʊə": "aw ah", "aɪ": "ay", "aʊ": "aw", "eɪ": "ey", "oʊ": "ow",
    "əʊ": "ow", "ɔɪ": "oy", "iə": "iy ah", "ɪə": "iy ah", "ʊə": "uh ah", "eə": "eh", "ɜː": "er", "ɚ": "er", "iː": "iy",
    "i": "iy", "uː": "uw", "u": "uw", "ɑː": "aa", "ɑ": "aa", "ɒ": "aa", "ɔː": "ao", "oː": "ao", "ɔ": "ao", "o": "ow",
    "æ": "ae", "a": "aa", "ɛ": "eh", "e": "ey", "ɪ": "ih", "ᵻ": "ih", "ʊ": "uh", "ʌ": "ah", "ə": "ah", "ɐ": "ah",
}  # fmt: skip
_CONSONANTS = {
    "tʃ": "ch", "dʒ": "jh", "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "ɡ": "g", "f": "f", "v": "V", "θ": "th",
    "ð": "dh", "s": "s", "z": "z", "ʃ": "sh", "ʒ": "zh", "h": "hh", "m": "m", "n": "n", "ŋ": "ng", "l": "l", "ɹ": "r",
    "j": "y", "w": "w", "ɾ": "t", "ʔ": "t",
}  # fmt: skip
_STRESS = {"ˈ": 1, "ˌ": 2}
#: Syllables without a vowel, which ARPABET writes with one.
_SYLLABIC = (("n\u0329", "ən"), ("l\u0329", "əl"), ("m\u0329", "əm"))
#: espeak-ng's spellings of what ARPABET writes with fewer phones: in order.
_SPELLINGS = (("ɜːɹ", "ɚ"), ("ɚɹ", "ɚ"), ("ɹɹ", "ɹ"), ("iəɹ", "ɪɹ"))
_SOUND = re.compile("|".join(sorted([*_VOWELS, *_CONSONANTS, *_STRESS], key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """``phones`` of `models.melo.languages.english`, and their ``tones``: 0 for a consonant, 1 for a vowel without
    stress, 2 for one with primary and 3 for one with secondary stress."""

    phones: tuple[str, ...]
    tones: tuple[int, ...]


def pronounced(word: str) -> Pronunciation:
    """How a ``word`` is said: by the dictionary, else by espeak-ng, which also reads digits and signs.

    Raises `core.errors.InvalidText` for a word without sounds of English, `core.errors.ConfigurationError` if the
    dictionary is not installed."""
    entry = dictionary().get(word.casefold())
    return from_arpabet(entry) if entry else by_espeak(word)


@lru_cache(maxsize=10_000)
def by_espeak(word: str) -> Pronunciation:
    """How espeak-ng says a word, without the dictionary. Raises `core.errors.InvalidText` as `pronounced` does."""
    return from_ipa(phonemize(word, "en-us"))


def from_arpabet(entry: str) -> Pronunciation:
    """An entry of the dictionary, such as ``k ah0 n uw1``."""
    phones, tones = [], []
    for phone in entry.split(" "):
        bare = phone.rstrip("012")
        phones.append("V" if bare == "v" else bare)
        tones.append(int(phone[-1]) + 1 if phone != bare else 0)
    return Pronunciation(tuple(phones), tuple(tones))


def from_ipa(ipa: str) -> Pronunciation:
    """IPA of any language in the phones of English. Raises `core.errors.InvalidText` for a sound that has none near."""
    for theirs, ours in _SYLLABIC:
        ipa = ipa.replace(theirs, ours)
    adapted = adapt(ipa, "en-us")
    if adapted is None:
        raise InvalidText(f"The voice has no sound for {ipa[:60]!r}.")
    for theirs, ours in _SPELLINGS:
        adapted = adapted.replace(theirs, ours)
    phones: list[str] = []
    tones: list[int] = []
    stress = 0
    for sound in _SOUND.findall(adapted):
        if sound in _STRESS:
            stress = _STRESS[sound]
        elif sound in _VOWELS:
            first, *second = _VOWELS[sound].split(" ")
            phones += [first, *second]
            tones += [stress + 1, *(1 for _ in second)]
            stress = 0
        else:
            phones.append(_CONSONANTS[sound])
            tones.append(0)
    return Pronunciation(tuple(phones), tuple(tones))


@lru_cache(maxsize=1)
def dictionary() -> Mapping[str, str]:
    """Words in lower case and their phones, such as ``k ah0 n uw1``; read once (30 MB). Of several pronunciations the
    first one. Raises `core.errors.ConfigurationError` if it is not installed."""
    entries = read_cmu("MeloTTS's English", "melo-en")
    return {**{word: found[0] for word, found in entries.items()}, **OLDER}
