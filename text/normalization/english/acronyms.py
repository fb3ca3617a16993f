"""Words in capitals that espeak-ng reads as a word where people say the letters, and their plurals.

Most it reads as people do: NASA as a word, FBI letter by letter. ``F.A.Q`` makes it say the letters.
"""

from __future__ import annotations

import re

from text.marks import inline
from text.normalization import tables
from text.normalization.english.rules import Match, Rules, after

rule = Rules(needs="ABCDEFGHIJKLMNOPQRSTUVWXYZ")

#: Single letters, as phonemes.
letters = Rules(needs="A")

#: How English words begin. A word in capitals that begins otherwise is no word.
_ONSET = re.compile(
    r"(?:[BCDFGHJKLMNPRSTVWXYZ]?|[BCFGPK][LR]|[DT]R|SH|CH|TH|WH|PH|GH|RH|KN|WR|PS|PN|GN|TS|TW|DW|SW|S[CKLMNPQT]|SPH"
    r"|S[CPT]R|SPL|SH[RW]|SCH|CHR|THR|PHR|Q)(?=[AEIOUY])"
)


#: How those of three letters begin that espeak-ng tries to read.
_READ_BY_ESPEAK = ("NG", "BH", "LH", "SV")


def spelled(letters: str) -> str:
    """Capitals as espeak-ng reads them letter by letter, where it would not by itself."""
    if letters in tables.SPELLED:
        return ".".join(letters)
    if len(letters) == 3:
        odd = letters.startswith(_READ_BY_ESPEAK)
    else:
        odd = len(letters) in (4, 5) and not _ONSET.match(letters) and re.search("[AEIOUY]", letters) is not None
    return ".".join(letters) if odd and letters not in tables.READ else letters


@rule(r"(?<![\w.&'’-])(?P<letters>[A-Z]{2,5})s(?![\w.'’]\w|\w)", needs="s")
def _plural(m: Match) -> str | None:
    """DVDs: espeak-ng loses the s of most."""
    letters = m["letters"]
    if letters in tables.READ or (
        re.search("[AEIOU]", letters) and letters not in tables.SPELLED_PLURAL and _ONSET.match(letters)
    ):
        return None
    return f"{'.'.join(letters[:-1])} {letters[-1]}'s"


@rule(r"(?<![\w.&'’-])(?:the\s)?(?P<letters>[A-Z]{3,5})(?![\w&]|['’]\w|\.\w)")
def _acronym(m: Match) -> str | None:
    letters = m["letters"]
    if letters == "WHO" and m[0].startswith("the "):
        return "the W.H.O"
    said = spelled(letters)
    if said == letters or _shouted(m):
        return None
    return f"{'the ' if m[0].startswith('the') else ''}{said}"


def _shouted(m: Match) -> bool:
    """Whether the words around are in capitals, too."""
    before = re.search(r"([A-Za-z]+)\W*$", m.string[max(0, m.start() - 24) : m.start()])
    behind = re.match(r"\W*([A-Za-z]+)", after(m))
    return any(word is not None and len(word[1]) > 4 and word[1].isupper() for word in (before, behind))


@letters(rf"(?<![\w.])(?P<kind>(?i:{'|'.join(tables.LETTER_A_AFTER)})\s)A(?=\s[a-z])(?!\s[a-z]+\s[A-Z])")
def _letter_a(m: Match) -> str:
    """Vitamin A is: the letter, not the article."""
    return f"{m['kind']}{inline('ˈeɪ')}"
