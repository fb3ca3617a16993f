"""When each word of a text is said, from the words that a recognizer heard in the speech of it.

The two lists are aligned by their longest common subsequence (Needleman and Wunsch 1970), in which a word counts by its
letters. Words in common take the times that were heard. Those between them, which were heard as others (``25`` as
``twenty-five``), share the time of those by their letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

#: A word: in scripts that are written without spaces each letter, otherwise all between spaces.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(f"[{_SPACELESS}][^\\w\\s]*|[^\\s{_SPACELESS}]+")


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with its punctuation, and when it is said, in seconds."""

    start: float
    end: float
    word: str


def words_of(text: str) -> list[str]:
    """The words of a text with their punctuation."""
    return WORD.findall(text)


def align(text: str, heard: Iterable[TimedWord], duration: float) -> list[TimedWord]:
    """Each word of ``text`` with its time: in order, without overlap, within ``duration`` seconds.

    ``heard``: what was heard, in order. Time and memory grow with the product of the numbers of words."""
    said, heard = words_of(text), [one for long in heard for one in _split(long, duration)]
    found: list[TimedWord] = []
    i = j = 0
    at = 0.0
    for a, b in [*common([_key(word) for word in said], [_key(one.word) for one in heard]), (len(said), len(heard))]:
        until = heard[b].start if b < len(heard) else duration
        found += _between(said[i:a], heard[j:b], at, max(at, until))
        at = found[-1].end if found else at
        if a < len(said):
            found.append(TimedWord(max(at, heard[b].start), max(at, heard[b].end), said[a]))
            at = found[-1].end
        i, j = a + 1, b + 1
    return found


def _split(one: TimedWord, duration: float) -> list[TimedWord]:
    """A heard word within the duration, cut as `words_of` would do it, the time shared by letters."""
    start = min(max(0.0, one.start), duration)
    return _shared(words_of(one.word), start, min(max(start, one.end), duration))


def _key(word: str) -> str:
    """What is compared of a word: its letters and digits in one case."""
    return "".join(c for c in unicodedata.normalize("NFKC", word).casefold() if c.isalnum())


def common(said: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """The indices of the words in common, in order, so that they have as many letters as possible."""
    numbers: dict[str, int] = {}
    for word in heard:
        numbers.setdefault(word, len(numbers))
    ids = np.array([numbers[word] for word in heard], np.int64)
    lengths = np.array([len(word) for word in heard], np.int64)
    best = np.zeros(len(heard) + 1, np.int64)
    steps = np.zeros((len(said), len(heard)), np.int8)  # 1: the two are a pair; 2: the said one is left out
    for i, word in enumerate(said):
        paired = np.where(ids == numbers.get(word, -1), best[:-1] + lengths, -1)
        row = np.concatenate([[0], np.maximum.accumulate(np.maximum(best[1:], paired))])
        steps[i] = np.where(paired == row[1:], 1, np.where(best[1:] == row[1:], 2, 0))
        best = row
    pairs = []
    i, j = len(said) - 1, len(heard) - 1
    while i >= 0 and j >= 0:
        if steps[i, j] == 1 and said[i]:
            pairs.append((i, j))
            i, j = i - 1, j - 1
        elif steps[i, j] == 0:
            j -= 1
        else:
            i -= 1
    return pairs[::-1]


def _between(said: Sequence[str], heard: Sequence[TimedWord], start: float, end: float) -> list[TimedWord]:
    """Words that nothing heard is equal to, between two that are, which leave ``start`` to ``end`` to them."""
    if not said:
        return []
    if not heard:
        return _shared(said, start, end)
    first = min(max(start, heard[0].start), end)
    last = min(max(first, heard[-1].end), end)
    if len(said) != len(heard):
        return _shared(said, first, last)
    found = []
    for word, one in zip(said, heard, strict=True):  # misheard one by one
        first = min(max(first, one.start), end)
        found.append(TimedWord(first, min(max(first, one.end), end), word))
        first = found[-1].end
    return found


def _shared(words: Sequence[str], start: float, end: float) -> list[TimedWord]:
    """Words that share a stretch of time by their letters."""
    shares = np.cumsum([0, *(max(1, len(_key(word))) for word in words)])
    times = start + (end - start) * shares / max(1, int(shares[-1]))
    times[-1] = end
    return [TimedWord(float(a), float(b), word) for a, b, word in zip(times[:-1], times[1:], words, strict=True)]
