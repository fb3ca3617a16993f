"""Numbers with units."""

from __future__ import annotations

from text.normalization import units
from text.normalization.english.amounts import american
from text.normalization.english.rules import (
    MINUS,
    NUMBER,
    PER,
    SCALE,
    UNIT,
    Match,
    Rules,
    after,
    ends_sentence,
    number_words,
    quantity,
)
from text.normalization.numbers import cardinal, decimal

rule = Rules()

_POWERS = {"²": "square ", "³": "cubic ", "2": "square ", "3": "cubic "}
_POINTS = {"N": "north", "S": "south", "E": "east", "W": "west"}


def _measured(number: str, unit: str, power: str = "", per: str = "") -> str:
    one, many = units.UNITS[unit]
    word = one if quantity(number) == 1 and "." not in number else many
    tail = f" per {units.PER[per]}" if per else ""
    return f"{number_words(number)} {_POWERS.get(power, '')}{word}{tail}"


@rule(rf"(?<![\w.,])(?P<n>\d+,\d{{1,2}})(?=\s?(?:degrees?|percent|{UNIT})(?!\w))")
def _comma(m: Match) -> str:
    """12,5 degrees: a decimal, since no one groups digits so."""
    return decimal(american(m["n"]))


@rule(
    rf"(?<![\w.,])(?P<d>{NUMBER})°\s?(?P<m>\d{{1,2}})[′'’](?:\s?(?P<s>\d{{1,2}}(?:\.\d+)?)[″\"”])?(?:\s?(?P<point>[NSEW])\b)?",
    needs="°",
)
def _position(m: Match) -> str:
    parts = [f"{number_words(m['d'])} degrees", f"{cardinal(int(m['m']))} minutes"]
    if m["s"]:
        parts.append(f"{decimal(m['s'])} seconds")
    if m["point"]:
        parts.append(_POINTS[m["point"]])
    return " ".join(parts)


@rule(rf"(?<![\w.,])(?P<d>{NUMBER})\s?°\s?(?P<point>[NSEW])\b(?!\.\w)", needs="°")
def _latitude(m: Match) -> str:
    return f"{number_words(m['d'])} degrees {_POINTS[m['point']]}"


@rule(r"(?<![\w.,])(?P<a>\d+)\s?(?:′|'|’)\s?(?P<b>\d{1,2})\s?(?:″|\"|''|”)(?!\w)")
def _feet_and_inches(m: Match) -> str:
    return f"{cardinal(int(m['a']))} foot {cardinal(int(m['b']))}"


@rule(r"(?<![\w.,])(?P<a>\d+)\s?(?:ft|feet|foot)\.?\s(?P<b>\d{1,2})\s?in(?:ches|\.|\b)(?!\w)")
def _feet_inches(m: Match) -> str:
    feet = "foot" if m["a"] == "1" else "feet"
    dot = "." if m[0].endswith(".") and ends_sentence(m) else ""
    return f"{cardinal(int(m['a']))} {feet} {cardinal(int(m['b']))} inch{'' if m['b'] == '1' else 'es'}{dot}"


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})\s?(?:in\.(?=\s?[,;:)a-z]|\s*$)|″)")
def _inches(m: Match) -> str:
    dot = "." if m[0].endswith(".") and not after(m).strip() else ""
    return f"{number_words(m['n'])} inch{'' if m['n'] == '1' else 'es'}{dot}"


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})\s?(?P<unit>l|L|kWh|g|kg)\s?/\s?100\s?km(?!\w)")
def _consumption(m: Match) -> str:
    return f"{_measured(m['n'], m['unit'])} per one hundred kilometers"


@rule(rf"(?<![\w.,])(?P<number>{MINUS}?{NUMBER})\s?{SCALE}\s(?P<unit>{UNIT})(?!\w)")
def _large_measure(m: Match) -> str:
    return f"{number_words(m['number'])} {m['scale']} {units.UNITS[m['unit']][1]}"


@rule(
    rf"(?<![\w.,])(?P<number>{MINUS}?{NUMBER})(?P<gap>[\s-]?)(?P<unit>{UNIT})(?P<power>[²³])?"
    rf"(?P<dot>\.(?=\s?[a-z\d,;:)]))?(?:/(?P<per>{PER})(?!\w))?(?!\w|/\w)"
)
def _measure(m: Match) -> str | None:
    unit = m["unit"]
    if m["gap"] == "-" and unit in units.SHORT_UNITS:
        return None
    if m["gap"] == " " and unit in ("A", "s", "h", "V", "ha", "mi", "pt", "ly") and not m["per"]:
        return None
    return _measured(m["number"], unit, m["power"] or "", m["per"] or "")
