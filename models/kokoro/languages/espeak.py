"""espeak-ng's phonemes in Kokoro's spelling (misaki, ``espeak.py``), for languages that espeak-ng reads.

misaki has espeak-ng tie the two signs of a diphthong or an affricate; here two signs in a row are taken for one."""

from __future__ import annotations

import re
import unicodedata

from text.phonemes import phonemize

#: Marks that the vocabulary lacks, as those that it has.
_MARKS = str.maketrans({"¡": None, "¿": None, "«": "“", "»": "”", "„": "“", "[": "(", "]": ")", "{": "(", "}": ")"})

#: Longer ones first.
_AMERICAN = (
    ("ɜːɹ", "ɜɹ"),
    ("ɜː", "ɜɹ"),
    ("aɪ", "I"),
    ("eɪ", "A"),
    ("oʊ", "O"),
    ("aʊ", "W"),
    ("ɔɪ", "Y"),
    ("dʒ", "ʤ"),
    ("tʃ", "ʧ"),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("ɐ", "ə"),
    ("x", "k"),
    ("ɬ", "l"),
    ("ː", ""),
    ("e", "A"),
    ("o", "ɔ"),
    ("ɾ", "T"),
    ("ʔ", "t"),
)
_BRITISH = (
    ("aɪ", "I"),
    ("eɪ", "A"),
    ("əʊ", "Q"),
    ("aʊ", "W"),
    ("ɔɪ", "Y"),
    ("dʒ", "ʤ"),
    ("tʃ", "ʧ"),
    ("eə", "ɛː"),
    ("iə", "ɪə"),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("ɐ", "ə"),
    ("x", "k"),
    ("ɬ", "l"),
    ("e", "A"),
    ("o", "ɔ"),
    ("ɾ", "T"),
    ("ʔ", "t"),
)
_OTHER = (
    ("aɪ", "I"),
    ("aʊ", "W"),
    ("dz", "ʣ"),
    ("dʒ", "ʤ"),
    ("eɪ", "A"),
    ("oʊ", "O"),
    ("əʊ", "Q"),
    ("ss", "S"),
    ("ts", "ʦ"),
    ("tʃ", "ʧ"),
    ("ɔɪ", "Y"),
    ("-", ""),
)
#: A letter with a tilde, of which the vocabulary has only the tilde; ç it has.
_TILDE = re.compile("[ãẽĩõũỹñ]")

_SPELLINGS = {"en-us": _AMERICAN, "en-gb": _BRITISH}


def spell(text: str, voice: str) -> str:
    """The phonemes of ``text`` in espeak-ng's ``voice``. Raises as `text.phonemes.phonemize` does."""
    return respelled(phonemize(text, voice), voice)


def respelled(ipa: str, voice: str) -> str:
    """Phonemes of espeak-ng's ``voice`` in Kokoro's spelling."""
    spelled = unicodedata.normalize("NFC", ipa).translate(_MARKS)
    spelled = _TILDE.sub(lambda found: unicodedata.normalize("NFD", found[0]), spelled)
    for theirs, ours in _SPELLINGS.get(voice, _OTHER):
        spelled = spelled.replace(theirs, ours)
    return spelled
