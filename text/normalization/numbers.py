"""English number words: cardinals, ordinals, digits one by one, years, fractions. American style, without "and"."""

from __future__ import annotations

from text.normalization import tables

_ONES = tables.words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = tables.words("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")

#: Digits of the largest number that is read as one; longer ones are read digit by digit.
MAX_DIGITS = 3 * len(_SCALES)

_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """``1204`` is "one thousand two hundred four"; beyond `MAX_DIGITS` its digits one by one."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if len(str(number)) > MAX_DIGITS:
        return digits(str(number))
    if number == 0:
        return _ONES[0]
    words: list[str] = []
    for scale in reversed(range(len(_SCALES))):
        group = number // 1000**scale % 1000
        if group:
            words += _below_thousand(group)
            if scale:
                words.append(_SCALES[scale])
    return " ".join(words)


def _below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [_ONES[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        words.append(_TENS[rest // 10])
        rest %= 10
    if rest:
        words.append(_ONES[rest])
    return words


def ordinal(number: int) -> str:
    """``21`` is "twenty first"."""
    head, _, last = cardinal(number).rpartition(" ")
    return f"{head} {_ordinal_word(last)}".strip()


def _ordinal_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def digits(text: str, zero: str = "zero") -> str:
    """The decimal digits of ``text`` one by one; all else in it is left out."""
    return " ".join(zero if c == "0" else _ONES[int(c)] for c in text if c in "0123456789")


def decimal(text: str) -> str:
    """``12.50`` is "twelve point five zero". Commas are thousands separators; a missing leading zero is not spoken."""
    whole, dot, fraction = text.replace(",", "").partition(".")
    words = [cardinal(int(whole))] if whole else []
    if dot and fraction:
        words += ["point", digits(fraction)]
    return " ".join(words)


def year(number: int) -> str:
    """``1905`` is "nineteen oh five", ``2006`` "two thousand six", ``2014`` "twenty fourteen"."""
    century, rest = divmod(number, 100)
    if not 1000 <= number <= 2999 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {_ONES[rest]}' if rest < 10 else cardinal(rest)}"


def plural(words: str) -> str:
    """``nineteen eighty`` becomes "nineteen eighties", for decades."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "s")) else f"{words}s"


def fraction(numerator: int, denominator: int) -> str:
    """``3/4`` is "three quarters", ``1/2`` "one half", ``5/1`` "five over one"."""
    top = cardinal(numerator)
    if denominator in (0, 1):
        return f"{top} over {cardinal(denominator)}"
    one = {2: "half", 4: "quarter"}.get(denominator) or ordinal(denominator)
    if numerator == 1:
        return f"{top} {one}"
    return f"{top} {'halves' if denominator == 2 else f'{one}s'}"


def spoken_pairs(text: str) -> str:
    """A house number: ``1428`` is "fourteen twenty eight", ``405`` "four oh five", ``2000`` "two thousand"."""
    number = int(text)
    if text[0] == "0" or len(text) > 4:
        return digits(text)
    if len(text) < 3 or number % 100 == 0:
        return cardinal(number)
    first, rest = divmod(number, 100)
    return f"{cardinal(first)} {f'oh {_ONES[rest]}' if rest < 10 else cardinal(rest)}"


def roman(text: str) -> int | None:
    """The value of a Roman numeral as it is written today (``XIV``), or None."""
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    if not text or any(c not in values for c in text):
        return None
    found = [values[c] for c in text]
    total = sum(-v if v < after else v for v, after in zip(found, [*found[1:], 0], strict=True))
    return total if to_roman(total) == text else None


_ROMAN = {"M": 1000, "CM": 900, "D": 500, "CD": 400, "C": 100, "XC": 90, "L": 50, "XL": 40, "X": 10, "IX": 9, "V": 5,
          "IV": 4, "I": 1}  # fmt: skip


def to_roman(number: int) -> str:
    """``14`` is XIV."""
    written = ""
    for letters, value in _ROMAN.items():
        count, number = divmod(number, value)
        written += letters * count
    return written
