"""Text to the token ids of a Piper voice, on the CPU worker."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from core.errors import InvalidText
from models.base import Frontend
from models.piper.config import VoiceConfig, read_config
from models.shared.speakers import speaker_number
from models.shared.tokens import check_length, symbols_of
from models.vits.rows import MAX_TOKENS
from text.letters import plain_letters
from text.marks import inline_spans
from text.phonemes import is_sound, phonemize, unheard

#: As fast as a voice speaks with a ``length_scale`` of 1, pads counted.
TOKENS_PER_SECOND = 40.0
_NOISE_W = 0.8  #: up to which the rhythm's noise lengthens nothing; 2.0 doubles it

_START, _END, _PAD = "^", "$", "_"
#: The marks in Piper's training data, which consists of espeak-ng's clauses.
_MARKS = str.maketrans({"…": ".", "—": ",", **dict.fromkeys('¡¿«»“”„"()[]{}', None)})


class PiperFrontend(Frontend):
    """Phonemes of espeak-ng, or the text itself, as ids with a pad after each.

    Follows ``phonemes_to_ids`` of rhasspy/piper-phonemize (MIT): ``^ _ p _ p _ … $``, phonemes decomposed
    (NFD) and looked up code point by code point; those that the voice does not have are left out."""

    max_characters = 300

    @cached_property
    def config(self) -> VoiceConfig:
        return read_config(self.files("config"))

    @property
    def takes_phonemes(self) -> bool:
        """Unless the voice reads letters."""
        return self.config.phoneme_type != "text"

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int) and ``speaker`` (int). ``language`` changes nothing: a voice has its own.

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long,
        `core.errors.InvalidRequest` for an unknown voice."""
        speaker = speaker_number(self.spec, voice, self.config.speaker_id_map, self.config.num_speakers)
        ids = self.config.phoneme_id_map
        pad = ids.get(_PAD, (0,))
        tokens = [*ids.get(_START, ()), *pad]
        phonemes = self._phonemes(text)
        for phoneme in phonemes:
            if known := ids.get(phoneme):
                tokens += [*known, *pad]
        if not any(is_sound(phoneme) for phoneme in phonemes if phoneme in ids):
            raise InvalidText("The text contains nothing that the voice can speak.")
        if lost := unheard("".join(phonemes), ids):
            raise InvalidText(f"The voice has no sound for {lost!r}.")
        tokens += ids.get(_END, ())
        check_length(tokens, MAX_TOKENS)
        return {"tokens": tokens, "speaker": speaker}

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens, the voice's pace, ``speed`` and ``noise_w``, which lengthens what is above its default."""
        own = self.config.inference
        drawl = 1 + max(0.0, float(options.get("noise_w", own.noise_w)) - _NOISE_W) / 1.2
        pace = TOKENS_PER_SECOND * float(options.get("speed", 1.0)) / own.length_scale
        return len(inputs["tokens"]) / pace * drawl

    @cached_property
    def _names(self) -> dict[int, str]:
        control = (_START, _END, _PAD)
        return {
            number: phoneme
            for phoneme, numbers in self.config.phoneme_id_map.items()
            for number in numbers
            if phoneme not in control
        }

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The phonemes, one code point each."""
        return symbols_of(inputs["tokens"], self._names, blanks=False)

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """The IPA of espeak-ng, as far as the voice has its phonemes; None for a voice that reads letters."""
        if not self.takes_phonemes:
            return None
        known = (phoneme for phoneme in self._phonemes(text) if phoneme in self.config.phoneme_id_map)
        return unicodedata.normalize("NFC", "".join(known))

    @cached_property
    def _phonemes(self) -> Callable[[str], tuple[str, ...]]:
        """The phonemes of a text; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text: tuple(self._spelled(text)))

    def _spelled(self, text: str) -> Iterator[str]:
        """The phonemes of ``text``, one code point each, less those of Piper's control symbols."""
        if self.config.phoneme_type == "text":
            if inline_spans(text):
                raise InvalidText("The voice reads letters: it does not take phonemes.", code="no_phonemes")
            spelled = plain_letters(text, self.config.espeak.voice).casefold()
        else:
            spelled = phonemize(text, self.config.espeak.voice).translate(_MARKS)
        for phoneme in unicodedata.normalize("NFD", spelled):
            if phoneme not in (_START, _END, _PAD):
                yield from self.config.phoneme_map.get(phoneme, (phoneme,))
