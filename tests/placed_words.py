"""The words of a text among the tokens of a synthesizer, as they are found when a text is prepared."""

from __future__ import annotations

from typing import Any

from core.work import WordPlaces
from models.base import Frontend
from storage.ledger.documents import JobDocument
from workers.steps.utterances import Reader, Spoken, spoken
from workers.timing.places import WordPlacer


def placed(
    text: str, frontend: Frontend, voice: str = "joe", language: str = "en-US", **fields: Any
) -> list[tuple[Spoken, WordPlaces]]:
    """The utterances of a text with the places of their words."""
    document = JobDocument(owner="ann", pipeline="piper", language=language, voice=voice, **fields)
    reader = Reader(document, voice, frontend)
    placer = WordPlacer(reader, [text])
    return [(one, words) for one in spoken(reader, [text]) if (words := placer.words(one)) is not None]


def words_heard(
    text: str, frontend: Frontend, voice: str = "joe", language: str = "en-US", **fields: Any
) -> list[tuple[str, str]]:
    """Each word with the symbols in which it is spoken."""
    shown = []
    for one, places in placed(text, frontend, voice, language, **fields):
        symbols = frontend.symbols(one.inputs)
        assert symbols is not None and len(symbols) == len(one.inputs["tokens"]) == places.units
        for offset, length, first, last in places.words:
            begin = one.source[0] + offset
            shown.append((text[begin : begin + length], "".join(symbols[round(first) : round(last)])))
    return shown
