"""An utterance put together from words whose phones are known: which of BERT's pieces has how many of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.melo.languages.parts import Part, assemble, pieces_of
from models.melo.languages.spelling import Spelling, Tokenize


def spelling_of_words(words: Iterable[tuple[str, Sequence[str]]], tokenize: Tokenize) -> Spelling:
    """The spelling of ``words``: the text of each, which BERT reads, and its phones. All tones are 0.

    A word's phones are spread over its pieces as MeloTTS does it: evenly, the first pieces have one more. A word that
    BERT does not know keeps its phones."""
    return assemble(
        Part(pieces_of(text, tokenize, heard=True), tuple(phones), (0,) * len(phones)) for text, phones in words
    )
