"""Postal addresses: states, ZIP codes, streets."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.rules import NO_WORD_AFTER, NO_WORD_BEFORE, Match, Rules
from text.normalization.numbers import digits, ordinal, spoken_pairs

rule = Rules()


@rule(
    rf"""(?<=[A-Za-z],\s)(?P<state>{"|".join(tables.STATES)})(?P<comma>,?\s+)(?P<zip>\d{{5}})(?P<more>-\d{{4}})?{NO_WORD_AFTER}"""
)
def _state_and_zip(m: Match) -> str:
    more = f" {digits(m['more'])}" if m["more"] else ""
    return f"{tables.STATES[m['state']]}{m['comma']}{digits(m['zip'])}{more}"


@rule(rf"""(?<=[a-z],\s)(?P<state>{"|".join(tables.STATES)})(?=[.,;)\s]|$)(?!\s+[a-z])""")
def _state(m: Match) -> str:
    return tables.STATES[m["state"]]


_STREET = r"St|Ave|Blvd|Rd|Hwy|hwy|Expy|Pkwy|Dr|Ln|Sq|Ct|st|ave|blvd|rd"
_POINTS = {"N": "North", "S": "South", "E": "East", "W": "West"}


@rule(
    rf"""{NO_WORD_BEFORE}(?P<number>\d{{1,5}})\s(?:(?P<point>[NSEW])\.?\s)?(?P<name>(?:[A-Z][a-z]+\s|\d+(?:st|nd|rd|th)\s){{1,3}})
    (?P<kind>{_STREET})\b(?P<dot>\.?)(?P<next>(?=\s+[A-Z\d])|(?=\s*,)|(?=\s*$)|)"""
)
def _street_address(m: Match) -> str:
    name = " ".join(ordinal(int(re.sub(r"\D", "", w))) if w[0].isdigit() else w for w in m["name"].split())
    point = f"{_POINTS[m['point']]} " if m["point"] else ""
    dot = m["dot"] if m["dot"] and re.match(r"\s+[A-Z]|\s*$", m.string[m.end() :]) else ""
    return f"{spoken_pairs(m['number'])} {point}{name} {tables.STREETS[m['kind'].lower()]}{dot}"
