"""The speakers of models that have several."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import ConfigurationError, InvalidRequest
from models.base import ModelSpec


def speaker_number(spec: ModelSpec, voice: str, named: Mapping[str, int], count: int) -> int:
    """The number of a voice of ``models.yaml``, or of a speaker that the model's configuration has ``named``; there are
    ``count`` of them.

    Raises `core.errors.InvalidRequest` for an unknown voice, `core.errors.ConfigurationError` for a number too high."""
    if voice in spec.voices:
        speaker = spec.voices[voice].speaker
    elif voice in named:
        speaker = named[voice]
    else:
        raise InvalidRequest(f"{spec.name} has no voice {voice!r}.", code="unknown_voice")
    if not 0 <= speaker < count:
        raise ConfigurationError(f"{spec.name} has {count} speakers and none with number {speaker}.")
    return speaker
