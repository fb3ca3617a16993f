"""Text to the token ids of a Piper voice, on the CPU worker."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from models.base import Frontend
from models.piper.config import MAX_TOKENS, VoiceConfig, read_config
from text.phonemes import phonemize

_START, _END, _PAD = "^", "$", "_"
#: Piper was trained on what espeak-ng makes of a clause: only these six marks occur there.
_MARKS = str.maketrans({"…": ".", "—": ",", **dict.fromkeys('¡¿«»“”„"()[]{}', None)})


class PiperFrontend(Frontend):
    """Phonemes of espeak-ng, or the text itself, as ids with a pad after each.

    Follows ``phonemes_to_ids`` of rhasspy/piper-phonemize (MIT): ``^ _ p _ p _ … $``, phonemes decomposed
    (NFD) and looked up code point by code point; those that the voice does not know are left out."""

    max_characters = 300

    @cached_property
    def config(self) -> VoiceConfig:
        return read_config(self.files("config"))

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens`` (list of int) and ``speaker`` (int). ``language`` changes nothing: a voice has its own.

        Raises `core.errors.InvalidText` where the voice can speak nothing of ``text`` or it is too long,
        `core.errors.InvalidRequest` for an unknown voice."""
        speaker = self._speaker(voice)
        ids = self.config.phoneme_id_map
        pad = ids.get(_PAD, (0,))
        tokens = [*ids.get(_START, ()), *pad]
        spoken = False
        for phoneme in self._phonemes(text):
            if known := ids.get(phoneme):
                tokens += [*known, *pad]
                spoken = spoken or _sounds(phoneme)
        if not spoken:
            raise InvalidText("there is nothing in this text that the voice can speak")
        tokens += ids.get(_END, ())
        if len(tokens) > MAX_TOKENS:
            raise InvalidText(f"this utterance has {len(tokens)} tokens of at most {MAX_TOKENS}", code="text_too_long")
        return {"tokens": tokens, "speaker": speaker}

    def _phonemes(self, text: str) -> Iterator[str]:
        """The phonemes of ``text``, one code point each, less those of Piper's control symbols."""
        if self.config.phoneme_type == "text":
            spelled = text.casefold()
        else:
            spelled = phonemize(text, self.config.espeak.voice).translate(_MARKS)
        for phoneme in unicodedata.normalize("NFD", spelled):
            if phoneme not in (_START, _END, _PAD):
                yield from self.config.phoneme_map.get(phoneme, (phoneme,))

    def _speaker(self, voice: str) -> int:
        """The number of a voice of ``models.yaml``, or of a speaker as the voice's configuration names it."""
        if voice in self.spec.voices:
            speaker = self.spec.voices[voice].speaker
        elif voice in self.config.speaker_id_map:
            speaker = self.config.speaker_id_map[voice]
        else:
            raise InvalidRequest(f"{self.spec.name} has no voice {voice!r}", code="unknown_voice")
        if not 0 <= speaker < self.config.num_speakers:
            raise ConfigurationError(f"{self.spec.name} has {self.config.num_speakers} speakers: no number {speaker}")
        return speaker


def _sounds(phoneme: str) -> bool:
    """Whether a phoneme is heard by itself: a letter or a digit, but no stress or length mark (Lm)."""
    return all(unicodedata.category(c) in {"Ll", "Lu", "Lt", "Lo", "Nd"} for c in phoneme)
