"""Whether a recognizer heard what was said, however it writes numbers: "$500" is "five hundred dollars"."""

from __future__ import annotations

import re

from text.normalization import normalize
from text.phonemes import phonemize

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS)} | {"oh": 0}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_ORDINALS = {
    "first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine",
    "twelfth": "twelve",
}  # fmt: skip

#: Said or written in another order, or not at all: "five pounds sixty" is "£5.60".
_MONEY = frozenset(["dollar", "dollars", "cent", "cents", "pound", "pounds", "penny", "pence", "euro", "euros"])
_SMALL = frozenset({"cent", "penn", "penc"})
_SILENT = frozenset({"point", "and", "o'clock", "colon", "to", "the", "of"})

#: How much of the sounds may differ: what the recognizer's own ear gets wrong.
MISHEARD = 0.1


def heard_right(said: str, heard: str) -> bool:
    """``said``: words. The numbers and currencies must be the same; of all other sounds, `MISHEARD` may differ."""
    one, other = _plain(said), _plain(heard)
    if _numbers(one) != _numbers(other) or _money(said) != _money(heard):
        return False
    return one == other or _apart(_sounds(one), _sounds(other)) <= MISHEARD


def same_words(said: str, heard: str) -> bool:
    """Whether the two are the same, word by word."""
    return _plain(said) == _plain(heard)


def _plain(text: str) -> list[str]:
    """The words in small letters, with numbers as digits that follow each other."""
    said = normalize(text, "en-US").lower().replace("-", " ").replace(".", "")
    plain: list[str] = []
    digits, value, group = "", None, None  # of the number at hand: what is done, thousands, below a thousand

    def close() -> None:
        nonlocal digits, value, group
        if value is not None or group is not None:
            digits += str((value or 0) + (group or 0))
        value = group = None

    for written in [*re.findall(r"[a-z']+", said), ""]:
        word = _ORDINALS.get(written) or re.sub(r"(?<=y)ieth$|ieth$", "y", written)
        word = re.sub(r"th$", "", word) if re.sub(r"th$", "", word) in _VALUES or word[:-2] in _SCALES else word
        if word in _SCALES and (group is not None or value is not None):
            if word == "hundred":
                group = (group or 0) * 100
            else:
                value, group = (value or 0) + (group or 0) * _SCALES[word], None
        elif word in _VALUES:
            number = _VALUES[word]
            fits = group is not None and (
                (group % 100 == 0 and group and number) or (group % 10 == 0 and group % 100 >= 20 and 0 < number < 10)
            )
            if group is not None and not fits:
                close()
            group = (group or 0) + number
        elif word in _SILENT or word in _MONEY:
            close()
        else:
            close()
            if digits:
                plain.append(digits)
                digits = ""
            if word:
                plain.append(word)
    return plain


def _money(text: str) -> set[str]:
    """The currencies, by their first letters."""
    return {word[:4] for word in re.findall("[a-z]+", normalize(text, "en-US").lower()) if word in _MONEY} - _SMALL


def _numbers(words: list[str]) -> str:
    return "".join(word for word in words if word.isdigit())


def _sounds(words: list[str]) -> str:
    return re.sub(r"[\sˈˌː]", "", phonemize(" ".join(word for word in words if not word.isdigit()), "en-us"))


def _apart(one: str, other: str) -> float:
    """Levenshtein's distance over the length."""
    row = list(range(len(other) + 1))
    for i, x in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1] / max(1, len(one))
