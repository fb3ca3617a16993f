"""English in the symbols of OpenVoice V1's base speakers.

They were trained on the CMU dictionary in IPA, as eng_to_ipa writes it: one vowel for AH, no length, no flaps, stress
before the syllable and none on words of one syllable. espeak-ng's phonemes are brought into that spelling.
"""

from __future__ import annotations

import re

#: espeak-ng's American English to CMU's sounds, in order.
_SOUNDS = (
    ("ɜːɹ", "əɹ"), ("ɜː", "əɹ"), ("ɚ", "əɹ"), ("ʔn̩", "tən"), ("n̩", "ən"), ("l̩", "əl"), ("m̩", "əm"),
    ("ɔːɹ", "ɔɹ"), ("oːɹ", "ɔɹ"), ("ɪɹɹ", "ɪɹ"), ("ʊɹɹ", "ʊɹ"), ("ᵻ", "ɪ"), ("ʌ", "ə"), ("ɐ", "ə"), ("ɾ", "t"),
    ("ʔ", "t"), ("ɡ", "g"), ("r", "ɹ"), ("ɬ", "l"), ("x", "k"), ("ː", ""), ("\u0329", ""), ("\u0303", ""),
)  # fmt: skip
_MARKS = str.maketrans({"—": ",", ";": ",", ":": ",", **dict.fromkeys('¡¿«»“”„"()[]{}', None)})

_VOWELS = "aeiouæɑɔəɛɪʊ"
_NUCLEUS = re.compile(f"[{_VOWELS}]+")
_WORD = re.compile(r"[^\s.,!?…]+")
#: A stress mark, and the consonants before it that begin its syllable: a stop with a liquid, s with a stop, or one.
_STRESSED = re.compile(
    rf"((?:s[ptk][lɹwj]?|[ptkbdgfθ][lɹwj]|ʃɹ|s[lmnwj]|[mnhv]j|tʃ|dʒ|[^\W{_VOWELS}ŋˈˌ]|(?<![^\s])[^\W{_VOWELS}ˈˌ]+)?)([ˈˌ])"
)
#: l where no vowel follows it in the word.
_DARK = re.compile(rf"l(?=[^{_VOWELS}\s]*(?:\s|$))")


def english_symbols(ipa: str) -> str:
    """espeak-ng's phonemes (``en-us``) in the spelling of the base speakers."""
    spelled = ipa.translate(_MARKS)
    for theirs, ours in _SOUNDS:
        spelled = spelled.replace(theirs, ours)
    return _DARK.sub("ɫ", _WORD.sub(lambda found: _stressed(found[0]), spelled))


def _stressed(word: str) -> str:
    """A word with its stress marks before their syllables; without them if it has one syllable."""
    if len(_NUCLEUS.findall(word)) < 2:
        return re.sub("[ˈˌ]", "", word)
    return _STRESSED.sub(r"\2\1", word)
