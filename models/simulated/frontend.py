"""Text to the simulated model's tokens."""

from __future__ import annotations

from typing import Any

from core.errors import InvalidText
from models.base import Frontend


class SimulatedFrontend(Frontend):
    """One token a character."""

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        if not text.strip():
            raise InvalidText
        return {"tokens": list(text.encode()[:500]), "voice": voice}
