"""From a chapter to its utterances, one portion at a time, each with its place in the source.

The front end of every synthesizer: cleaning, what markup and lexicons say, sentences, and, by `said`, the words that
are spoken instead of numbers and abbreviations.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

from core.names import Clean, Emoji, Normalize
from text.cleaning import clean_up
from text.marks import Break, MarkedText, Reading, Style, inline_spans
from text.normalization import rewrites
from text.portions import portion_end
from text.source import Rewrite, SourceText
from text.utterances import CHAPTER_PAUSE, NO_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE, Utterance, at_ellipses, split

_SPACES = re.compile(r"\s{2,}|[^\S ]")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*\s*$")
_BLANK_LINE = re.compile(r"\n\s*\n\s*$")

_Mark = TypeVar("_Mark", Reading, Break)

#: The replacements in a cleaned text, in order.
Rewriter = Callable[[str], list[Rewrite]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a text is read."""

    language: str  #: of the voice, BCP 47
    limit: int  #: characters of an utterance, at most
    normalize: Normalize = Normalize.AUTO
    clean: Clean = Clean.AUTO
    emoji: Emoji = Emoji.SILENT
    lexicon: Rewriter | None = None
    readings: bool = False  #: phonemes for words that are spelled alike: the front end takes them


@dataclass(frozen=True, slots=True)
class ReadUtterance:
    """One utterance of a chapter: ``utterance`` has its positions in ``text``, and ``text`` its own in the source."""

    text: SourceText
    utterance: Utterance
    style: Style | None = None

    @property
    def written(self) -> SourceText:
        """The text of the utterance, with single spaces."""
        part = self.text.part(self.utterance.start, self.utterance.end)
        return part.rewritten(Rewrite(found.start(), found.end(), " ") for found in _SPACES.finditer(part.text))

    @property
    def source(self) -> tuple[int, int]:
        """Where the utterance is in the chapter as it was sent, in characters."""
        return self.text.source(self.utterance.start, self.utterance.end)


@dataclass(frozen=True, slots=True)
class Portion:
    """The utterances of a part of a chapter, and where the next part begins: None at the end."""

    utterances: Sequence[ReadUtterance]
    next: int | None


def read_portion(chapter: MarkedText, start: int, manner: Manner) -> Portion:
    """The portion of a chapter that begins at character ``start`` of its text without markup.

    The last utterance keeps the pause to what follows it: `assemble` drops the one at the end of a job. Takes linear
    time; never raises.
    """
    text = chapter.text.text
    end, paragraph = portion_end(text, start)
    end = _behind_reading(chapter, end)
    over = end >= len(text)
    found = list(_utterances(chapter, start, end, manner, PARAGRAPH_PAUSE if paragraph else NO_PAUSE))
    if not paragraph and len(found) > 1:  # the last one may go on behind the portion
        return Portion(found[:-1], max(start + 1, chapter.text.place(*found[-1].source)[0]))
    if over and found:
        found[-1] = _paused(found[-1], max(found[-1].utterance.pause, CHAPTER_PAUSE))
    return Portion(found, None if over else end)


def said(text: SourceText, manner: Manner) -> SourceText:
    """The words of an utterance as they are spoken, without touching its inline phonemes."""
    if manner.normalize is Normalize.NONE:
        return text
    fixed = inline_spans(text.text)
    found = rewrites(text.text, manner.language, readings=manner.readings)
    if fixed:
        starts = [span[0] for span in fixed]
        found = [rewrite for rewrite in found if not _overlaps(rewrite, fixed, starts)]
    return text.rewritten(found, apart=True)


