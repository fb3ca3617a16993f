"""Fractions, ranges, scores, sums, powers and signs of mathematics."""

from __future__ import annotations

import re

from text.normalization import tables, units
from text.normalization.english.rules import MINUS, NUMBER, UNIT, Match, Rules, after, before, number_words, short_year
from text.normalization.numbers import cardinal, decimal, fraction, spoken_pairs, year

rule = Rules()

#: Those that come after measures: km² is a unit.
powers = Rules()


def to(m: Match) -> str:
    """What is said for the dash of a range: between 5 "and" 10, 5 "to" 10."""
    return "and" if before(m).endswith("between ") else "to"


# -- fractions


@rule(rf"(?<![\w.,])(?P<minus>{MINUS})?(?P<whole>\d+)\s(?P<a>\d+)/(?P<b>\d+)\s?(?P<unit>{UNIT})(?!\w)")
def _mixed_measure(m: Match) -> str:
    return f"{_mixed(m['whole'], int(m['a']), int(m['b']))} {units.UNITS[m['unit']][1]}"


@rule(rf"(?<![\w/.])(?P<whole>\d+)?\s?(?P<vulgar>[{''.join(tables.VULGAR)}])", needs="".join(tables.VULGAR))
def _vulgar(m: Match) -> str:
    return _mixed(m["whole"], *tables.VULGAR[m["vulgar"]])


def _mixed(whole: str | None, numerator: int, denominator: int) -> str:
    if whole is None:
        return fraction(numerator, denominator)
    said = "a half" if (numerator, denominator) == (1, 2) else fraction(numerator, denominator)
    return f"{cardinal(int(whole))} and {said}"


_RATED = re.compile(r"\b(?:rated?|ratings?|scored?|scores|gave|got|pain)\b(?:\s\w{1,12}){0,3}\s$")


@rule(r"(?<![\w/.,:$-])(?P<a>\d{1,3}(?:\.\d)?)/(?P<b>5|10|100)(?![\w/]|[.,]\d)")
def _rating(m: Match) -> str | None:
    """4/5 stars, rated 8/10."""
    if not (re.match(r"\sstars?\b", after(m)) or _RATED.search(before(m, 40)) or "." in m["a"]):
        return None
    return f"{decimal(m['a'])} out of {cardinal(int(m['b']))}"


@rule(
    r"(?<![\w/.,:$-])(?:(?P<whole>\d+)\s)?(?P<a>\d{1,6})\s?[/⁄]\s?(?P<b>\d{1,6})(?:th|TH|rd|RD|nd|ND|st|ST)?(?![\w/]|\.\d)"
)
def _fraction(m: Match) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    if m["whole"] is None and " " not in m[0] and (a, b) in ((24, 7), (9, 11), (50, 50), (20, 20)):
        return f"{cardinal(a)} {cardinal(b)}"
    return _mixed(m["whole"], a, b)


# -- ranges and scores


@rule(
    rf"(?<![\w.,:/$-])(?P<a>\d{{4}})\s?[-–—]\s?(?P<b>\d{{4}}|\d{{2}})(?P<unit>\s?(?:{UNIT})(?!\w))?(?![\w/%-]|[.,:]\d)"
)
def _years(m: Match) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    if m["unit"]:
        many = units.UNITS[m["unit"].strip()][1]
        return f"{cardinal(a)} to {number_words(m['b'])} {many}"
    if not 1000 <= a <= 2099 or (len(m["b"]) == 4 and not a < b <= 2199) or (len(m["b"]) == 2 and b <= a % 100):
        return None
    tail = year(b) if len(m["b"]) == 4 else short_year(m["b"])
    return f"{year(a)} {to(m)} {tail}"


@rule(rf"(?<![\w.,:/$-])(?P<a>{NUMBER})\s?[-–—]\s?(?P<b>{NUMBER})\s?(?P<unit>{UNIT})(?!\w)(?!/\w)")
def _measured_range(m: Match) -> str:
    return f"{number_words(m['a'])} {to(m)} {number_words(m['b'])} {units.UNITS[m['unit']][1]}"


_SCORE = re.compile(
    r"\b(?:won|win|wins|lost|lose|beat|beats|score|scored|led|lead|leads|drew|tied|victory|defeat|final)\b"
)


@rule(r"(?<![\w.,:/$–-])(?P<a>\d{1,4})(?P<dash>\s?–\s?|\s?-\s?)(?P<b>\d{1,4})(?![\w:/=-]|[.,]\d|\s?=)")
def _range(m: Match) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    scored = a < 200 and b < 200 and _SCORE.search(before(m, 32))
    if scored or (m["dash"] == "-" and a >= b):
        return f"{number_words(m['a'])} {number_words(m['b'])}"
    return f"{number_words(m['a'])} {to(m)} {number_words(m['b'])}"


