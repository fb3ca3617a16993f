"""Money."""

from __future__ import annotations

import re

from text.normalization import units
from text.normalization.english.rules import (
    CODE,
    NO_WORD_BEFORE,
    NUMBER,
    PER,
    SCALE,
    SIGN,
    Match,
    Rules,
    after,
    number_words,
)
from text.normalization.numbers import cardinal, decimal

rule = Rules()

#: 1.234,50 and 3,5: as most of Europe writes them. Only where no one else writes a number so.
_EUROPEAN = r"(?:\d{1,3}(?:\.\d{3})+,\d{1,2}|\d+,\d{1,2})(?![\d,])"
_POINTS = r"\d{1,3}(?:\.\d{3})+(?![\d.,])"
_SHORT = r"(?P<short>bn|mn|tn|mil|mio|[kKmMBbT])(?!\w)"
_LAND = rf"(?:(?P<land>{'|'.join(units.COUNTRIES)})(?=[$£]))?"


def american(amount: str) -> str:
    """``1.234,50`` as ``1,234.50``."""
    if re.fullmatch(_EUROPEAN, amount):
        return amount.replace(".", "").replace(",", ".")
    return amount


@rule(
    rf"""(?<![\w$€£¥]){_LAND}(?P<sign>{SIGN})\s?(?P<a>{NUMBER})\s?[-–—]\s?(?P=sign)?\s?(?P<b>{NUMBER})(?![\d-])
    (?:\s?{SCALE}\b|{_SHORT})?(?:\s?/\s?(?P<per>{PER})\b)?"""
)
def _money_range(m: Match) -> str:
    """$5-10, $5-$10 million."""
    tail = _amount(m["b"], m["sign"], m["scale"] or units.SCALES.get(m["short"] or ""), m["land"])
    whole = "." not in m["a"] or m["scale"] or m["short"]
    head = number_words(m["a"]) if whole else _amount(m["a"], m["sign"], None, m["land"])
    return f"{head} to {tail}" + (f" per {units.PER[m['per']]}" if m["per"] else "")


@rule(
    rf"""(?<![\w$€£¥]){_LAND}(?P<minus>[-−])?(?P<sign>{SIGN})\s?
    (?P<amount>{_EUROPEAN}|(?<=€){_POINTS}|{NUMBER})(?![\d])(?:\s?{SCALE}\b|{_SHORT})?
    (?:\s?/\s?(?P<per>{PER}|mo|wk|d)\b)?"""
)
def _money(m: Match) -> str:
    amount = m["amount"].replace(".", "") if re.fullmatch(_POINTS, m["amount"]) and m["sign"] == "€" else m["amount"]
    scale = m["scale"] or units.SCALES.get(m["short"] or "")
    said = _amount(american(amount), m["sign"], scale, m["land"], minus=m["minus"] is not None)
    return f"{said} per {units.PER[m['per']]}" if m["per"] else said


@rule(rf"{NO_WORD_BEFORE}(?P<code>{CODE})\s?(?P<amount>{_EUROPEAN}|{NUMBER})(?![\d])(?:\s?{SCALE}\b|{_SHORT})?")
def _money_with_code(m: Match) -> str:
    return _amount(american(m["amount"]), m["code"], m["scale"] or units.SCALES.get(m["short"] or ""))


@rule(
    rf"(?<![\w.,])(?P<amount>{_EUROPEAN}|{_POINTS}(?=\s?(?:€|EUR))|{NUMBER})\s?(?:{SCALE}\s|{_SHORT}\s)?"
    rf"(?:(?P<code>{CODE})(?!\w)|(?P<sign>[€£₹₽₺₴₪₫₱฿₿$])(?!\d))"
)
def _money_behind(m: Match) -> str | None:
    if m["sign"] == "$" and " " in m[0] and not re.match(r"\s?[.,;:!?)]|\s*$", after(m)):
        return None
    sign = m["code"] or m["sign"]
    amount = (
        m["amount"].replace(".", "") if sign in ("€", "EUR") and re.fullmatch(_POINTS, m["amount"]) else m["amount"]
    )
    return _amount(american(amount), sign, m["scale"] or units.SCALES.get(m["short"] or ""))


def _amount(amount: str, sign: str, scale: str | None, land: str | None = None, *, minus: bool = False) -> str:
    one, many, cent, cents = units.CURRENCIES[sign]
    prefix = "minus " if minus else ""
    name = (lambda word: f"{units.COUNTRIES[land]} {word}") if land else (lambda word: word)
    if scale:
        return f"{prefix}{decimal(amount)} {scale} {name(many)}"
    whole, dot, rest = amount.replace(",", "").partition(".")
    number = int(whole or 0)
    if rest.strip("0") and len(rest.rstrip("0")) > 2:
        return f"{prefix}{decimal(amount)} {name(many)}"
    small = int((rest.rstrip("0") + "00")[:2]) if dot else 0
    said = [f"{number_words(whole)} {name(one if number == 1 else many)}"] if number or not small else []
    if small:
        said.append(f"{cardinal(small)} {cent if small == 1 else cents}")
    return prefix + " ".join(said)


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})\s?¢", needs="¢")
def _cents(m: Match) -> str:
    return f"{number_words(m['n'])} cent{'' if m['n'] == '1' else 's'}"


@rule(rf"(?<![\w.,])(?P<n>{NUMBER})\s?(?P<scale>k|bn|mn|tn|mil|mio|[KMBT])(?P<more>\+)?(?![\w/])")
def _short_scale(m: Match) -> str | None:
    """10k, 2.3bn and 3M people; but 4K, a run of 5K, and 3M."""
    scale, number = m["scale"], m["n"]
    following = re.match(r"\s[a-z]", after(m))
    if scale == "K" and number in ("2", "4", "5", "8", "10"):
        return None
    if scale in "MBT" and not ("." in number or following):
        return None
    if scale.isupper() and re.search(r"\s", m[0]):
        return None
    return f"{number_words(number)} {units.SCALES[scale]}{' plus' if m['more'] else ''}"
