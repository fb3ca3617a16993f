"""What a language's front end makes of an utterance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import InternalError

#: BERT's pieces of a text (WordPiece), without ``[CLS]`` and ``[SEP]``.
Tokenize: TypeAlias = Callable[[str], list[str]]

#: The phone before and after an utterance.
EDGE = "_"
FIRST_PIECE, LAST_PIECE, UNKNOWN_PIECE = "[CLS]", "[SEP]", "[UNK]"


@dataclass(frozen=True, slots=True)
class Spelling:
    """An utterance as MeloTTS and its BERT read it.

    ``phones``: symbols of MeloTTS, the first and the last of which are `EDGE`. ``tones``: one for each phone, from 0 in
    the language's own count. ``pieces``: BERT's tokens, from ``[CLS]`` to ``[SEP]``. ``word2ph``: how many of the
    phones each piece has, in order.

    Raises `core.errors.InternalError` where these do not agree."""

    phones: tuple[str, ...]
    tones: tuple[int, ...]
    pieces: tuple[str, ...]
    word2ph: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.phones) != len(self.tones):
            raise InternalError(f"{len(self.phones)} phones have {len(self.tones)} tones.")
        if len(self.pieces) != len(self.word2ph):
            raise InternalError(f"{len(self.pieces)} pieces have {len(self.word2ph)} numbers of phones.")
        if sum(self.word2ph) != len(self.phones) or min(self.word2ph, default=0) < 0:
            raise InternalError(f"The pieces have {sum(self.word2ph)} phones, the utterance {len(self.phones)}.")
        if self.pieces[:1] != (FIRST_PIECE,) or self.pieces[-1:] != (LAST_PIECE,) or len(self.pieces) < 2:
            raise InternalError("The pieces do not begin with [CLS] and end with [SEP].")
        if self.phones[0] != EDGE or self.phones[-1] != EDGE:
            raise InternalError("The phones do not begin and end with the edge.")
