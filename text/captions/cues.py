"""From timed words to the cues of subtitles.

The limits are those of broadcasters' guidelines for readers of English (BBC Subtitle Guidelines; Netflix Timed Text
Style Guide): two lines of 42 characters, at least one and at most seven seconds, 17 characters a second, and two frames
of 24 a second between cues. Characters of East Asian width count as two. Cues never begin before their first word, and
never overlap.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from text.captions.subtitles import Cue

LINE = 42  #: characters of a line, at most
LINES = 2
LONGEST = 7.0  #: seconds of a cue, at most, unless one word lasts longer
SHORTEST = 1.0  #: seconds of a cue, where the next one leaves them
PACE = 17.0  #: characters a second that can be read, where the next cue leaves the time
GAP = 2 / 24  #: seconds between two cues, where the words leave them
NEAR = 0.5  #: seconds between two utterances that may share a cue

_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
_CLAUSE_END = re.compile(r"[,;:—–、，；：][\"'”’»)\]]*$")

# What a cue costs. Of the cuts of an utterance, those that cost the least are taken.
_CUE = 100.0
_UNEVEN = 20.0  #: of an empty cue, less the fuller it is
_CUT_AT_CLAUSE, _CUT_IN_CLAUSE, _HURRIED = 3.0, 12.0, 15.0


@dataclass(frozen=True, slots=True)
class CueWord:
    """A word with its punctuation, and when it is said, in seconds; ``spaced``: a space parts it from the one
    before."""

    start: float
    end: float
    text: str
    spaced: bool = True


def cues_of(utterances: Iterable[Sequence[CueWord]], duration: float) -> list[Cue]:
    """The cues of utterances in order, whose words are in order and end within ``duration`` seconds.

    Each word is in one cue. A cue holds parts of two utterances only where one of them would be too short to read."""
    parts = [part for words in utterances for part in _cut(list(_short(words)))]
    joined: list[Sequence[CueWord]] = []
    for part in parts:
        if joined and _belong(joined[-1], part):
            joined[-1] = [*joined[-1], *part]
        else:
            joined.append(part)
    following = [*(part[0].start for part in joined[1:]), duration + GAP]
    return [_cue(part, start) for part, start in zip(joined, following, strict=False)]


def width(text: str) -> int:
    """Columns that a text takes: two of each wide character, none of combining marks."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def _short(words: Iterable[CueWord]) -> Iterator[CueWord]:
    """The words, those that are longer than a line in parts."""
    for word in words:
        text = " ".join(word.text.split())
        if width(text) <= LINE:
            if text:
                yield replace(word, text=text)
            continue
        size = LINE // 2 if width(text) > len(text) else LINE
        count = math.ceil(len(text) / size)
        step = (word.end - word.start) / count
        for number in range(count):
            start = word.start + number * step
            part = text[number * size : (number + 1) * size]
            yield CueWord(start, min(start + step, word.end), part, word.spaced and not number)


def _cut(words: Sequence[CueWord]) -> list[Sequence[CueWord]]:
    """The words of one utterance in parts that fit a cue, at the cuts that cost the least."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(words) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            part = words[start:end]
            if start < end - 1 and not _fits(part):
                break
            options.append((best[start][0] + _cost(part, last=end == len(words)), start))
        best.append(min(options))
    parts: list[Sequence[CueWord]] = []
    end = len(words)
    while end:
        start = best[end][1]
        parts.append(words[start:end])
        end = start
    return parts[::-1]


def _cost(part: Sequence[CueWord], *, last: bool) -> float:
    text = _text(part)
    cost = _CUE + _UNEVEN * max(0.0, 1 - width(text) / (LINES * LINE)) ** 2
    if not last and not _SENTENCE_END.search(text):
        cost += _CUT_AT_CLAUSE if _CLAUSE_END.search(text) else _CUT_IN_CLAUSE
    return cost + (_HURRIED if part[-1].end - part[0].start < SHORTEST else 0.0)


def _fits(part: Sequence[CueWord]) -> bool:
    return part[-1].end - part[0].start <= LONGEST and _lines(part) is not None


def _belong(before: Sequence[CueWord], part: Sequence[CueWord]) -> bool:
    """Whether two parts share a cue, because one of them is too short and they follow each other closely."""
    near = part[0].start - before[-1].end <= NEAR
    hurried = before[-1].end - before[0].start < SHORTEST or part[-1].end - part[0].start < SHORTEST
    return near and hurried and _fits([*before, *part])


def _cue(part: Sequence[CueWord], following: float) -> Cue:
    start, end = part[0].start, part[-1].end
    lines = _lines(part) or [_text(part)]
    wanted = max(end, start + SHORTEST, start + sum(map(width, lines)) / PACE)
    return Cue(start, max(end, min(wanted, following - GAP)), "\n".join(lines))


def _lines(part: Sequence[CueWord]) -> list[str] | None:
    """A part in one line, or in two that are about as long; None if it does not fit."""
    whole = _text(part)
    if width(whole) <= LINE:
        return [whole]
    found: list[tuple[float, list[str]]] = []
    for at in range(1, len(part)):
        lines = [_text(part[:at]), _text(part[at:])]
        widths = [width(line) for line in lines]
        if max(widths) <= LINE:
            bonus = 8 if _SENTENCE_END.search(lines[0]) else 5 if _CLAUSE_END.search(lines[0]) else 0
            found.append((abs(widths[0] - widths[1]) - bonus, lines))
    return min(found)[1] if found else None


def _text(part: Sequence[CueWord]) -> str:
    return "".join(f" {word.text}" if word.spaced and number else word.text for number, word in enumerate(part))
