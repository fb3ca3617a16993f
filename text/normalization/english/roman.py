"""Roman numerals: of parts, of rulers, of centuries, and as headings."""

from __future__ import annotations

import re
import unicodedata

from text.normalization import tables
from text.normalization.english.rules import Match, Rules, after, before
from text.normalization.numbers import cardinal, ordinal, roman

#: The letters, and Unicode's own numerals.
_OWN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫⅬⅭⅮⅯⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻⅼⅽⅾⅿ"
_LETTERS = f"IVXLCDM{_OWN}"
rule = Rules(needs=_LETTERS)


def _value(numeral: str) -> int | None:
    return roman(unicodedata.normalize("NFKC", numeral).upper())


@rule(rf"^\s*(?P<numeral>[{_LETTERS}]{{1,9}})(?P<dot>[.:]?)(?:\s*$|(?=\s+[A-Z\"“]))")
def _heading(m: Match) -> str | None:
    """XIV. as a line of its own, or before a heading's words."""
    value, alone = _value(m["numeral"]), m.end() == len(m.string)
    if value is None or value > 200 or (not alone and (len(m["numeral"]) == 1 or not m["dot"])):
        return None
    if (alone and m["numeral"] in ("C", "D", "M", "L")) or (m["numeral"] == "I" and alone and not m["dot"]):
        return None
    return cardinal(value).capitalize() + m["dot"]


@rule(r"(?<![\w.])(?:the\s)?(?P<numeral>[IVX]{1,6})(?:th)?(?P<gap>[\s-]+)(?=centur(?:y|ies)\b|dynasty\b)")
def _century(m: Match) -> str | None:
    value = _value(m["numeral"])
    return f"{'the ' if m[0].startswith('the') else ''}{ordinal(value)}{m['gap']}" if value else None


@rule(r"(?<!\w)WW(?P<n>III|II|I|1|2|3)(?!\w)", needs="W")
def _world_war(m: Match) -> str:
    return f"World War {cardinal(int(m['n']) if m['n'].isdigit() else len(m['n']))}"


@rule(rf"(?<![\w.])(?P<before>[A-Za-z]+)(?P<gap>\.?\s+)(?P<numeral>[{_LETTERS}]+)(?![\w'’])")
def _roman(m: Match) -> str | None:
    value, word = _value(m["numeral"]), m["before"].lower()
    if value is None or m["gap"].startswith("."):
        return None
    if word in tables.ROMAN_PARTS:
        return f"{m['before']}{m['gap']}{cardinal(value)}"
    alone = m["numeral"] in ("I", "C", "D", "M", "V", "X", "L")
    if word in tables.ROMAN_NAMES and m["before"][0].isupper() and (not alone or _ruler(m)):
        return f"{m['before']}{m['gap']}the {ordinal(value)}"
    if m["before"][0].isupper() and len(m["numeral"]) > 1 and value < 40 and not _EXCEPT.match(m["numeral"]):
        return f"{m['before']}{m['gap']}{cardinal(value)}"
    return None


def _ruler(m: Match) -> bool:
    """Whether a single I after a name is a numeral instead of the pronoun."""
    return (
        m["numeral"] in "IVX"
        and m[0] != "Malcolm X"
        and re.match(r"\s+(?:of|was|is|and|who|ruled|reigned|\(|died)|[,.;:)]", after(m)) is not None
    )


@rule(rf"(?<![\w.])(?:[IVX]{{2,6}}|[{_OWN}]{{1,9}})(?![\w'’]|\.\w)")
def _numeral(m: Match) -> str | None:
    """All others, which espeak-ng would call "Roman two"."""
    value = _value(m[0])
    if value is None or _EXCEPT.match(m[0]):
        return None
    if m[0] == "IV" and (_DRIP_BEFORE.search(before(m)) or _DRIP_BEHIND.match(after(m))):
        return "I.V"
    return cardinal(value)


#: Chromosomes, beer and sizes.
_EXCEPT = re.compile(r"(?:XX|XXX|XL)$")
_DRIP_BEFORE = re.compile(r"\b(?:an|by|via|with|through)\s$")
_DRIP_BEHIND = re.compile(r"\s(?:drip|fluids?|lines?|bags?|therapy|needles?|poles?|access|antibiotics?)\b")
