"""What the tests of MeloTTS's Spanish and French share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from models.melo.languages.ipa import MARKS, SOUNDS
from models.melo.languages.spelling import Spelling, Tokenize
from tests.pieces_of_bert import word_pieces

Spell = Callable[[str, Tokenize], Spelling]

#: A BERT without the letters "k" and "w".
tokenize = word_pieces([*"abcdefghijlmnopqrstuvxyzáéíóúüñàâçèêëîïôùûœAEIOUÀÉÊ0123456789.,!?'¿¡", "la", "de", "es"])


def rows(name: str) -> list[list[str]]:
    """The rows of one of the tables of sentences and phones."""
    return [line.split("\t") for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()]


def check(spelling: Spelling) -> None:
    """What the constructor of `Spelling` does not check."""
    assert set(spelling.phones[1:-1]) <= SOUNDS | MARKS
    assert set(spelling.tones) == {0}
    assert spelling.word2ph[0] == spelling.word2ph[-1] == 1


def phones_of(spell: Spell, text: str) -> str:
    """The phones of a text, without its edges and joined."""
    return "".join(spell(text, tokenize).phones[1:-1])


def seconds_for(spell: Spell, word: str, count: int) -> float:
    """CPU seconds for ``count`` different words, the least of three."""

    def once() -> float:
        text = " ".join(f"{word}{'abcdefghij'[i % 10]}{'abcdefghij'[i // 10 % 10]}" for i in range(count))
        start = time.process_time()
        check(spell(text, tokenize))
        return time.process_time() - start

    return min(once() for _ in range(3))
