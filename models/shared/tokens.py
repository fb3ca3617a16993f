"""Tokens of utterances, on the CPU worker."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidText


def with_blanks(tokens: Sequence[int], blank: int = 0) -> list[int]:
    """The tokens with a ``blank`` before, between and after them."""
    spread = [blank] * (2 * len(tokens) + 1)
    spread[1::2] = tokens
    return spread


def check_length(tokens: Sequence[object], most: int) -> None:
    """Raises `core.errors.InvalidText` (``text_too_long``) for more than ``most`` tokens."""
    if len(tokens) > most:
        detail = f"The utterance has {len(tokens)} tokens; the maximum is {most}."
        raise InvalidText(detail, code="text_too_long")
