"""Where utterances and words are in the audio of a job.

Places are whole samples of the joined audio until they are written down, so that no rounding adds up over hours.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.join import starts_of
from audio.samples import Samples
from core.errors import ArtifactMissing
from core.names import Markup, TimingMethod
from core.work import UtteranceWork, WordPlaces
from storage.objects.objects import Objects
from text.source import SourceText
from text.speakable import has_word
from workers.artifacts import read_facts
from workers.retry import retry_until_available
from workers.steps.utterances import marked

#: Below this part of an utterance's peak its edges are silent (-46 dB).
SILENT = 0.005


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of the source: samples from ``start`` to before ``end``, its first character in the chapter, its number of
    characters, and itself. ``spaced``: it does not follow the one before directly; ``mark``: it is no word;
    ``shown``: the word in subtitles, empty if the one before shows it."""

    start: int
    end: int
    offset: int
    length: int
    word: str
    spaced: bool
    mark: bool
    shown: str


@dataclass(frozen=True, slots=True)
class TimedUtterance:
    """An utterance: samples from ``start`` to before ``end``, its chapter (from 0), and its first character and number
    of characters there. ``text`` is without markup. ``left_out``: it failed, and silence takes its place."""

    start: int
    end: int
    chapter: int
    offset: int
    length: int
    text: str
    left_out: bool
    method: TimingMethod | None  #: of its words; None if they are not wanted, or it is left out
    words: Sequence[TimedWord] = ()


class Timeline:
    """Is told of each utterance while it is read, and says where all are at the end."""

    def __init__(self, objects: Objects, utterances: Sequence[UtteranceWork], rate: int) -> None:
        self.rate = rate
        self._objects = objects
        self._utterances = utterances
        self._lengths: dict[int, int] = {}
        self._left_out: set[int] = set()
        self._words: dict[int, array[int]] = {}  #: of each utterance the first and the last sample of its words
        self._methods: dict[int, TimingMethod] = {}
        self._offset = 0
        self._length: int | None = None

    def note(self, index: int, samples: Samples, facts: Mapping[str, Any] | None) -> None:
        """An utterance as it is joined; ``facts``: of its artifact, None if silence takes its place."""
        self._lengths[index] = len(samples)
        if facts is None:
            self._left_out.add(index)
            return
        places = self._utterances[index].words
        if places is None or index in self._words:
            return
        durations = self._durations(self._utterances[index], places, facts)
        self._words[index] = array("q", word_samples(places, durations, samples, self.rate).tolist())
        self._methods[index] = TimingMethod.ESTIMATED if durations is None else TimingMethod.DURATIONS

    def cut(self, offset: int, length: int) -> None:
        """Count all places from ``offset``, before which nothing is left, and end at ``length``; in samples."""
        self._offset, self._length = offset, length

    @property
    def method(self) -> TimingMethod | None:
        """Of all words: estimated if those of one utterance are; None without words."""
        methods = set(self._methods.values())
        return TimingMethod.ESTIMATED if TimingMethod.ESTIMATED in methods else next(iter(methods), None)

    @property
    def starts(self) -> list[int]:
        """The first sample of each utterance, and the end of the last one."""
        return [self._place(start) for start in self._laid()]

    def _laid(self) -> list[int]:
        """The `starts` before anything is cut."""
        lengths = [self._lengths.get(index, 0) for index in range(len(self._utterances))]
        return starts_of(lengths, [work.pause for work in self._utterances], self.rate)

    def _place(self, sample: int) -> int:
        """Where ``sample`` of what was joined is after the cut."""
        moved = max(0, sample - self._offset)
        return moved if self._length is None else min(moved, self._length)

    def utterances(self, chapters: Sequence[str], markup: Markup, language: str) -> Iterator[TimedUtterance]:
        """All utterances in order; ``chapters``: the text of the job."""
        for index, (work, start) in enumerate(zip(self._utterances, self._laid(), strict=False)):
            chapter, first, last = work.source
            plain = marked(chapters[chapter], markup, language).text
            yield TimedUtterance(
                start=self._place(start),
                end=self._place(start + self._lengths.get(index, 0)),
                chapter=chapter,
                offset=first,
                length=last - first,
                text=" ".join(plain.text[slice(*plain.place(first, last))].split()),
                left_out=index in self._left_out,
                method=self._methods.get(index),
                words=list(self._timed_words(index, start, plain)),
            )

    def _timed_words(self, index: int, start: int, plain: SourceText) -> Iterator[TimedWord]:
        places, times = self._utterances[index].words, self._words.get(index)
        if places is None or times is None:
            return
        before, base = -1, self._utterances[index].source[1]
        pairs = zip(times[::2], times[1::2], strict=True)
        for number, ((offset, length, first, last), (begin, end)) in enumerate(zip(places.words, pairs, strict=True)):
            at, behind = plain.place(base + offset, base + offset + length)
            text = plain.text[at:behind]
            yield TimedWord(
                start=self._place(start + begin),
                end=self._place(start + end),
                offset=base + offset,
                length=length,
                word=text,
                spaced=at > before,
                mark=first == last and not has_word(text),
                shown=places.shown.get(number, text),
            )
            before = behind

    def _durations(
        self, work: UtteranceWork, places: WordPlaces, facts: Mapping[str, Any]
    ) -> NDArray[np.float64] | None:
        """Seconds of each token; None if they are not known. What converts speech keeps its times: the durations are
        those of the first stage."""
        if not places.tokens:
            return None
        found = facts.get("durations")
        if found is None and len(work.stages) > 1:
            found = self._first_stage(work).get("durations")
        if not isinstance(found, list) or len(found) != places.units:
            return None
        durations = np.asarray(found, np.float64)
        return durations if np.isfinite(durations).all() and (durations >= 0).all() else None

    def _first_stage(self, work: UtteranceWork) -> Mapping[str, Any]:
        """The facts of the first stage's artifact; none if it is gone, as nothing but times needs it any more."""
        try:
            return retry_until_available(lambda: read_facts(self._objects, work.stages[0].artifact))
        except ArtifactMissing:
            return {}


def word_samples(
    places: WordPlaces, durations: NDArray[np.float64] | None, samples: Samples, rate: int
) -> NDArray[np.int64]:
    """The first sample of each word, and the one behind its last, in turns: int64 [2 * words], never decreasing.

    ``durations``: seconds of each unit; None shares the time evenly. Words are within what sounds of ``samples``."""
    first, behind = _sounding(samples)
    bounds = np.asarray([bound for word in places.words for bound in word[2:]], np.float64)
    if durations is None:
        times = first + (behind - first) * bounds / max(1, places.units)
    else:
        times = np.interp(bounds, np.arange(places.units + 1), np.cumsum([0.0, *durations]) * rate)
    clipped = np.clip(np.rint(times), first, behind).astype(np.int64)
    return np.maximum.accumulate(clipped) if clipped.size else clipped


def _sounding(samples: Samples) -> tuple[int, int]:
    """The first sample that is not silent, and the one behind the last."""
    loud = np.abs(samples)
    heard = np.flatnonzero(loud > SILENT * loud.max(initial=0.0))
    return (int(heard[0]), int(heard[-1]) + 1) if heard.size else (0, len(samples))