def _overlaps(rewrite: Rewrite, spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> bool:
    at = bisect_left(starts, rewrite.end) - 1
    return at >= 0 and spans[at][1] > rewrite.start


def _behind_reading(chapter: MarkedText, end: int) -> int:
    """``end``, or the end of the reading that it would cut."""
    if end >= len(chapter.text) or not chapter.readings:
        return end
    at, _ = chapter.text.source(end, end)
    number = bisect_left(chapter.readings, at, key=lambda reading: reading.start) - 1
    if number >= 0 and chapter.readings[number].end > at:
        return chapter.text.place(chapter.readings[number].start, chapter.readings[number].end)[1]
    return end


def _utterances(
    chapter: MarkedText, start: int, end: int, manner: Manner, last_pause: float
) -> Iterator[ReadUtterance]:
    """The utterances between two places of a chapter's text without markup; ``last_pause`` follows the last one."""
    begin = chapter.text.source(start, start)[0] if start else 0
    until = chapter.text.source(end, end)[0] if end < len(chapter.text) else None
    text = clean_up(chapter.text.part(start, end), manner.language, manner.clean, manner.emoji)
    text = text.rewritten(_placed(chapter, text, begin, until))
    if manner.lexicon is not None:
        text = text.rewritten(manner.lexicon(text.text))
    waiting: ReadUtterance | None = None  # until the pause behind it is known
    asked: float | None = None  #: its pause, if markup has set it
    for run in _runs(chapter, text, begin, until):
        for sentence in split(run.text.text, manner.language, manner.limit):
            for utterance in at_ellipses(run.text.text, sentence):
                if waiting is not None:
                    yield waiting
                waiting, asked = ReadUtterance(run.text, utterance, run.style), None
        if waiting is None:
            continue
        if run.breaks is not None:
            asked = (asked or 0.0) + run.breaks
        waiting = _paused(waiting, run.natural_pause(waiting.utterance.pause) if asked is None else asked)
    if waiting is not None:
        yield waiting if asked is not None else _paused(waiting, max(waiting.utterance.pause, last_pause))


def _placed(chapter: MarkedText, text: SourceText, begin: int, until: int | None) -> Iterator[Rewrite]:
    """The readings that markup gave, between two places of the source."""
    at = 0
    for reading in _from(chapter.readings, begin, lambda one: one.start):
        if until is not None and reading.start >= until:
            return
        first, last = text.place(reading.start, reading.end)
        if first >= at:
            yield Rewrite(first, last, reading.text)
            at = last


@dataclass(frozen=True, slots=True)
class _Run:
    """A part of a portion that is spoken in one style, and what follows it."""

    text: SourceText
    style: Style | None
    breaks: float | None  #: seconds of the pause behind it, as markup says; None without one

    def natural_pause(self, known: float) -> float:
        """The pause behind the last utterance, of which `split` does not know what follows."""
        if _BLANK_LINE.search(self.text.text):
            return max(known, PARAGRAPH_PAUSE)
        return max(known, SENTENCE_PAUSE) if _SENTENCE_END.search(self.text.text) else known


def _runs(chapter: MarkedText, text: SourceText, begin: int, until: int | None) -> Iterator[_Run]:
    """``text`` between the breaks and the changes of style, in order."""
    ends = math.inf if until is None else until
    breaks = [one for one in _from(chapter.breaks, begin, lambda b: b.at) if one.at < ends]
    styles = [one for one in chapter.styles if one.end > begin and one.start < ends and _is_heard(one)]
    pauses: dict[int, float] = {}
    for one in breaks:
        at = text.place(one.at, one.at)[0]
        pauses[at] = pauses.get(at, 0.0) + one.seconds
    changes = sorted(_changes(text, styles, begin), key=lambda change: change[0])
    current: list[Style] = []  # those around the present place, outer ones first
    start = number = 0
    for at in sorted({*pauses, *(change[0] for change in changes), len(text)}):
        if at > start or at in pauses:
            yield _Run(text.part(start, at), reduce(_within, current) if current else None, pauses.get(at))
        start = at
        while number < len(changes) and changes[number][0] == at:
            _, begins, style = changes[number]
            current = [*current, style] if begins else [one for one in current if one is not style]
            number += 1


def _changes(text: SourceText, styles: Sequence[Style], begin: int) -> Iterator[tuple[int, bool, Style]]:
    """Where in ``text`` each style begins (True) and ends."""
    for style in styles:
        first, last = text.place(max(style.start, begin), style.end)
        if last > first:
            yield first, True, style
            yield last, False, style


def _from(marks: Sequence[_Mark], begin: int, place: Callable[[_Mark], int]) -> Sequence[_Mark]:
    """The marks from a place of the source on; they are in order."""
    return marks[bisect_left(marks, begin, key=place) :]


def _is_heard(style: Style) -> bool:
    """Whether a style changes anything: no family has emphasis so far."""
    return style.voice is not None or style.speed is not None or style.language is not None


def _within(outer: Style, inner: Style) -> Style:
    """A style inside of another: speeds multiply."""
    speed = inner.speed if outer.speed is None else outer.speed * (inner.speed or 1.0)
    return replace(
        inner,
        voice=inner.voice or outer.voice,
        language=inner.language or outer.language,
        speed=speed,
        emphasis=inner.emphasis or outer.emphasis,
    )


def _paused(read: ReadUtterance, pause: float) -> ReadUtterance:
    return replace(read, utterance=replace(read.utterance, pause=max(pause, NO_PAUSE)))
