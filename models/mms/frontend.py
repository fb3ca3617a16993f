"""Text to the tokens of a checkpoint of transformers' ``VitsModel``, on the CPU worker.

The ids are those of transformers' ``VitsTokenizer`` (``tokenization_vits.py``, Apache-2.0), which takes seconds and
hundreds of megabytes to import; but

- the letter whose id is also that of the blank is a letter like any other,
- a letter that the vocabulary has only in parts, letter and accent, is written in them instead of being left out, and
  a curly apostrophe as a straight one,
- a digit that the vocabulary lacks is an error: to speak the rest of a number would be wrong.

Checkpoints that read phonemes get espeak-ng's; those that read romanized text are refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from models.base import Frontend
from models.shared.files import read_json
from models.shared.tokens import check_length, symbols_of, with_blanks
from models.vits.rows import MAX_TOKENS
from text.marks import inline_spans
from text.phonemes import MAX_CHARACTERS, phonemize, unheard

#: Blanks counted, at a speed of 1.
TOKENS_PER_SECOND = 28.0

_APOSTROPHES = frozenset("’ʼ＇")


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
        """Raises `core.errors.WeightsError` if the file is invalid, `core.errors.ConfigurationError` if the checkpoint
        needs a romanizer."""
        if "tokenizer" not in self.spec.weights:
            return _Tokenizer()
        found = read_json(self.files("tokenizer"), _Tokenizer, "the configuration of a tokenizer")
        if found.is_uroman:
            raise ConfigurationError(f"{self.spec.name} reads romanized text, which is not supported.")
        return found

    @property
    def takes_phonemes(self) -> bool:
        """If the checkpoint reads phonemes instead of letters."""
        return self.tokenizer.phonemize

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
        if lost := unheard(spelled, self.vocabulary) or self._halved(spelled):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        known = [self.vocabulary[letter] for letter in letters]
        tokens = with_blanks(known) if self.tokenizer.add_blank else known
        check_length(tokens, MAX_TOKENS)
        return {"tokens": tokens, "speaker": self.spec.voices[voice].speaker}

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens and ``speed``."""
        return len(inputs["tokens"]) / (TOKENS_PER_SECOND * float(options.get("speed", 1.0)))

    @cached_property
    def _names(self) -> dict[int, str]:
        return {number: letter for letter, number in self.vocabulary.items()}

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The letters or phonemes."""
        return symbols_of(inputs["tokens"], self._names, blanks=self.tokenizer.add_blank)

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """espeak-ng's IPA, as far as the vocabulary has it; None for a checkpoint that reads letters."""
        if not self.tokenizer.phonemize:
            return None
        return "".join(letter for letter in self._spelled(text) if letter in self.vocabulary)

    @cached_property
    def _spelled(self) -> Callable[[str], str]:
        """A text as the checkpoint reads it, with what its vocabulary lacks; that of the last one is kept."""
        return lru_cache(maxsize=1)(self._read)

    def _read(self, text: str) -> str:
        if len(text) > MAX_CHARACTERS:
            raise InvalidText(f"At most {MAX_CHARACTERS} characters can be read at once.", code="text_too_long")
        if self.tokenizer.phonemize:
            return phonemize(text, "en-us")
        if inline_spans(text):
            raise InvalidText("The voice reads letters: it does not take phonemes.", code="no_phonemes")
        if self.tokenizer.normalize:
            text = "".join(map(self._letter, text))
        if self.tokenizer.language == "ron":
            text = text.replace("ț", "ţ")
        return text

    def _letter(self, letter: str) -> str:
        """A letter in the case and spelling that the vocabulary has."""
        if letter in self.vocabulary:
            return letter
        lower = letter.lower()
        if lower in _APOSTROPHES and "'" in self.vocabulary:
            return "'"
        parts = unicodedata.normalize("NFD", lower)
        split = lower not in self.vocabulary and all(part in self.vocabulary for part in parts)
        return parts if split else lower

    def _halved(self, spelled: str) -> str | None:
        """The first word with a digit that the vocabulary lacks."""
        words = (word for word in spelled.split() if any(c.isdecimal() and c not in self.vocabulary for c in word))
        return next(words, None)
