"""Which tokens of a synthesizer speak which words.

The sounds of an utterance are aligned with those of its words spoken alone, by their longest common subsequence. The
two differ where a front end reads words in their context (``the`` before a vowel), joins them (espeak-ng does so with
``of the``) or leaves out what parts them. So a border between words counts if what parts them is in both, or if there
are sounds in common on both its sides; words without a border between them share their tokens by their letters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from text.captions.alignment import common

#: In place of what parts words.
_GAP = " "

#: Marks inside of words.
_INNER = frozenset("'’ʼ-‐‑_")


@dataclass(frozen=True, slots=True)
class _Element:
    """A sound, or what parts words: its first token, and the one behind its last."""

    sign: str
    first: int
    behind: int


def token_places(
    symbols: Sequence[str], alone: Sequence[Sequence[str]], letters: Sequence[int]
) -> list[tuple[float, float]]:
    """The first token of each word, and the one behind its last: in order, without overlap. Fractions of tokens where
    words share some.

    ``symbols``: what each token of the utterance stands for: a sound, a mark, a space, or an empty string for a pad;
    ``alone``: the same of each word spoken alone; ``letters``: their numbers of letters, at least 1."""
    heard = list(_elements(symbols))
    said: list[str] = []
    owners: list[int] = []  # the word of each sound
    gaps: dict[int, int] = {}  # what parts words: the word behind it
    for number, own in enumerate(alone):
        if number:
            gaps[len(said)] = number
            said.append(_GAP)
            owners.append(number)
        signs = [element.sign for element in _elements(own) if element.sign != _GAP]
        said += signs
        owners += [number] * len(signs)
    pairs = common(said, [element.sign for element in heard])
    borders = _borders(pairs, gaps, owners, heard)
    borders |= {0: (0, 0), len(alone): (len(symbols), len(symbols))}
    places: list[tuple[float, float]] = []
    known = sorted(borders)
    for one, other in pairwise(known):
        first, behind = _sounding(symbols, borders[one][1], borders[other][0])
        places += _shared(first, behind, letters[one:other])
    return places


def _elements(symbols: Sequence[str]) -> Iterator[_Element]:
    """The sounds and gaps of tokens; marks that change a sound, such as those of stress and length, are passed over."""
    gap: _Element | None = None
    for number, symbol in enumerate(symbols):
        if _parts(symbol):
            gap = _Element(_GAP, gap.first if gap else number, number + 1)
        elif _is_sound(symbol):
            if gap:
                yield gap
                gap = None
            yield _Element(symbol, number, number + 1)
    if gap:
        yield gap


def _borders(
    pairs: Sequence[tuple[int, int]], gaps: dict[int, int], owners: Sequence[int], heard: Sequence[_Element]
) -> dict[int, tuple[int, int]]:
    """By word, where the tokens of the one before it end, and where its own begin: of the borders that are known."""
    found: dict[int, tuple[int, int]] = {}
    before: tuple[int, int] | None = None  # the last sound in common
    for said, at in pairs:
        if said in gaps:
            found[gaps[said]] = heard[at].first, heard[at].behind
            continue
        word = owners[said]
        if before is not None and word == owners[before[0]] + 1 and word not in found:
            gap = next((one for one in heard[before[1] + 1 : at] if one.sign == _GAP), None)
            if gap is not None:
                found[word] = gap.first, gap.behind
            elif at - before[1] == 1:
                found[word] = heard[at].first, heard[at].first
        before = said, at
    return found


def _sounding(symbols: Sequence[str], first: int, behind: int) -> tuple[int, int]:
    """The tokens from the first sound to the last one between two tokens, with the pads behind it."""
    while first < behind and not _is_heard(symbols[first]):
        first += 1
    last = behind
    while last > first and not _is_heard(symbols[last - 1]):
        last -= 1
    while last < behind and not symbols[last] and last > first:
        last += 1
    return first, last


def _shared(first: int, behind: int, letters: Sequence[int]) -> Iterator[tuple[float, float]]:
    total, before = sum(letters), 0
    for own in letters:
        start = first + (behind - first) * before / total
        before += own
        yield start, first + (behind - first) * before / total


def _is_heard(symbol: str) -> bool:
    return bool(symbol) and not _parts(symbol)


def _parts(symbol: str) -> bool:
    """Whether a symbol parts words: a space, or punctuation."""
    return bool(symbol) and all(c not in _INNER and unicodedata.category(c)[0] in "ZP" for c in symbol)


def _is_sound(symbol: str) -> bool:
    return bool(symbol) and any(unicodedata.category(c) in {"Ll", "Lu", "Lt", "Lo", "Nd"} for c in symbol)
