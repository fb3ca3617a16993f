"""Postal addresses: states, ZIP codes, streets."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import NO_WORD_AFTER, NO_WORD_BEFORE, Match, Rules, after, before
from text.normalization.numbers import digits, ordinal, spoken_pairs

rule = Rules()


@rule(
    rf"""(?<=[A-Za-z],\s)(?P<state>{"|".join(tables.STATES)})(?P<comma>,?\s+)(?P<zip>\d{{5}})(?P<more>-\d{{4}})?{NO_WORD_AFTER}"""
)
def _state_and_zip(m: Match) -> str:
    more = f" {digits(m['more'])}" if m["more"] else ""
    return f"{tables.STATES[m['state']]}{m['comma']}{digits(m['zip'])}{more}"


@rule(rf"""(?<=[a-z],\s)(?P<state>{"|".join(tables.STATES)})(?=[.,;)\s]|$)(?!\s+[a-z])""", needs=",")
def _state(m: Match) -> str:
    return tables.STATES[m["state"]]


#: Words before a number that is read in pairs: Route 101 is "one oh one". Shortened: whole.
_NUMBERED = tables.table("""
US = US
U.S. = US
Route = Route
route = route
Rte. = Route
Rte = Route
Highway = Highway
highway = highway
Hwy. = Highway
Hwy = Highway
Interstate = Interstate
Flight = Flight
flight = flight
Boeing = Boeing
Room = Room
room = room
Rm. = Room
Suite = Suite
Ste. = Suite
Apartment = Apartment
Apt. = Apartment
Exit = Exit
exit = exit
""")
#: States whose letters are also words or shortenings.
_NO_ROADS = frozenset(tables.words("IN OR ME OK HI OH ID CO LA PA MA AL DE"))
_ROADS = "|".join(re.escape(word) for word in (*_NUMBERED, *(s for s in tables.STATES if s not in _NO_ROADS)))


@rule(
    rf"(?<![\w.])(?P<road>{_ROADS})(?P<gap>[\s-])(?P<n>\d{{1,3}})(?![\w%°/]|[.,]\d|\s(?:million|billion|trillion|thousand))"
)
def _road(m: Match) -> str | None:
    name = _NUMBERED.get(m["road"], m["road"])
    return f"{name} {spoken_pairs(m['n'])}"


@rule(r"(?<![\w.])I(?P<gap>[\s-])(?P<n>\d{1,3})(?![\w%°/]|[.,]\d)")
def _interstate(m: Match) -> str | None:
    if m["gap"] != "-" and not re.search(r"(?:\b(?:on|onto|off|via|take|along|near|toward|and|exit)\s|\()$", before(m)):
        return None  # the pronoun
    return f"I {spoken_pairs(m['n'])}"


_STREET = r"St|Ave|Blvd|Rd|Hwy|hwy|Expy|Pkwy|Dr|Ln|Sq|Ct|st|ave|blvd|rd"
_POINTS = {"N": "North", "S": "South", "E": "East", "W": "West"}


@rule(
    rf"""{NO_WORD_BEFORE}(?P<number>\d{{1,5}})\s(?:(?P<point>[NSEW])\.?\s)?(?P<name>(?:[A-Z][a-z]+\s|\d+(?:st|nd|rd|th)\s){{1,3}})
    (?P<kind>{_STREET})\b(?P<dot>\.?)(?P<next>(?=\s+[A-Z\d])|(?=\s*,)|(?=\s*$)|)"""
)
def _street_address(m: Match) -> str:
    name = " ".join(ordinal(int(re.sub(r"\D", "", w))) if w[0].isdigit() else w for w in m["name"].split())
    point = f"{_POINTS[m['point']]} " if m["point"] else ""
    dot = m["dot"] if m["dot"] and re.match(r"\s+[A-Z]|\s*$", after(m)) else ""
    return f"{spoken_pairs(m['number'])} {point}{name} {tables.STREETS[m['kind'].lower()]}{dot}"
