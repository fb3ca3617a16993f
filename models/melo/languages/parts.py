"""An utterance in parts, such as words and marks, whose phones are shared out among their pieces of BERT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.melo.languages.spelling import EDGE, FIRST_PIECE, LAST_PIECE, UNKNOWN_PIECE, Spelling, Tokenize


@dataclass(frozen=True, slots=True)
class Part:
    """A word, a mark or a syllable: its ``pieces`` of BERT, its ``phones`` and as many ``tones``. Phones have at least
    one piece; a mark that is not heard has no phones."""

    pieces: tuple[str, ...]
    phones: tuple[str, ...] = ()
    tones: tuple[int, ...] = ()


def pieces_of(written: str, tokenize: Tokenize, heard: bool) -> tuple[str, ...]:
    """BERT's pieces of a word or mark. One that is ``heard`` and of which BERT makes nothing has an unknown piece."""
    pieces = tuple(tokenize(written))
    return (UNKNOWN_PIECE,) if heard and not pieces else pieces


def toneless_part(written: str, phones: Iterable[str], tokenize: Tokenize) -> Part:
    """The part of a word or mark of a language with one tone."""
    its_phones = tuple(phones)
    return Part(pieces_of(written, tokenize, bool(its_phones)), its_phones, (0,) * len(its_phones))


def shared_out(phones: int, pieces: int) -> list[int]:
    """The number of phones of each piece: as even as can be, the first pieces have one more (upstream's
    ``distribute_phone`` in ``text/japanese.py``)."""
    if not pieces:
        return []
    each, more = divmod(phones, pieces)
    return [each + (place < more) for place in range(pieces)]


def assemble(parts: Iterable[Part]) -> Spelling:
    """The utterance of all ``parts``, with its edges."""
    phones, tones, pieces, word2ph = [EDGE], [0], [FIRST_PIECE], [1]
    for part in parts:
        phones += part.phones
        tones += part.tones
        pieces += part.pieces
        word2ph += shared_out(len(part.phones), len(part.pieces))
    return Spelling((*phones, EDGE), (*tones, 0), (*pieces, LAST_PIECE), (*word2ph, 1))
