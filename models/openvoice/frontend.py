"""Text to the tokens of a base speaker of OpenVoice V1, on the CPU worker. English only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from models.base import Frontend
from models.openvoice.config import Configuration, read_configuration
from models.openvoice.english import english_symbols
from models.openvoice.synthesizer import MAX_TOKENS
from text.phonemes import is_sound, phonemize, unheard

#: Blanks counted, at a speed of 1.
TOKENS_PER_SECOND = 28.0

_BLANK = 0


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
        speaker = self._speaker(voice)
        if not language.lower().replace("_", "-").startswith("en"):
            raise InvalidRequest(f"{self.spec.name} does not speak {language[:40]!r}.", code="unknown_language")
        spelled = self._spelled(text)
        known = [self.ids[symbol] for symbol in spelled if symbol in self.ids]
        if not any(is_sound(symbol) for symbol in spelled if symbol in self.ids):
            raise InvalidText("The text contains nothing that the voice can speak.")
        if lost := unheard(spelled, self.ids):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        tokens = known
        if self.config.data.add_blank:
            tokens = [_BLANK] * (2 * len(known) + 1)
            tokens[1::2] = known
        if len(tokens) > MAX_TOKENS:
            raise InvalidText(
                f"The utterance has {len(tokens)} tokens; the maximum is {MAX_TOKENS}.", code="text_too_long"
            )
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

    def _speaker(self, voice: str) -> int:
        """The number of a voice of ``models.yaml``, or of a speaker as the checkpoint's configuration names it."""
        if voice in self.spec.voices:
            speaker = self.spec.voices[voice].speaker
        elif voice in self.config.speakers:
            speaker = self.config.speakers[voice]
        else:
            raise InvalidRequest(f"{self.spec.name} has no voice {voice!r}.", code="unknown_voice")
        if not 0 <= speaker < self.config.data.n_speakers:
            raise ConfigurationError(
                f"{self.spec.name} has {self.config.data.n_speakers} speakers and none with number {speaker}."
            )
        return speaker
