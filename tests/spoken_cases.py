"""The cases of ``spoken_cases.tsv``: what people complain about in public trackers, as written and as said."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from text.marks import MarkedText
from text.reading import Manner, read_portion, said
from text.source import SourceText

MANNER = Manner(language="en-US", limit=300)


class Case(NamedTuple):
    """``source``: the tracker's repository#number."""

    source: str
    written: str
    said: str


def cases() -> list[Case]:
    with Path(__file__).with_name("spoken_cases.tsv").open(encoding="utf-8") as file:
        return [Case(*row) for row in list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]]


def utterances(text: str) -> list[str]:
    """What a voice gets of ``text``: cleaned, cut into utterances, in words."""
    chapter = MarkedText(SourceText.of(text))
    found: list[str] = []
    start: int | None = 0
    while start is not None:
        portion = read_portion(chapter, start, MANNER)
        found += [said(read.written, MANNER).text for read in portion.utterances]
        start = portion.next
    return found