# -- sums


@rule(
    rf"(?<![\w.,/-])(?P<a>{NUMBER}|[a-z])\s?(?P<s>[-−+*×x/÷])\s?(?P<b>{NUMBER}|[a-z])\s?=\s?(?P<c>[-−]?{NUMBER}|[a-z])(?![\w])",
    needs="=",
)
def _equation(m: Match) -> str:
    return f"{_term(m['a'])} {_OPERATORS[m['s']]} {_term(m['b'])} equals {_term(m['c'])}"


@rule(
    rf"(?<![\w.,/-])(?P<a>{NUMBER}|[a-z])\s?=\s?(?P<b>[-−]?{NUMBER}|[a-z])(?:\s?(?P<s>[-−+*×/÷])\s?(?P<c>{NUMBER}|[a-z]))?(?![\w])",
    needs="=",
)
def _assignment(m: Match) -> str:
    tail = f" {_OPERATORS[m['s']]} {_term(m['c'])}" if m["s"] else ""
    return f"{_term(m['a'])} equals {_term(m['b'])}{tail}"


_OPERATORS = {"-": "minus", "−": "minus", "+": "plus", "*": "times", "×": "times", "x": "times", "/": "divided by",
              "÷": "divided by"}  # fmt: skip


def _term(text: str) -> str:
    return text if text.isalpha() else number_words(text)


_NAMES = "|".join(re.escape(unit) for unit in ("cm", "mm", "km", "m", "in", "inches", "ft", "feet", "px"))


@rule(
    rf"(?<![\w.,/-])(?P<a>{NUMBER})\s?[x×]\s?(?P<b>{NUMBER})(?:\s?[x×]\s?(?P<c>{NUMBER}))?(?:\s?(?P<unit>{_NAMES}))?(?!\w)",
    needs="x×",
)
def _size(m: Match) -> str | None:
    """2x4, 1920x1080 and 10 × 15 cm."""
    if "×" in m[0] and not (m["unit"] or m["c"]):
        return None
    said = " by ".join(
        spoken_pairs(n) if re.fullmatch(r"\d{4}", n) else number_words(n) for n in (m["a"], m["b"], m["c"]) if n
    )
    unit = m["unit"]
    if not unit:
        return said
    return f"{said} {'inches' if unit == 'in' else units.UNITS[unit][1] if unit in units.UNITS else unit}"


@rule(
    rf"(?<![\w.,])(?P<n>{NUMBER})[x×](?=\s(?:as|faster|slower|more|less|better|bigger|larger|smaller|longer|higher|cheaper"
    r"|the|speed)\b)",
    needs="x×",
)
def _times(m: Match) -> str:
    return f"{number_words(m['n'])} times"


@rule(rf"(?<![\w.,/-])(?P<a>{NUMBER})\s?(?P<s>[×÷+*−])\s?(?P<b>{NUMBER})(?![\w])", needs="×÷+*−")
def _operation(m: Match) -> str:
    return f"{number_words(m['a'])} {_OPERATORS[m['s']]} {number_words(m['b'])}"


# -- powers and relations

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")


@powers(r"(?<![\w.,])(?P<n>\d+(?:\.\d+)?)e(?P<power>[+-]?\d{1,3})(?![\w.])")
def _scientific(m: Match) -> str:
    return f"{decimal(m['n'])} times ten{_to_the_power(m['power'].lstrip('+'))}"


@powers(r"(?<=[\w)])\^\(?(?P<power>[-−]?\d{1,4}|[a-z](?!\w))\)?", needs="^")
def _caret(m: Match) -> str:
    return _to_the_power(m["power"])


@powers(r"(?<=[A-Za-z\d)])(?P<power>[⁻⁺]?[⁰¹²³⁴-⁹]{1,4})", needs="⁰¹²³⁴⁵⁶⁷⁸⁹")
def _raised(m: Match) -> str:
    return _to_the_power(m["power"].translate(_RAISED).lstrip("+"))


def _to_the_power(power: str) -> str:
    if power in ("2", "3"):
        return " squared" if power == "2" else " cubed"
    return f" to the power of {power if power.isalpha() else number_words(power)}"


_RELATIONS = {
    "!=": "is not equal to", "==": "equals", "<=": "is at most", ">=": "is at least", "->": "to",
    "+/-": "plus or minus",
}  # fmt: skip


@powers(r"(?<![-=<>!+])\s?(?P<sign>!=|==|<=|>=|->|\+/-)\s?(?![-=<>])", needs="=>/")
def _relation(m: Match) -> str:
    return f" {_RELATIONS[m['sign']]} "


@powers(r"(?<!\w)~\s?(?=[$€£]?\d)", needs="~")
def _about(_: Match) -> str:
    return "about "
