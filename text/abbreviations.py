"""Full stops after abbreviations, which do not end a sentence and must not cause a pause.

``Mr. Brown`` continues, ``at 5 p.m. Then`` ends: the following word decides, by the tables below. The tables are
English; initials (``J. K. Rowling``) and letters with stops between them (``U.S.``) are handled in every language.
"""

from __future__ import annotations

import re


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


#: Used before a name, or always inside a sentence.
GO_ON = _words(
    """
    mr mrs ms mx messrs mme mlle dr prof rev hon fr gen col lt sgt capt cpt cmdr maj adm brig cpl pvt
    gov sen rep pres supt e.g i.e vs viz cf approx resp incl esp
    """
)

#: Used before a number; before a word they are ordinary words (No. That is it.).
BEFORE_NUMBERS = _words(
    """
    no nos fig figs p pp vol vols ch chap sec art op par eq ex ref ca c tel ext nr jan feb mar apr jun jul aug
    sep sept oct nov dec
    """
)

#: Used inside a sentence or at its end.
MAY_END = _words(
    """
    etc al inc ltd co corp bros llc plc jr sr esq ph.d a.m p.m ave blvd rd hwy sq apt dept univ assn est min max
    hr hrs mins secs lb lbs oz yd yds st mt ft
    """
)

#: Of those that may end a sentence, these do so before every capital letter but those of a time's zone or day.
END_BEFORE_CAPITALS = frozenset({"etc", "a.m", "p.m"})
OF_A_TIME = _words(
    """
    eastern central mountain pacific standard daylight local greenwich est edt cst cdt mst mdt pst pdt gmt utc
    cet cest bst monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december
    """
)

#: Words that start a sentence far more often than a name.
STARTERS = _words(
    """
    the a an this that these those there then it its he she we they you i his her their our my your in on at by
    for from with as if when while after before since until during but and or so yet because although however
    what who where why how which no yes not now here once some many most all both each every one two several
    another such meanwhile later finally suddenly nobody everyone
    """
)

_STOP = re.compile(r"(?<![\w.])((?:[^\W\d_]{1,3}\.)*[^\W\d_]{1,6})\.(?![\w.])")
_BEHIND = re.compile(r"[\"'”’»)\]]*\s*(.*)", re.DOTALL)
_OPENING = "\"'“‘«(["
_GOES_ON = tuple(",;:—–-/")
_WORD = re.compile(r"[^\W\d_]+")


def without_stops(text: str, language: str) -> str:
    """``text`` without the full stops that end no sentence. One at the very end stays: it ends the sentence, too."""
    english = language.casefold().startswith("en")

    def kept(found: re.Match[str]) -> str:
        behind = text[found.end() : found.end() + 80]
        return found[0] if _ends(found[1], behind, english) else found[1]

    return _STOP.sub(kept, text) if "." in text else text


def _ends(word: str, behind: str, english: bool) -> bool:
    """Whether the full stop between ``word`` and the following text ``behind`` ends a sentence."""
    known = word.casefold() if english else ""
    short = (len(word) == 1 and word != "I" and word.isupper()) or "." in word
    if not (short or known in GO_ON or known in BEFORE_NUMBERS or known in MAY_END):
        return True
    following = _BEHIND.match(behind)
    rest = following[1].lstrip(_OPENING) if following else ""
    if not rest:
        return True
    if rest.startswith(_GOES_ON) or known in GO_ON:
        return False
    if known in BEFORE_NUMBERS and not short:
        return not rest[0].isdigit()
    if not rest[0].isupper():
        return False
    first = _WORD.match(rest)
    next_word = first[0].casefold() if first else ""
    if known in END_BEFORE_CAPITALS:
        return next_word not in OF_A_TIME
    return next_word in STARTERS
