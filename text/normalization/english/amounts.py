"""Money, fractions, ranges, sums and measures."""

from __future__ import annotations

from text.normalization import tables
from text.normalization.english.rules import (
    CODE,
    MINUS,
    NO_WORD_BEFORE,
    NUMBER,
    PER,
    SCALE,
    SIGN,
    UNIT,
    Match,
    Rules,
    number_words,
    quantity,
    short_year,
)
from text.normalization.numbers import cardinal, decimal, fraction, year

rule = Rules()

# -- money


@rule(
    rf"""(?<![\w$€£¥])(?:(?P<land>{"|".join(tables.COUNTRIES)})(?=[$£]))?(?P<minus>[-−])?(?P<sign>{SIGN})\s?
    (?P<amount>{NUMBER})(?![\d])(?:\s?{SCALE}\b|(?P<short>bn|mn|tn|[kKmMBbT])(?!\w))?
    (?:\s?/\s?(?P<per>{PER}|mo|wk|d)\b)?"""
)
def _money(m: Match) -> str:
    return _amount(m["amount"], m["sign"], m["scale"] or tables.SCALES.get(m["short"] or ""), m["land"], m["minus"]) + (
        f" per {tables.PER[m['per']]}" if m["per"] else ""
    )


@rule(rf"{NO_WORD_BEFORE}(?P<code>{CODE})\s?(?P<amount>{NUMBER})(?![\d])(?:\s?{SCALE}\b)?")
def _money_with_code(m: Match) -> str:
    return _amount(m["amount"], m["code"], m["scale"], None, None)


@rule(rf"(?<![\w.,])(?P<amount>{NUMBER})\s?(?:{SCALE}\s)?(?:(?P<code>{CODE})\b|(?P<sign>[€£₹₽₺₴₪₫₱฿₿$])(?!\d))")
def _money_behind(m: Match) -> str | None:
    if m["sign"] == "$" and " " in m[0]:
        return None
    return _amount(m["amount"], m["code"] or m["sign"], m["scale"], None, None)


def _amount(amount: str, sign: str, scale: str | None, land: str | None, minus: str | None) -> str:
    one, many, cent, cents = tables.CURRENCIES[sign]
    prefix = "minus " if minus else ""
    name = (lambda word: f"{tables.COUNTRIES[land]} {word}") if land else (lambda word: word)
    if scale:
        return f"{prefix}{decimal(amount)} {scale} {name(many)}"
    whole, dot, rest = amount.replace(",", "").partition(".")
    units = int(whole or 0)
    if rest.strip("0") and len(rest.rstrip("0")) > 2:
        return f"{prefix}{decimal(amount)} {name(many)}"
    small = int((rest.rstrip("0") + "00")[:2]) if dot else 0
    said = [f"{number_words(whole)} {name(one if units == 1 else many)}"] if units or not small else []
    if small:
        said.append(f"{cardinal(small)} {cent if small == 1 else cents}")
    return prefix + " ".join(said)


# -- fractions, ranges, maths


@rule(rf"(?<![\w.,])(?P<minus>{MINUS})?(?P<whole>\d+)\s(?P<a>\d+)/(?P<b>\d+)\s?(?P<unit>{UNIT})(?!\w)")
def _mixed_measure(m: Match) -> str:
    return f"{_mixed(m['whole'], int(m['a']), int(m['b']))} {tables.UNITS[m['unit']][1]}"


@rule(rf"(?<![\w/.])(?P<whole>\d+)?\s?(?P<vulgar>[{''.join(tables.VULGAR)}])")
def _vulgar(m: Match) -> str:
    return _mixed(m["whole"], *tables.VULGAR[m["vulgar"]])


def _mixed(whole: str | None, numerator: int, denominator: int) -> str:
    if whole is None:
        return fraction(numerator, denominator)
    said = "a half" if (numerator, denominator) == (1, 2) else fraction(numerator, denominator)
    return f"{cardinal(int(whole))} and {said}"


@rule(
    r"(?<![\w/.,:$-])(?:(?P<whole>\d+)\s)?(?P<a>\d{1,6})\s?[/⁄]\s?(?P<b>\d{1,6})(?:th|TH|rd|RD|nd|ND|st|ST)?(?![\w/]|\.\d)"
)
def _fraction(m: Match) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    if m["whole"] is None and " " not in m[0] and (a, b) in ((24, 7), (9, 11), (50, 50)):
        return f"{cardinal(a)} {cardinal(b)}"
    return _mixed(m["whole"], a, b)


