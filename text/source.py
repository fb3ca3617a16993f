"""A text after edits that still knows its source.

Cleaning, markup, lexicons and normalization replace parts of a text one after the other. `SourceText` applies these
replacements and keeps, for every part, the position in the source that it came from, so that times, errors and
warnings name characters of the text as it was sent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``text`` takes the place of the characters from ``start`` to ``end``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Run:
    """Characters that came from one stretch of the source: copied one to one, or as a whole."""

    at: int  #: where it begins in the text
    size: int  #: characters in the text
    start: int  #: where its source begins
    end: int  #: where its source ends
    copied: bool = False  #: one to one


class SourceText:
    """``text``, and where each part of it came from. Positions are in characters; never changed once made."""

    __slots__ = ("_ats", "_runs", "text")

    def __init__(self, text: str, runs: Sequence[_Run]) -> None:
        self.text = text
        self._runs = runs
        self._ats = [run.at for run in runs]

    @staticmethod
    def of(text: str, at: int = 0) -> SourceText:
        """``text`` as it is in the source, from character ``at`` on."""
        return SourceText(text, [_Run(0, len(text), at, at + len(text), copied=True)] if text else [])

    @staticmethod
    def mapped(text: str, stretches: Iterable[tuple[int, int, int]]) -> SourceText:
        """``text`` with the source of each of its stretches in order: size in the text, start and end in the source.

        A stretch of the size of its source came from it character by character.
        """
        runs: list[_Run] = []
        at = size = begin = stop = 0
        for length, start, end in stretches:
            if size and start == stop and size == stop - begin and length == end - start:
                size, stop = size + length, end  # goes on with the one before
                continue
            if size:
                runs.append(_Run(at, size, begin, stop, copied=size == stop - begin))
            at, size, begin, stop = at + size, length, start, end
        if size:
            runs.append(_Run(at, size, begin, stop, copied=size == stop - begin))
        return SourceText(text, runs)

    def __len__(self) -> int:
        return len(self.text)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the source that ``text[start:end]`` came from."""
        if not self._runs:
            return 0, 0
        first = self._run(start)
        begin = first.start + (start - first.at if first.copied else 0)
        if end <= start:
            return begin, begin
        last = self._run(end - 1)
        return begin, (last.start + end - last.at if last.copied else last.end)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where the stretch of the source from ``start`` to ``end`` is in the text; empty if it was removed.

        A replaced stretch that is met in part counts as a whole.
        """
        first = bisect_right(self._runs, start, key=lambda run: run.end)
        last = bisect_right(self._runs, end - 1, key=lambda run: run.start) - 1 if end > start else first
        if first >= len(self._runs):
            return len(self.text), len(self.text)
        run = self._runs[first]
        begin = run.at + (max(0, start - run.start) if run.copied else 0)
        if last < first or end <= start:
            return begin, begin
        run = self._runs[last]
        stop = run.at + (min(run.size, end - run.start) if run.copied else run.size)
        return begin, max(begin, stop)

    def part(self, start: int, end: int) -> SourceText:
        """``text[start:end]`` with its sources."""
        return SourceText(self.text[start:end], list(self._between(start, end, 0)))

    def rewritten(self, rewrites: Iterable[Rewrite], *, apart: bool = False) -> SourceText:
        """The text after all ``rewrites``, which must be in order and apart from each other.

        ``apart``: a replacement is separated by a space from letters and digits beside it, and from a comma or closing
        bracket before it.
        """
        rewrites = list(rewrites)
        if not rewrites:
            return self
        parts: list[str] = []
        runs: list[_Run] = []
        done = size = 0
        last = ""
        for rewrite in (*rewrites, None):
            until = len(self.text) if rewrite is None else rewrite.start
            if until > done:
                kept = self.text[done:until]
                if apart and parts and done and _touches(last, kept[0]):
                    parts.append(" ")
                    begin = self.source(done, done + 1)[0]  # never after what follows
                    runs.append(_Run(size, 1, begin, begin))
                    size += 1
                runs += self._between(done, until, size)
                parts.append(kept)
                size += len(kept)
                last = kept[-1]
            if rewrite is None:
                break
            done = rewrite.end
            if rewrite.text:
                said = f" {rewrite.text}" if apart and _touches(last, rewrite.text[0]) else rewrite.text
                start, end = self.source(rewrite.start, rewrite.end)
                copied = len(said) == end - start and self._is_copied(rewrite.start, rewrite.end)
                runs.append(_Run(size, len(said), start, end, copied))
                parts.append(said)
                size += len(said)
                last = said[-1]
        return SourceText("".join(parts), runs) if len(parts) != 1 or parts[0] != self.text else self

    def _run(self, at: int) -> _Run:
        return self._runs[max(0, bisect_right(self._ats, at) - 1)]

    def _is_copied(self, start: int, end: int) -> bool:
        """Whether ``text[start:end]`` came from the source one to one."""
        run = self._run(start)
        if end <= run.at + run.size:
            return run.copied
        return all(run.copied for run in self._between(start, end, 0))

    def _between(self, start: int, end: int, at: int) -> Iterator[_Run]:
        """The runs of ``text[start:end]`` for a text in which it begins at ``at``."""
        number = max(0, bisect_right(self._ats, start) - 1)
        while start < end:
            run = self._runs[number]
            stop = min(end, run.at + run.size)
            if run.copied:
                begin = run.start + start - run.at
                yield _Run(at, stop - start, begin, begin + stop - start, copied=True)
            else:
                yield _Run(at, stop - start, run.start, run.end)
            at += stop - start
            start = stop
            number += 1


def _touches(before: str, after: str) -> bool:
    return bool(before) and (before.isalnum() or before in ",)") and after.isalnum()
