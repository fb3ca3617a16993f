"""Text to the tokens of a checkpoint of transformers' ``VitsModel``, on the CPU worker.

The ids are those of transformers' ``VitsTokenizer`` (``tokenization_vits.py``, Apache-2.0), which takes seconds and
hundreds of megabytes to import; but the letter whose id is also that of the blank is a letter like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from models.base import Frontend
from models.shared.files import read_json
from models.shared.tokens import check_length, with_blanks
from models.vits.rows import MAX_TOKENS
from text.phonemes import unheard

#: Blanks counted, at a speed of 1.
TOKENS_PER_SECOND = 28.0


class _Tokenizer(BaseModel):
    """The parts that matter of ``tokenizer_config.json``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    add_blank: bool = True
    normalize: bool = True
    phonemize: bool = False
    is_uroman: bool = False
    language: str | None = None


class MmsFrontend(Frontend):
    """Letters as ids, with a blank before, between and after them."""

    max_characters = 300

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Letter to id. Raises `core.errors.WeightsError` if the file is invalid."""
        return read_json(self.files("vocab"), dict[str, int], "a vocabulary")

    @cached_property
    def tokenizer(self) -> _Tokenizer:
        """Raises `core.errors.ConfigurationError` if the checkpoint needs a romanizer or a phonemizer."""
        if "tokenizer" not in self.spec.weights:
            return _Tokenizer()
        found = read_json(self.files("tokenizer"), _Tokenizer, "the configuration of a tokenizer")
        if found.is_uroman or found.phonemize:
            kind = "romanized text" if found.is_uroman else "phonemes"
            raise ConfigurationError(f"{self.spec.name} reads {kind}, which is not supported.")
        return found

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int) and ``speaker`` (int).

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long,
        `core.errors.InvalidRequest` for an unknown voice."""
        if voice not in self.spec.voices:
            raise InvalidRequest(f"{self.spec.name} has no voice {voice!r}.", code="unknown_voice")
        spelled = self._spelled(text)
        letters = "".join(letter for letter in spelled if letter in self.vocabulary)
        letters = letters.strip() if self.tokenizer.normalize else letters
        if not any(letter.isalpha() for letter in letters):
            raise InvalidText("The text contains nothing that the voice can speak.")
        if lost := unheard(spelled, self.vocabulary):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        known = [self.vocabulary[letter] for letter in letters]
        tokens = with_blanks(known) if self.tokenizer.add_blank else known
        check_length(tokens, MAX_TOKENS)
        return {"tokens": tokens, "speaker": self.spec.voices[voice].speaker}

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens and ``speed``."""
        return len(inputs["tokens"]) / (TOKENS_PER_SECOND * float(options.get("speed", 1.0)))

    def _spelled(self, text: str) -> str:
        """The text in the case that the checkpoint reads."""
        if self.tokenizer.normalize:
            text = "".join(letter if letter in self.vocabulary else letter.lower() for letter in text)
        return text.replace("ț", "ţ") if self.tokenizer.language == "ron" else text
