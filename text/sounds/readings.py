"""Words as espeak-ng's voice of their language reads them, in the sounds of another voice."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from core.errors import InvalidRequest, InvalidText
from text.phonemes import names, phonemize
from text.sounds.nearest import adapt, is_english

#: Mandarin as espeak-ng writes it: what English hears in its stops and affricates, and where letters are tones.
_MANDARIN = {
    "ts.h": "tʃ", "ts.": "dʒ", "tɕh": "tʃ", "tɕ": "dʒ", "tsh": "ts", "ts": "dz", "s.": "ʃ", "ph": "p", "th": "t",
    "kh": "k", "p": "b", "t": "d", "k": "ɡ", "nɡ": "ŋ", "ʐ": "ɹ", "i.": "ɜː", "i̪": "ɜː", "ɜ": "",
}  # fmt: skip
_MANDARIN_SOUND = re.compile("|".join(map(re.escape, sorted(_MANDARIN, key=len, reverse=True))))
#: espeak-ng reads these syllables of its Mandarin dictionary (xiong1, jiong3, qiong2) as English words and numbers.
_ENGLISH_NUMBER = "(?:wˈɒn|tˈuː|θɹˈiː|fˈɔː|fˈaɪv)"
_SYLLABLES = {"kʃəŋ": "ɕˈionɡ", "dʒɪəŋ": "tɕˈionɡ", "kɪəŋ": "tɕhˈionɡ"}
_SYLLABLE = re.compile(f"({'|'.join(_SYLLABLES)}){_ENGLISH_NUMBER}")
#: A character without a reading, whose code point is read instead; other syllables that are read as English.
_UNREAD_MANDARIN = re.compile(f"əː1|{_ENGLISH_NUMBER}")

_INDIC = frozenset({"as", "bn", "gu", "hi", "kn", "ml", "mr", "ne", "or", "pa", "si", "ta", "te", "ur"})
_TONES = re.compile(r"[0-9]")
_ASPIRATED = re.compile("([ptk])h")
_POINTS = re.compile("[\u0591-\u05c7]")
_REPEATED_HAN = re.compile("(.)々")
_COMMON = 0x17F  #: the last letter that all voices know
_LONG_NAME = 6  #: consonants: no letter that has a sound has so long a name and keeps it inside a word
_VOWELS = frozenset("aeiouyøœæɐɑɒɔəɚɛɜɝɞɘɤɨɪɯɵɶʉʊʌʏᵻˈˌː")


@lru_cache(maxsize=5_000)
def reading(text: str, voice: str, language: str) -> str | None:
    """``text`` as espeak-ng's ``voice`` reads it, in sounds of ``language``. Empty where it would read the name or the
    code point of a character, None where it has no sound or ``language`` has none near."""
    text = unicodedata.normalize("NFC", text)
    if voice == "he":
        text = _POINTS.sub("", text)  # vowel points, which it spells
    elif voice.startswith("cmn"):
        text = _REPEATED_HAN.sub(r"\1\1", text).replace("兒", "儿")
    ipa = _ipa(text, voice)
    if ipa is None:
        return None
    if _is_spelled(text, ipa, voice):
        return ""
    if voice.startswith("cmn"):
        ipa = _SYLLABLE.sub(lambda found: _SYLLABLES[found[1]], ipa)
        ipa = _MANDARIN_SOUND.sub(lambda found: _MANDARIN[found[0]], _TONES.sub("", ipa))
    elif voice in ("th", "vi", "yue"):
        ipa = _ASPIRATED.sub(r"\1", _TONES.sub("", ipa).replace("ɜ", ""))
    elif voice in _INDIC:
        ipa = ipa.replace("ɟ", "dʒ").replace("c", "tʃ")
    letters = "".join(c for c in ipa if c.isalpha() or unicodedata.category(c)[0] == "M" or c in "ˈˌː. ")
    if is_english(language):
        letters = letters.replace("ɾ", "r")  # the flap of English is a t
    adapted = adapt(letters, language)
    return adapted if adapted and any(c.isalpha() and c not in "ˈˌː" for c in adapted) else None


@lru_cache(maxsize=5_000)
def _ipa(text: str, voice: str) -> str | None:
    try:
        return unicodedata.normalize("NFD", phonemize(text, voice))
    except (InvalidText, InvalidRequest):
        return None


def _is_spelled(text: str, ipa: str, voice: str) -> bool:
    """Whether espeak-ng read the name of a character of ``text``, as it does by itself, instead of a sound."""
    if voice.startswith("cmn"):
        return bool(_UNREAD_MANDARIN.search(_SYLLABLE.sub("", ipa)))
    if text.isascii():
        return False
    read = _consonants(ipa)
    if len(read) < max(_LONG_NAME, len(unicodedata.normalize("NFD", text)) + 1):
        return False  # too few for a name: spares asking for those of all letters
    if len(text) == 1:  # twice: its name is also what it is called where the voice reads it
        read = _consonants(_ipa(text * 2, voice) or ipa)
    rare = sorted({character for character in text if ord(character) > _COMMON})
    try:
        alone = [_consonants(unicodedata.normalize("NFD", name)) for name in names(rare, voice)]
    except (InvalidText, InvalidRequest):
        return True
    return any(len(name) >= _LONG_NAME and name in read for name in alone)


def _consonants(ipa: str) -> str:
    """What stays of a letter's name inside a word, where stress and the vowels change."""
    return "".join(c for c in ipa if c.isalpha() and c not in _VOWELS)
