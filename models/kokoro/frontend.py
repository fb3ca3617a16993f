"""Text to Kokoro's token ids, on the CPU worker."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidRequest, InvalidText
from models.base import Frontend
from models.kokoro import MAX_TOKENS, parse_voice, written_voice
from models.shared.files import read_json
from models.shared.tokens import check_length
from text.phonemes import is_sound, phonemize, unheard

#: What the voices take, on average: seconds for each utterance, and for each of its tokens.
UTTERANCE_SECONDS, TOKEN_SECONDS = 0.75, 0.066

#: espeak-ng's symbols to those that Kokoro was trained on (hexgrad/misaki, Apache-2.0, ``espeak.py``), longer
#: ones first.
_SYMBOLS = (
    ("ɜːɹ", "ɜɹ"),
    ("aɪ", "I"),
    ("eɪ", "A"),
    ("oʊ", "O"),
    ("aʊ", "W"),
    ("ɔɪ", "Y"),
    ("dʒ", "ʤ"),
    ("tʃ", "ʧ"),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("ɐ", "ə"),
    ("x", "k"),
    ("ɬ", "l"),
    ("ː", ""),
    ("e", "A"),
    ("o", "ɔ"),
    ("ɾ", "T"),
    ("ʔ", "t"),
)
#: Marks that the vocabulary lacks, as those that it has.
_MARKS = str.maketrans({"¡": None, "¿": None, "«": "“", "»": "”", "„": "“", "[": "(", "]": ")", "{": "(", "}": ")"})


class _Vocabulary(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    vocab: dict[Annotated[str, Field(min_length=1, max_length=1)], Annotated[int, Field(ge=1, le=100_000)]]


class KokoroFrontend(Frontend):
    """Phonemes of espeak-ng in Kokoro's spelling, as ids; the pads at both ends are the model's to add."""

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
        ``text_too_long``), `core.errors.InvalidRequest` for a voice or mix that is none."""
        weights = parse_voice(voice, self.spec.voices)
        if not language.lower().replace("_", "-").startswith("en"):
            raise InvalidRequest(f"{self.spec.name} does not speak {language[:40]!r}.", code="unknown_language")
        spelled = self._spelled(text)
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

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """The symbols of Kokoro's vocabulary, in its spelling of American English."""
        return "".join(symbol for symbol in self._spelled(text) if symbol in self.vocabulary)

    @cached_property
    def _spelled(self) -> Callable[[str], str]:
        """The phonemes of a text in Kokoro's spelling; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text: kokoro_phonemes(phonemize(text, "en-us")))


def kokoro_phonemes(ipa: str) -> str:
    """espeak-ng's American English phonemes in Kokoro's spelling: one symbol for each diphthong and affricate,
    no length marks."""
    spelled = unicodedata.normalize("NFC", ipa).translate(_MARKS)
    for theirs, ours in _SYMBOLS:
        spelled = spelled.replace(theirs, ours)
    return spelled


def read_vocabulary(path: Path) -> dict[str, int]:
    """Phoneme to id, from a ``{"vocab": {...}}``. Raises `core.errors.WeightsError`."""
    return read_json(path, _Vocabulary, "a Kokoro vocabulary").vocab
