"""The sounds of a voice, and the nearest of them for those that it does not have.

A voice has been trained on the phonemes of its own language; others that are in its table make noise. So phonemes that
users write, and those of foreign words, are replaced by the nearest ones of the voice's language. The approximations
follow what speakers of English make of such sounds (J. C. Wells, *Accents of English*, and the IPA's Handbook).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from text.sounds.learned import learned
from text.sounds.substitutes import substituted

#: espeak-ng's phonemes of English: each is kept.
_ENGLISH = """
aɪɚ aɪə aʊɚ aʊə aɪ aʊ eɪ oʊ əʊ ɔɪ oːɹ ɔːɹ ɑːɹ ɛɹ ɪɹ ʊɹ eə ɪə ʊə iə iː uː ɑː ɔː ɜː ɚ ə ɐ æ ɛ ɪ i ʊ ʌ ɑ ɔ ᵻ ɒ
p b t d k ɡ f v θ ð s z ʃ ʒ h m n ŋ l ɹ j w ɾ ʔ tʃ dʒ ˈ ˌ
"""

#: Sounds that English lacks, as the nearest that it has; groups first.
_NEAREST = {
    "ɔø": "ɔɪ", "ɔʏ": "ɔɪ", "oi": "ɔɪ", "œy": "aʊ", "ai": "aɪ", "aj": "aɪ", "ɑi": "aɪ", "ei": "eɪ", "ej": "eɪ",
    "eː": "eɪ", "au": "aʊ", "aw": "aʊ", "ɑu": "aʊ", "ou": "oʊ", "ow": "oʊ", "oɯ": "oʊ",
    "a": "ɑː", "o": "oʊ", "u": "uː", "y": "uː", "ʏ": "ʊ", "ø": "ɜː", "œ": "ɜː", "ɵ": "ɜː", "ɞ": "ɜː", "ɘ": "ə",
    "ɯ": "uː", "ɨ": "ɪ", "ʉ": "uː", "ɤ": "ʌ", "ɶ": "æ", "ɝ": "ɜː", "ɜ": "ɜː", "ɭ": "l", "ɫ": "l", "ɬ": "l", "ɮ": "l",
    "r": "ɹ", "ʁ": "ɹ", "ʀ": "ɹ", "ɽ": "ɹ", "ɻ": "ɹ", "ɺ": "ɹ", "χ": "h", "ħ": "h", "ɦ": "h", "ɣ": "ɡ", "q": "k",
    "ɢ": "ɡ", "ʕ": "", "ʡ": "", "ʢ": "", "ç": "ʃ", "ɕ": "ʃ", "ʑ": "ʒ", "ʂ": "ʃ", "ʐ": "ʒ", "ɧ": "ʃ", "ʈ": "t",
    "ɖ": "d", "c": "k", "ɟ": "ɡ", "ɲ": "nj", "ɳ": "n", "ɴ": "n", "ɱ": "m", "ʎ": "lj", "ɸ": "f", "β": "v", "ʋ": "v",
    "ʍ": "w", "ɥ": "w", "ɰ": "w", "ʝ": "j", "ʙ": "b", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "ʛ": "ɡ", "ʤ": "dʒ", "ʧ": "tʃ",
    "ʦ": "ts", "ʣ": "dz", "ʥ": "dʒ", "ʨ": "tʃ", "g": "ɡ", "ε": "ɛ",
}  # fmt: skip

_VOWELS = frozenset("aeiouyøœæɐɑɒɔəɚɛɜɝɞɘɤɨɪɯɵɶʉʊʌʏᵻ")
#: What takes the place of a sound may make a group with its neighbour: until nothing changes, so often at most.
_PASSES = 6
_NASAL = "\u0303"
_SYLLABIC = "\u0329"
_STRESS = frozenset("ˈˌ")
#: Signs that change no sound of English: length where it is not part of a phoneme, tones, syllables, articulation.
_PASSED_OVER = frozenset("ː.ˑ-|‖‿↗↘'’ʼ") | frozenset("0123456789")
_GROUPS = [*_ENGLISH.split(), *(sounds for sounds in _NEAREST if len(sounds) > 1)]
_SOUND = re.compile("|".join(map(re.escape, sorted(_GROUPS, key=len, reverse=True))))


def is_english(language: str) -> bool:
    """Whether a language (BCP 47, or espeak-ng's name of a voice) is English."""
    return language.casefold().replace("_", "-").partition("-")[0] == "en"


def adapts(language: str) -> bool:
    """Whether the sounds of a language (BCP 47, or espeak-ng's name of a voice) are known, so that `adapt` keeps to
    them."""
    return is_english(language) or learned(language) is not None


def adapt(ipa: str, language: str) -> str | None:
    """IPA as a voice of ``language`` can speak it, with stress before the vowel as espeak-ng writes it.

    Sounds that the language lacks become the nearest that it has; None if one has no near sound. For a language whose
    sounds are not known they stay as they are. ``en`` without a region has the sounds of all its varieties. Idempotent.
    """
    plain = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç").replace("\u0361", "").replace("\u035c", "")
    for _ in range(_PASSES):
        words = [_replaced(_stressed(word), language) for word in plain.split()]
        if any(word is None for word in words):
            return None
        before, plain = plain, " ".join(word for word in words if word)
        if plain == before:
            break
    return unicodedata.normalize("NFC", plain)


def _replaced(word: str, language: str) -> str | None:
    """A word in the sounds of a language."""
    said = _english(word) if is_english(language) else word
    sounds = learned(language)
    if said is None or sounds is None or language.casefold() == "en":
        return said
    return substituted(said, sounds)


def _stressed(word: str) -> str:
    """A word with its stress marks before vowels; if it has none, its first vowel is stressed."""
    kept: list[str] = []
    mark = ""
    for character in word:
        if character in _STRESS:
            mark = character
            continue
        if mark and character in _VOWELS:
            kept.append(mark)
            mark = ""
        kept.append(character)
    if not any(character in _STRESS for character in kept):
        first = next((at for at, character in enumerate(kept) if character in _VOWELS), len(kept))
        kept[first:first] = ["ˈ"] if first < len(kept) else []
    return "".join(kept)


@lru_cache(maxsize=10_000)
def _english(word: str) -> str | None:
    said: list[str] = []
    at = 0
    while at < len(word):
        found = _SOUND.match(word, at)
        # A vowel with a nasal tilde is none of English: below, with its "n".
        if found and not (found[0][-1] in _VOWELS and word[found.end() : found.end() + 1] == _NASAL):
            known = found[0]
            said.append("iː" if known == "i" and said[-1:] == ["ˈ"] else _NEAREST.get(known, known))
            at = found.end()
            continue
        sound = _single(word, at)
        if sound is None:
            return None
        said.append(sound)
        at += 1
    return "".join(said)


def _single(word: str, at: int) -> str | None:
    """One character of a word that is no phoneme of English, in the sounds of English."""
    character, after = word[at], word[at + 1 : at + 2] or " "
    if character == _NASAL:
        return "n" if at and word[at - 1] in _VOWELS and after not in ("n", "m", "ŋ", "ɲ") else ""
    if character == _SYLLABIC:
        return ""
    if character == "e":
        return "eɪ" if after in _VOWELS | _STRESS | {" "} else "ɛ"
    if character == "x":
        return "h" if after in _VOWELS | _STRESS else "k"
    if character in "ʲʷ":
        glide = "j" if character == "ʲ" else "w"
        return glide if after in _VOWELS | _STRESS and after != "i" else ""
    if character in _NEAREST:
        return _NEAREST[character]
    if character in _VOWELS:  # with a tilde behind it
        return character
    if character in _PASSED_OVER or unicodedata.category(character) in ("Mn", "Lm", "Sk"):
        return ""
    return None
