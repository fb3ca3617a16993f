"""What takes the place of sounds that a voice has not learned, for voices of any language."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_VOWELS = frozenset("iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒɚɝᵻᵿ")
_FRONT = frozenset("iɪɨjᵻ")  #: before them no glide is heard after a soft consonant
_STRESS = frozenset("ˈˌ")
_LONGEST = 3  #: letters in a sound or in a key of the table, at most

#: Sounds, and what takes their place: the first that the voice can say. ``-``: it is left out.
_NEAREST = {
    # other spellings and groups
    "g": "ɡ", "ʤ": "dʒ", "ʧ": "tʃ", "ʦ": "ts", "ʣ": "dz", "ʨ": "tɕ tʃ", "ʥ": "dʑ dʒ", "ɝ": "ɜː ɜ əɹ ər a", "ε": "ɛ e",
    "ɩ": "ɪ i", "ɷ": "ʊ u", "tɕ": "tɕ tʃ", "dʑ": "dʑ dʒ", "tʂ": "tʂ tʃ", "dʐ": "dʐ dʒ", "tʃ": "tʃ tʂ tɕ ts",
    "dʒ": "dʒ dʐ dʑ dz", "əʊ": "oʊ əu oː o", "oʊ": "əʊ ou oː o", "ɪə": "ɪə iə ɪɹ", "ɛə": "ɛə eə ɛɹ", "eə": "eə ɛə ɛɹ",
    "ʊə": "ʊə uə ʊɹ",
    # consonants
    "p": "b", "b": "p", "t": "d", "d": "t", "k": "ɡ q", "ɡ": "k", "m": "n", "n": "m", "f": "p h", "v": "ʋ w β f b",
    "s": "ʃ", "z": "s", "l": "ɭ ɫ ɹ r", "w": "v ʋ u", "j": "i iː ɪ", "h": "x ɦ χ -", "θ": "s t", "ð": "z d",
    "ʃ": "ʂ ɕ s", "ʒ": "ʐ ʑ z ʃ", "ɕ": "ʃ s", "ʑ": "ʒ z", "ʂ": "ʃ s", "ʐ": "ʒ z", "ɧ": "ʃ ʂ", "ç": "ʃ ɕ x h",
    "ʝ": "j ɣ", "x": "χ h k", "χ": "x h k", "ɣ": "ɡ ɦ", "ʁ": "ʀ ɣ r ɹ ɾ", "ʀ": "ʁ r ɹ ɾ", "ħ": "h x χ", "ʜ": "h x",
    "ɦ": "h x ɣ", "ʔ": "-", "ʕ": "-", "ʢ": "-", "ʡ": "-", "r": "ɹ ɾ ʁ ʀ", "ɹ": "r ɾ ʁ ʀ", "ɾ": "r ɹ d",
    "ɻ": "ɹ r ɾ ʁ", "ɽ": "ɹ r ɾ ʁ", "ɺ": "ɾ l", "ɭ": "l", "ɫ": "l", "ʟ": "l", "ɬ": "l", "ɮ": "l", "ʎ": "lj l",
    "ɲ": "nj n", "ŋ": "n", "ɴ": "ŋ n", "ɳ": "n", "ɱ": "m", "c": "kj k", "ɟ": "ɡj ɡ", "q": "k", "ɢ": "ɡ", "ʈ": "t",
    "ɖ": "d", "ɓ": "b", "ɗ": "d", "ʄ": "dʒ j", "ɠ": "ɡ", "ʛ": "ɡ", "ʍ": "w v", "ɥ": "w v", "ɰ": "w ɣ ɡ", "ʋ": "v w",
    "β": "v b", "ɸ": "f", "ⱱ": "v", "ʙ": "b", "ʘ": "p", "ǀ": "t", "ǃ": "k", "ǁ": "k", "ǂ": "k",
    # vowels
    "i": "iː ɪ", "iː": "i ɪ", "ɪ": "i iː", "y": "yː ʏ u uː ʊ ɪ i", "yː": "y uː u ɪ i", "ʏ": "y yː ʊ u ɪ i",
    "ɨ": "ɪ i", "ʉ": "uː u ʊ", "ʉː": "uː u", "ɯ": "uː u ʊ", "ɯː": "uː u ʊ", "u": "uː ʊ", "uː": "u ʊ", "ʊ": "u uː",
    "e": "ɛ eː eɪ ɪ i", "eː": "e eɪ ɛ ɪ i", "ø": "øː œ ɜː e ɛ ɪ i", "øː": "ø œ ɜː eː e ɪ i", "œ": "ø øː ɜː ɛ e ɪ i",
    "œː": "øː ø ɜː ɛ e ɪ i", "ɘ": "ə e a", "ɵ": "ə o a", "ɤ": "ʌ ə o a", "o": "oʊ əʊ oː ɔ ɔː ʊ u",
    "oː": "oʊ əʊ o ɔː ɔ ʊ u", "ə": "ɐ ɜ e ɛ a", "ɛ": "e eː ɪ i", "ɛː": "ɛ eː e ɪ i", "ɜ": "ɜː ə ɛ e a",
    "ɜː": "œː øː ɜ ə ɛ e a", "ɞ": "ɜː œ ə e a", "ʌ": "a ɐ ɑ", "ɔ": "ɒ ɔː o oː ʊ u", "ɔː": "oː ɔ o ʊ u", "æ": "a ɛ",
    "æː": "æ a", "ɐ": "ə ʌ a", "a": "ɑː ä ɐ æ", "aː": "ɑː a", "ɶ": "a ɑː", "ɑ": "ɑː a aː", "ɑː": "ɑ aː a",
    "ɒ": "ɑː ɔ o a ʊ u", "ɚ": "ə ɐ er e a", "ᵻ": "ɪ i", "ᵿ": "ʊ u",
    # modifiers of the sound before them
    "ʲ": "j i", "ʷ": "w v u", "\u0303": "n",
}  # fmt: skip
_MODIFIERS = frozenset("ʲʷ\u0303")


def substituted(word: str, sounds: frozenset[str]) -> str | None:
    """A word of IPA (NFD, but for ``ç``) in ``sounds`` (`text.sounds.learned`); None if one has no near sound. Linear
    in time, idempotent."""
    said: list[str] = []
    at = 0
    while at < len(word):
        size, parts = _longest(word, at, sounds)
        if parts is None:
            if unicodedata.category(word[at]) not in ("Mn", "Lm", "Sk", "Po", "Nd"):
                return None
            parts = ()  # length, tones, syllables: they are no sounds by themselves
        following = word[at + size : at + size + 1]
        if word[at] in _MODIFIERS and word[at] not in sounds and not _is_heard(word[at], said[-1:], following):
            parts = ()
        said += parts
        at += size
    return "".join(said)


def _longest(word: str, at: int, sounds: frozenset[str]) -> tuple[int, tuple[str, ...] | None]:
    """How many letters of ``word`` its next sound has, and what is said for it."""
    for size in range(min(_LONGEST, len(word) - at), 0, -1):
        key = word[at : at + size]
        if key in sounds:
            return size, (key,)
        if (parts := nearest(key, sounds)) is not None:
            return size, parts
    return 1, None


@lru_cache(maxsize=10_000)
def nearest(sound: str, sounds: frozenset[str], steps: int = 3) -> tuple[str, ...] | None:
    """What takes the place of a sound that is not among ``sounds``, over ``steps`` of the table at most; None if no
    sound is near."""
    candidates = _NEAREST.get(sound, "").split()
    for candidate in candidates:
        if candidate == "-":
            return ()
        if (parts := _split(candidate, sounds)) is not None:
            return parts
    for candidate in candidates if steps > 1 else ():
        found = [(one,) if one in sounds else nearest(one, sounds, steps - 1) for one in candidate]
        if all(parts is not None for parts in found):
            return tuple(one for parts in found if parts for one in parts)
    return None


def _split(ipa: str, sounds: frozenset[str]) -> tuple[str, ...] | None:
    """``ipa`` as ``sounds``, the longest ones first; None if it is not made of them."""
    parts: list[str] = []
    at = 0
    while at < len(ipa):
        size = next((n for n in range(_LONGEST, 0, -1) if ipa[at : at + n] in sounds), 0)
        if not size:
            return None
        parts.append(ipa[at : at + size])
        at += size
    return tuple(parts)


def _is_heard(modifier: str, last: list[str], following: str) -> bool:
    """Whether what takes the place of a modifier is said: a glide before a vowel, a nasal behind one."""
    if modifier == "\u0303":
        return bool(last) and last[0][0] in _VOWELS and following not in tuple("nmŋɲ")
    return bool(following) and following in _VOWELS | _STRESS and following not in _FRONT
