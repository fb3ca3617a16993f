"""An utterance put together from words whose phones are known: which of BERT's pieces has how many of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.melo.languages.spelling import EDGE, FIRST_PIECE, LAST_PIECE, UNKNOWN_PIECE, Spelling, Tokenize


def spelling_of_words(words: Iterable[tuple[str, Sequence[str]]], tokenize: Tokenize) -> Spelling:
    """The spelling of ``words``: the text of each, which BERT reads, and its phones. All tones are 0.

    A word's phones are spread over its pieces as MeloTTS does it: evenly, the first pieces have one more. A word that
    BERT does not know keeps its phones."""
    phones, pieces, word2ph = [EDGE], [FIRST_PIECE], [1]
    for text, its_phones in words:
        its_pieces = tokenize(text) or [UNKNOWN_PIECE]
        phones += its_phones
        pieces += its_pieces
        word2ph += _spread(len(its_phones), len(its_pieces))
    return Spelling((*phones, EDGE), (0,) * (len(phones) + 1), (*pieces, LAST_PIECE), (*word2ph, 1))


def _spread(phones: int, pieces: int) -> list[int]:
    each, more = divmod(phones, pieces)
    return [each + (at < more) for at in range(pieces)]
