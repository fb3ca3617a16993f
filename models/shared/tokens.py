"""Tokens of utterances, on the CPU worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import InvalidText


def with_blanks(tokens: Sequence[int], blank: int = 0) -> list[int]:
    """The tokens with a ``blank`` before, between and after them."""
    spread = [blank] * (2 * len(tokens) + 1)
    spread[1::2] = tokens
    return spread


def symbols_of(tokens: Sequence[int], names: Mapping[int, str], *, blanks: bool) -> list[str]:
    """What each token stands for, an empty string for one without a name. ``blanks``: they are ``with_blanks``, whose
    id may also be that of a symbol."""
    return ["" if blanks and number % 2 == 0 else names.get(token, "") for number, token in enumerate(tokens)]


def check_length(tokens: Sequence[object], most: int) -> None:
    """Raises `core.errors.InvalidText` (``text_too_long``) for more than ``most`` tokens."""
    if len(tokens) > most:
        detail = f"The utterance has {len(tokens)} tokens; the maximum is {most}."
        raise InvalidText(detail, code="text_too_long")
