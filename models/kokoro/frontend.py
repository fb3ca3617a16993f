"""Text to Kokoro's token ids, on the CPU worker."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidText
from models.base import Frontend
from models.kokoro import MAX_TOKENS, parse_voice, written_voice
from models.kokoro.languages.table import reader_of
from models.shared.files import read_json
from models.shared.tokens import check_length, symbols_of
from text.phonemes import is_sound, unheard

#: What the voices take, on average: seconds for each utterance, and for each of its tokens.
UTTERANCE_SECONDS, TOKEN_SECONDS = 0.75, 0.066


class _Vocabulary(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    vocab: dict[Annotated[str, Field(min_length=1, max_length=1)], Annotated[int, Field(ge=1, le=100_000)]]


class KokoroFrontend(Frontend):
    """Phonemes in Kokoro's spelling, as ids; the pads at both ends are the model's to add. The language is that of the
    text: each voice can speak all of them."""

    max_characters = 300
    max_seconds = math.inf  # `MAX_TOKENS` is what bounds an utterance

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Phoneme to id. Raises `core.errors.WeightsError` if the file is invalid."""
        return read_vocabulary(self.files("vocab"))

    @property
    def takes_phonemes(self) -> bool:
        """Always."""
        return True

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int, at most 510) and ``voice`` (a name or a mix, in its one spelling).

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long (code
        ``text_too_long``), `core.errors.InvalidRequest` for a voice, mix or language that is none,
        `core.errors.ConfigurationError` where a library of the language is not installed."""
        weights = parse_voice(voice, self.spec.voices)
        spelled = self._spelled(text, language)
        tokens = [self.vocabulary[symbol] for symbol in spelled if symbol in self.vocabulary]
        if not any(is_sound(symbol) for symbol in spelled if symbol in self.vocabulary):
            raise InvalidText("The text contains nothing that the voice can speak.")
        if lost := unheard(spelled, self.vocabulary):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        check_length(tokens, MAX_TOKENS)
        return {"tokens": tokens, "voice": written_voice(weights)}

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens and ``speed``; some voices take a tenth more or less."""
        return (UTTERANCE_SECONDS + TOKEN_SECONDS * len(inputs["tokens"])) / float(options.get("speed", 1.0))

    @cached_property
    def _names(self) -> dict[int, str]:
        return {number: symbol for symbol, number in self.vocabulary.items()}

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The symbols of the vocabulary."""
        return symbols_of(inputs["tokens"], self._names, blanks=False)

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """The symbols of Kokoro's vocabulary, in its spelling of the language."""
        return "".join(symbol for symbol in self._spelled(text, language) if symbol in self.vocabulary)

    @cached_property
    def _spelled(self) -> Callable[[str, str], str]:
        """The phonemes of a text in Kokoro's spelling of a language; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text, language: reader_of(language, self.spec.name)(text))


def read_vocabulary(path: Path) -> dict[str, int]:
    """Phoneme to id, from a ``{"vocab": {...}}``. Raises `core.errors.WeightsError`."""
    return read_json(path, _Vocabulary, "a Kokoro vocabulary").vocab
