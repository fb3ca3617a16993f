"""Ordinals and abbreviations."""

from __future__ import annotations

import re

from text.normalization import tables
from text.normalization.english.acronyms import spelled
from text.normalization.english.rules import DIGITS, WHOLE, Match, Rules, after, number_words
from text.normalization.numbers import digits, ordinal

rule = Rules(needs="")

# -- ordinals


@rule(r"(?<![\w.,])(?P<a>\d+)(?:st|nd|rd|th)\s?[-–]\s?(?P<b>\d+)(?:st|nd|rd|th)(?!\w)", needs=DIGITS)
def _ordinals(m: Match) -> str:
    return f"{ordinal(int(m['a']))} to {ordinal(int(m['b']))}"


@rule(rf"(?<![\w.,])(?P<n>{WHOLE})(?:st|nd|rd|th|ST|ND|RD|TH)(?![\w])", needs=DIGITS)
def _ordinal(m: Match) -> str | None:
    number = int(m["n"].replace(",", ""))
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    if m[0][-2:].lower() != suffix:
        if number > 100:
            return f"{digits(m['n'])} {m[0][-2:]}"
        return f"{number_words(m['n'])} {m[0][-2:]}"
    return ordinal(number) if number else "zeroth"


# -- abbreviations


@rule(
    r"(?<![\w.])(?:i\.\s?e\.|e\.\s?g\.|a\.k\.a\.|et\sal\.|et\sseq\.|cf\.|viz\.|ibid\."
    r"|Ph\.\s?D\.?|[BM]\.\s?Sc\.|(?:w/o|w/(?=\s)|c/o|b/c|n/a|N/A|a/c)(?!\w))",
    needs="./",
)
def _dotted(m: Match) -> str:
    written = re.sub(r"(?<=\.)\s", "", m[0])
    ends = "." if written in ("Ph.D.", "B.Sc.", "M.Sc.") and not after(m).strip() else ""
    return f"{tables.DOTTED[written]}{ends}"


@rule(
    rf"(?<![\w.])(?P<word>{'|'.join(sorted(tables.BEFORE_NUMBER, key=len, reverse=True))})\.?\s?(?=\d)(?<!\s\s)",
    needs=DIGITS,
)
def _before_number(m: Match) -> str | None:
    if "." not in m[0] and m["word"] in (
        "nos",
        "Nos",
        "no",
        "No",
        "sec",
        "Sec",
        "Art",
        "c",
        "ca",
        "p",
        "ch",
        "Ch",
        "op",
        "Op",
        "fig",
    ):
        return None
    return f"{tables.BEFORE_NUMBER[m['word']]} "


@rule(r"№\s?|\#\s?(?=\d)", needs="№#")
def _number_sign(m: Match) -> str:
    return "number "


@rule(r"(?<![\w.])(?:St|ST|st)\.?(?=\s+(?P<name>[A-Z][a-z]+))")
def _saint(m: Match) -> str | None:
    if m[0] == "ST":
        return None
    before = re.search(r"([A-Za-z][A-Za-z'’]*)\s+$", m.string[max(0, m.start() - 40) : m.start()])
    if before and before[1][0].isupper() and before[1] not in ("The", "At", "In", "On", "To", "From", "And", "Of"):
        return f"Street{'.' if m[0].endswith('.') else ''}"
    return "Saint"


@rule(r"(?<=[a-z]\s)(?:St|Dr|Ave|Blvd|Rd)\.?(?!\s*[A-Z][a-z]|\w)")
def _street(m: Match) -> str | None:
    before = re.search(r"([A-Za-z][A-Za-z'’]*)\s+$", m.string[max(0, m.start() - 40) : m.start()])
    if before is None or not before[1][0].isupper():
        return None
    dot = "." if m[0].endswith(".") and re.match(r"\s*$|\s+[A-Z]", after(m, 64)) else ""
    return f"{tables.STREETS[m[0].rstrip('.').lower()]}{dot}"


@rule(rf"(?<![\w.])(?P<word>{'|'.join(sorted(tables.ABBREVIATIONS, key=len, reverse=True))})\.(?!\w)", needs=".")
def _abbreviation(m: Match) -> str | None:
    word, rest = m["word"], after(m, 64)
    if word in ("Sun", "Sat", "Mon", "Mar", "Co", "est", "Sq", "Art", "Rep", "Hon", "Fri", "Wed", "Dec") and (
        re.match(r"\s*$|\s+[A-Z]", rest) and word not in ("Rep", "Hon", "Co")
    ):
        return None  # a word at the end of a sentence
    ends = re.match(r"\s*$|\s+[\"“'‘(]?[A-Z]", rest) and word in _AT_THE_END
    return f"{tables.ABBREVIATIONS[word]}{'.' if ends else ''}"


#: After these a capital starts a new sentence; after a title, a name.
_AT_THE_END = frozenset(tables.words("Jr Sr Esq Bros Co Corp Inc Ltd Ave Blvd Rd Hwy Expy Pkwy Sq etc misc"))


@rule(r"(?<![\w.])(?P<word>[Mm]rs?|[Mm]s|[Dd]r|Prof|Capt|Lt|Sgt|Col|Gen)\.?(?=\s+[A-Z][a-z.])")
def _title(m: Match) -> str:
    return tables.ABBREVIATIONS[m["word"].capitalize()]


@rule(r"(?<![\w.])(?:[A-Z]\.\s?){2,5}(?![a-z])", needs=".")
def _initials(m: Match) -> str | None:
    """U.S.A. and J. R. R.: letters without their dots, but for one that ends a sentence."""
    letters, rest = spelled(re.sub(r"[^A-Z]", "", m[0])), after(m, 64)
    gap = m[0][len(m[0].rstrip()) :]
    ends = "." if not rest.strip() or (gap and re.match(r"[A-Z][a-z]+ [a-z]", rest) and " " not in m[0].strip()) else ""
    return f"{letters}{ends}{gap}"