@rule(
    rf"(?<![\w.,:/$-])(?P<a>\d{{4}})\s?[-–—]\s?(?P<b>\d{{4}}|\d{{2}})(?P<unit>\s?(?:{UNIT})(?!\w))?(?![\w/%-]|[.,:]\d)"
)
def _years(m: Match) -> str | None:
    a, b = int(m["a"]), int(m["b"])
    if m["unit"]:
        return f"{cardinal(a)} to {_measured(m['b'], m['unit'].strip())}"
    if not 1000 <= a <= 2099 or (len(m["b"]) == 4 and not a < b <= 2199) or (len(m["b"]) == 2 and b <= a % 100):
        return None
    tail = year(b) if len(m["b"]) == 4 else short_year(m["b"])
    return f"{year(a)} to {tail}"


@rule(rf"(?<![\w.,:/$-])(?P<a>{NUMBER})\s?[-–—]\s?(?P<b>{NUMBER})\s?(?P<unit>{UNIT})(?!\w)")
def _measured_range(m: Match) -> str | None:
    return f"{number_words(m['a'])} to {_measured(m['b'], m['unit'])}"


@rule(r"(?<![\w.,:/$–-])(?P<a>\d{1,4})(?P<dash>\s?–\s?|\s?-\s?)(?P<b>\d{1,4})(?![\w:/=-]|[.,]\d|\s?=)")
def _range(m: Match) -> str | None:
    if m["dash"] == "-" and int(m["a"]) >= int(m["b"]):
        return f"{number_words(m['a'])} {number_words(m['b'])}"  # a score
    return f"{number_words(m['a'])} to {number_words(m['b'])}"


@rule(
    rf"(?<![\w.,/-])(?P<a>{NUMBER}|[a-z])\s?(?P<s>[-−+*×x/÷])\s?(?P<b>{NUMBER}|[a-z])\s?=\s?(?P<c>[-−]?{NUMBER}|[a-z])(?![\w])"
)
def _equation(m: Match) -> str:
    return f"{_term(m['a'])} {_OPERATORS[m['s']]} {_term(m['b'])} equals {_term(m['c'])}"


@rule(
    rf"(?<![\w.,/-])(?P<a>{NUMBER}|[a-z])\s?=\s?(?P<b>[-−]?{NUMBER}|[a-z])(?:\s?(?P<s>[-−+*×/÷])\s?(?P<c>{NUMBER}|[a-z]))?(?![\w])"
)
def _assignment(m: Match) -> str:
    tail = f" {_OPERATORS[m['s']]} {_term(m['c'])}" if m["s"] else ""
    return f"{_term(m['a'])} equals {_term(m['b'])}{tail}"


_OPERATORS = {"-": "minus", "−": "minus", "+": "plus", "*": "times", "×": "times", "x": "times", "/": "divided by",
              "÷": "divided by"}  # fmt: skip


def _term(text: str) -> str:
    return text if text.isalpha() else number_words(text)


@rule(rf"(?<![\w.,/-])(?P<a>{NUMBER})\s?(?P<s>[×÷+*−])\s?(?P<b>{NUMBER})(?![\w])")
def _operation(m: Match) -> str:
    return f"{number_words(m['a'])} {_OPERATORS[m['s']]} {number_words(m['b'])}"


# -- measures

_POWERS = {"²": "square ", "³": "cubic ", "2": "square ", "3": "cubic "}


def _measured(number: str, unit: str, power: str = "", per: str = "") -> str:
    one, many = tables.UNITS[unit]
    word = one if quantity(number) == 1 and "." not in number else many
    tail = f" per {tables.PER[per]}" if per else ""
    return f"{number_words(number)} {_POWERS.get(power, '')}{word}{tail}"


@rule(rf"(?<![\w.,])(?P<number>{MINUS}?{NUMBER})\s?{SCALE}\s(?P<unit>{UNIT})(?!\w)")
def _large_measure(m: Match) -> str:
    return f"{number_words(m['number'])} {m['scale']} {tables.UNITS[m['unit']][1]}"


@rule(
    rf"(?<![\w.,])(?P<number>{MINUS}?{NUMBER})(?P<gap>[\s-]?)(?P<unit>{UNIT})(?P<power>[²³])?(?P<dot>\.(?=\s[a-z\d]))?(?:/(?P<per>{PER})\b)?(?!\w|/\w)"
)
def _measure(m: Match) -> str | None:
    unit = m["unit"]
    if m["gap"] == "-" and unit in tables.SHORT_UNITS:
        return None
    if m["gap"] == " " and unit in ("A", "s", "h", "V", "ha", "mi") and not m["per"]:
        return None
    return _measured(m["number"], unit, m["power"] or "", m["per"] or "")


@rule(r"(?<![\w.,])(?P<a>\d+)\s?(?:′|')\s?(?P<b>\d{1,2})\s?(?:″|\"|'')(?!\w)")
def _feet_and_inches(m: Match) -> str:
    return f"{cardinal(int(m['a']))} foot {cardinal(int(m['b']))}"
