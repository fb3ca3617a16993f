"""Text to the simulated model's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import InvalidText
from models.base import Frontend

#: Of tone.
SECONDS_PER_TOKEN = 0.01


class SimulatedFrontend(Frontend):
    """One token a character."""

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        if not text.strip():
            raise InvalidText
        return {"tokens": list(text.encode()[:500]), "voice": voice}

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The characters, if they are ASCII."""
        return [chr(token) for token in inputs["tokens"]]

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        return SECONDS_PER_TOKEN * len(inputs["tokens"])
