"""Text to the tokens of a base speaker of OpenVoice V1, on the CPU worker: English and Mandarin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from core.errors import InvalidRequest, InvalidText
from models.base import Frontend
from models.openvoice.chinese import read_chinese
from models.openvoice.config import Configuration, read_configuration
from models.openvoice.english import read_english
from models.shared.speakers import speaker_number
from models.shared.tokens import check_length, symbols_of, with_blanks
from models.vits.rows import MAX_TOKENS
from text.phonemes import is_sound, unheard

#: Blanks counted, at a speed of 1: of English, and of Mandarin, which has a symbol or two more for each tone.
TOKENS_PER_SECOND, TOKENS_PER_SECOND_TONED = 28.0, 46.0
_TONES = frozenset("→↓↑")
_READERS = {"en": read_english, "zh": read_chinese, "cmn": read_chinese}


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
        """Unless the voices speak Mandarin."""
        return all(_primary(language) == "en" for language in self.spec.languages)

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int) and ``speaker`` (int).

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long,
        `core.errors.InvalidRequest` for an unknown voice or language, `core.errors.ConfigurationError` without the
        libraries of the language."""
        speaker = speaker_number(self.spec, voice, self.config.speakers, self.config.data.n_speakers)
        spelled = self._spelled(text, self._language(language))
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
        toned = not self._tones.isdisjoint(inputs["tokens"])
        pace = TOKENS_PER_SECOND_TONED if toned else TOKENS_PER_SECOND
        return len(inputs["tokens"]) / (pace * float(options.get("speed", 1.0)))

    @cached_property
    def _names(self) -> dict[int, str]:
        return dict(enumerate(self.config.symbols))

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The symbols of the base speakers."""
        return symbols_of(inputs["tokens"], self._names, blanks=self.config.data.add_blank)

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """The symbols that the voice has."""
        spelled = self._spelled(text, self._language(language))
        return "".join(symbol for symbol in spelled if symbol in self.ids)

    @cached_property
    def _spelled(self) -> Callable[[str, str], str]:
        """The symbols of a text in a language; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text, language: _READERS[language](text))

    @cached_property
    def _tones(self) -> frozenset[int]:
        return frozenset(self.ids[tone] for tone in _TONES if tone in self.ids)

    def _language(self, language: str) -> str:
        """The language without its region, if the model speaks it."""
        primary = _primary(language)
        spoken = {_READERS.get(_primary(one)) for one in self.spec.languages}
        if primary in _READERS and _READERS[primary] in spoken:
            return primary
        raise InvalidRequest(f"{self.spec.name} does not speak {language[:40]!r}.", code="unknown_language")


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
