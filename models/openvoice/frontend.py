"""Text to the tokens of a base speaker of OpenVoice V1, on the CPU worker. English only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from core.errors import InvalidRequest, InvalidText
from models.base import Frontend
from models.openvoice.config import Configuration, read_configuration
from models.openvoice.english import english_symbols
from models.shared.speakers import speaker_number
from models.shared.tokens import check_length, with_blanks
from models.vits.rows import MAX_TOKENS
from text.phonemes import is_sound, phonemize, unheard

#: Blanks counted, at a speed of 1.
TOKENS_PER_SECOND = 28.0


class OpenVoiceFrontend(Frontend):
    """Symbols of the base speakers as ids, with a blank before, between and after them (``text_to_sequence`` and
    ``intersperse`` of myshell-ai/OpenVoice, MIT)."""

    max_characters = 300

    @cached_property
    def config(self) -> Configuration:
        return read_configuration(self.files("config"))

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Symbol to id."""
        return {symbol: number for number, symbol in enumerate(self.config.symbols)}

    @property
    def takes_phonemes(self) -> bool:
        """Always."""
        return True

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int) and ``speaker`` (int).

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long,
        `core.errors.InvalidRequest` for an unknown voice or a language that is not English."""
        speaker = speaker_number(self.spec, voice, self.config.speakers, self.config.data.n_speakers)
        if not language.lower().replace("_", "-").startswith("en"):
            raise InvalidRequest(f"{self.spec.name} does not speak {language[:40]!r}.", code="unknown_language")
        spelled = self._spelled(text)
        known = [self.ids[symbol] for symbol in spelled if symbol in self.ids]
        if not any(is_sound(symbol) for symbol in spelled if symbol in self.ids):
            raise InvalidText("The text contains nothing that the voice can speak.")
        if lost := unheard(spelled, self.ids):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        tokens = with_blanks(known) if self.config.data.add_blank else known
        check_length(tokens, MAX_TOKENS)
        return {"tokens": tokens, "speaker": speaker}

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens and ``speed``."""
        return len(inputs["tokens"]) / (TOKENS_PER_SECOND * float(options.get("speed", 1.0)))

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """The symbols that the voice has."""
        return "".join(symbol for symbol in self._spelled(text) if symbol in self.ids)

    @cached_property
    def _spelled(self) -> Callable[[str], str]:
        """The symbols of a text; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text: english_symbols(phonemize(text, "en-us")))
