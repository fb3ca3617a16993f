"""A job's text as what its model will get: utterances that fit the model, each with its inputs or its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from core.errors import InvalidText
from core.names import Normalize, Role
from models.base import Frontend
from storage.ledger.documents import JobDocument
from text.normalization import normalize
from text.scripts import unreadable, without
from text.speakable import clean, has_word
from text.utterances import NO_PAUSE, Utterance, divide, split_chapters

#: Warnings that a job carries, at most.
MAX_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance of the chapter numbered ``chapter`` (from 0), with its model's ``inputs``, or with an ``error``
    instead."""

    utterance: Utterance
    chapter: int
    inputs: Mapping[str, Any]
    error: InvalidText | None = None


def utterances_of(chapters: Sequence[str], language: str, frontend: Frontend) -> list[Utterance]:
    """The utterances of all chapters in order, before any is found too long for its model."""
    found = split_chapters([clean(text) for text in chapters], language, frontend.max_characters)
    return [utterance for chapter in found for utterance in chapter]


def spoken(chapters: Sequence[str], document: JobDocument, voice: str, frontend: Frontend) -> list[Spoken]:
    """All utterances in order. Every word of the text is in the inputs of one utterance, or that utterance has an
    error, or `warnings_of` reports the word: none is left out silently.

    ``document``: the job's ``language``, ``options`` and ``normalize``; ``voice``: the voice that speaks.
    """
    reading = _Reading(document, voice, frontend)
    texts = [clean(chapter) for chapter in chapters]
    found: list[Spoken] = []
    for number, utterances in enumerate(split_chapters(texts, reading.language, frontend.max_characters)):
        for utterance in utterances:
            for part, inputs in _fitting(texts[number], utterance, reading):
                if isinstance(inputs, InvalidText):
                    found.append(Spoken(part, number, {}, inputs))
                else:
                    found.append(Spoken(part, number, inputs))
            if found:  # what is left out leaves its pause
                found[-1] = _with_pause(found[-1], max(found[-1].utterance.pause, utterance.pause))
    if found:
        found[-1] = _with_pause(found[-1], NO_PAUSE)
    return found


def _with_pause(said: Spoken, pause: float) -> Spoken:
    return replace(said, utterance=replace(said.utterance, pause=pause))


def warnings_of(chapters: Sequence[str], language: str) -> list[dict[str, Any]]:
    """The warnings about text that is left out because the voice cannot read its script: the first `MAX_WARNINGS`
    stretches, in characters of their chapter as it was sent."""
    found = ((number, stretch) for number, text in enumerate(chapters) for stretch in unreadable(text, language))
    return [
        {
            "code": "unspeakable_text",
            "message": f"The voice cannot read {', '.join(stretch.scripts)}: left out.",
            "chapter": number,
            "start": stretch.start,
            "end": stretch.end,
        }
        for number, stretch in islice(found, MAX_WARNINGS)
    ]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a job's text is read."""

    document: JobDocument
    voice: str
    frontend: Frontend

    @property
    def language(self) -> str:
        return self.document.language or ""


def _fitting(
    text: str, utterance: Utterance, reading: _Reading
) -> Iterator[tuple[Utterance, dict[str, Any] | InvalidText]]:
    """The utterance, or its parts if the model cannot process it whole; parts without words are dropped."""
    read = without(utterance.text, unreadable(utterance.text, reading.language))
    if not has_word(read):
        return
    said = read if reading.document.normalize is Normalize.NONE else normalize(read, reading.language)
    inputs = _inputs(said, reading)
    if _too_long(inputs, reading) and (parts := divide(text, utterance)):
        for part in parts:
            yield from _fitting(text, part, reading)
        return
    yield utterance, inputs


def _inputs(text: str, reading: _Reading) -> dict[str, Any] | InvalidText:
    try:
        return reading.frontend.inputs(text, reading.voice, reading.language)
    except InvalidText as error:
        error.step = Role.PREPARE.value
        return error


def _too_long(inputs: dict[str, Any] | InvalidText, reading: _Reading) -> bool:
    if isinstance(inputs, InvalidText):
        return inputs.code == "text_too_long"
    return reading.frontend.seconds(inputs, reading.document.options) > reading.frontend.max_seconds
