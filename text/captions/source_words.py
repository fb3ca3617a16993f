"""Where the words of a source text are in what is spoken of it.

Cleaning, markup, lexicons and normalization change a text before it is spoken: ``$5`` is spoken as ``five dollars``,
``3 kg`` as ``three kilograms``, and a footnote's mark not at all. `text.source.SourceText` keeps the source of every
part, so each word of the source can be found in the spoken text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from text.captions.alignment import WORD
from text.source import SourceText
from text.speakable import has_word


@dataclass(frozen=True, slots=True)
class SourceWord:
    """A word of the source, with its punctuation: the characters from ``start`` to before ``end``. It is said from
    ``first`` to ``last``, in characters of the spoken text, or in other units after `converted`. These two are equal
    for marks that are no word, such as a dash."""

    start: int
    end: int
    first: float
    last: float


@dataclass(slots=True)
class _Group:
    """Words of the source that share one stretch of the spoken text: each with its first character, the one behind its
    last, and its letters."""

    words: list[tuple[int, int, int]]
    first: int
    last: int


def source_words(plain: SourceText, spoken: SourceText, start: int, end: int) -> list[SourceWord]:
    """The words of the source from ``start`` to ``end``, in order, without those that are not spoken.

    ``plain``: the source without its markup; ``spoken``: what is spoken of that stretch. What cleaning has removed at
    the edges of a word is no part of it. Words that are spoken together (``3 kg``) share their stretch of the spoken
    text by their letters."""
    groups: list[_Group] = []
    for word, (first, last) in _found(plain, spoken, start, end):
        if groups and first < groups[-1].last:
            groups[-1].words.append(word)
            groups[-1].last = max(groups[-1].last, last)
        else:
            groups.append(_Group([word], first, last))
    return [word for group in groups for word in _shared(group)]


def shown_words(words: Sequence[SourceWord], plain: SourceText, written: SourceText) -> dict[int, str]:
    """By the number of a word, how it is shown if that is not as in ``plain``, the source without its markup: without
    what cleaning has removed inside of it (``**bold**,``), and with the rest of a word that a hyphen had parted at the
    end of a line, which is empty then. ``written``: the text after cleaning. A word that a lexicon has replaced is
    shown as it is."""
    shown: dict[int, str] = {}
    whole, behind = 0, -1  # the last word that is not the rest of another, and where it ends in the written text
    own = [plain.text[slice(*plain.place(word.start, word.end))] for word in words]
    for number, word in enumerate(words):
        first, last = written.place(word.start, word.end)
        bare = written.text[first:last]
        if not _is_part(bare, own[number]):
            behind = -1
            continue
        if first == behind and words[number - 1].end < word.start:
            shown[whole] = shown.get(whole, own[whole]) + bare
            shown[number] = ""
        else:
            whole = number
            if bare != own[number]:
                shown[number] = bare
        behind = last
    return shown


def letters_of(word: str) -> int:
    """The number of letters and digits of a word, by which words share time; at least 1."""
    return max(1, sum(map(str.isalnum, word)))


def spoken_words(spoken: str) -> list[tuple[int, int]]:
    """The words of a spoken text, with inline phonemes: of each its first character, and the one behind its last."""
    return [found.span() for found in WORD.finditer(spoken) if has_word(found[0])]


def converted(
    words: Sequence[SourceWord], spans: Sequence[tuple[int, int]], places: Sequence[tuple[float, float]]
) -> list[SourceWord]:
    """The words with other units in place of characters. ``spans``: `spoken_words`; ``places``: the same in the other
    units, in order. Within a word of the spoken text, the units are in proportion to its characters."""
    begins, stops = [begin for begin, _ in spans], [stop for _, stop in spans]

    def unit(number: int, position: float) -> float:
        (begin, stop), (first, last) = spans[number], places[number]
        return first + (last - first) * min(max((position - begin) / (stop - begin), 0.0), 1.0)

    found: list[SourceWord] = []
    for word in words:
        one, other = bisect_right(stops, word.first), bisect_left(begins, word.last) - 1
        if word.first < word.last and one <= other:
            first, last = unit(one, word.first), unit(other, word.last)
        else:  # nothing of it is spoken
            first = last = unit(other, word.last) if other >= 0 else places[0][0] if places else 0.0
        found.append(SourceWord(word.start, word.end, first, last))
    return found


def _found(
    plain: SourceText, spoken: SourceText, start: int, end: int
) -> Iterator[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Each word, as a `_Group` has it, and where it is in the spoken text."""
    for match in WORD.finditer(plain.text, *plain.place(start, end)):
        begin, stop = plain.source(*match.span())
        first, last = spoken.place(max(begin, start), min(stop, end))
        if last <= first:
            continue
        heard = spoken.text[first:last]
        if not heard.strip() or (has_word(match[0]) and not has_word(heard)):
            continue  # left out
        kept = spoken.source(first, last)
        begin, stop = max(begin, start, kept[0]), min(stop, end, kept[1])
        if begin < stop:
            letters = letters_of(match[0]) if has_word(heard) else 0
            yield (begin, stop, letters), (first, last)


def _shared(group: _Group) -> Iterator[SourceWord]:
    total = sum(letters for _, _, letters in group.words)
    if not total:
        for start, end, _ in group.words:
            yield SourceWord(start, end, group.last, group.last)
        return
    size, before = group.last - group.first, 0
    for start, end, letters in group.words:
        first = group.first + size * before / total
        before += letters
        yield SourceWord(start, end, first, group.first + size * before / total)


def _is_part(bare: str, word: str) -> bool:
    """Whether the letters of ``bare`` are left of those of a word."""
    letters = iter(word)
    return bool(bare) and all(letter in letters for letter in bare if letter.isalnum())
