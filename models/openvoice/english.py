"""English in the symbols of OpenVoice V1's base speakers (``english_to_ipa2`` and ``cjke_cleaners2`` of
myshell-ai/OpenVoice, MIT).

They were trained on the CMU dictionary in IPA, as eng_to_ipa writes it: one vowel for AH, no length, no flaps, stress
before the syllable and none on words of one syllable. Words that the dictionary lacks, and inline phonemes, are
espeak-ng's, brought into that spelling.
"""

from __future__ import annotations

import re
import unicodedata

from core.errors import InvalidText
from models.openvoice.dictionary import Dictionary, dictionary
from text.letters import plain_letters
from text.marks import inline, inline_parts, inline_spans
from text.phonemes import MAX_CHARACTERS, phonemize
from text.speakable import clean

#: espeak-ng's American English to CMU's sounds, in order.
_SOUNDS = (
    ("ɜːɹ", "əɹ"), ("ɜː", "əɹ"), ("ɚ", "əɹ"), ("ʔn̩", "tən"), ("n̩", "ən"), ("l̩", "əl"), ("m̩", "əm"),
    ("ɔːɹ", "ɔɹ"), ("oːɹ", "ɔɹ"), ("ɪɹɹ", "ɪɹ"), ("ʊɹɹ", "ʊɹ"), ("ᵻ", "ɪ"), ("ʌ", "ə"), ("ɐ", "ə"), ("ɾ", "t"),
    ("ʔ", "t"), ("ɡ", "g"), ("r", "ɹ"), ("ɬ", "l"), ("x", "k"), ("ː", ""), ("\u0329", ""), ("\u0303", ""),
)  # fmt: skip
_AFFRICATES = str.maketrans({"ʤ": "dʒ", "ʧ": "tʃ", "r": "ɹ"})
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

_DASHES = re.compile(r"--+|[–—―‒]")
_JOINTS = re.compile(r"[-/,;:!?()\[\]]+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "＇": "'", "`": "'", "…": "..."})
#: Signs that are said, beside those of mathematics and money.
_SAID = frozenset("&%@#°§©®™")
_END = frozenset(".,!?-…~")


def read_english(text: str) -> str:
    """The symbols of an English text, which may have inline phonemes. It ends with a mark, as in training.

    Raises `core.errors.InvalidText` for a word without sounds, with code ``text_too_long`` beyond
    `text.phonemes.MAX_CHARACTERS`; `core.errors.ConfigurationError` without the dictionary."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidText(f"At most {MAX_CHARACTERS} characters can be read at once.", code="text_too_long")
    parts = (inline(part) if is_ipa else _plain(part) for part, is_ipa in inline_parts(text))
    known = dictionary()
    spoken = " ".join(_read(word, known) for word in "".join(parts).split())
    spelled = " ".join(spoken.replace("...", "…").replace(" ,", ",").split())
    spelled = _DARK.sub("ɫ", spelled).translate(_AFFRICATES)
    return spelled if not spelled or spelled[-1] in _END else f"{spelled}."


def _plain(text: str) -> str:
    """In plain letters, with dashes apart from words."""
    return _DASHES.sub(" — ", plain_letters(clean(text).translate(_QUOTES), "en"))


def _read(word: str, known: Dictionary) -> str:
    """The symbols of what stands between two spaces."""
    if inline_spans(word):
        return english_symbols(phonemize(word, "en-us"))
    before, core, behind = _split(word)
    if not core:
        return "," if before == "—" else before if before == "..." else ""
    ipa = known.ipa(core.lower())
    if ipa is None:
        pieces = [piece for piece in _JOINTS.split(core) if piece]
        lacking = len(pieces) < 2
        ipa = english_symbols(phonemize(core, "en-us")) if lacking else " ".join(_read(p, known) for p in pieces)
    return f"{before.translate(_MARKS)}{ipa}{behind.translate(_MARKS)}"


def _split(word: str) -> tuple[str, str, str]:
    """What stands before the first character of a word that is said, the word, and what stands behind the last one."""
    places = [place for place, c in enumerate(word) if _is_said(c)]
    if not places:
        return word, "", ""
    return word[: places[0]], word[places[0] : places[-1] + 1], word[places[-1] + 1 :]


def _is_said(c: str) -> bool:
    return c.isalnum() or c in _SAID or unicodedata.category(c) in {"Sc", "Sm", "Mn", "Mc"}


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
