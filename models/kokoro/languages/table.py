"""The languages of Kokoro. Imports no library of theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.errors import InvalidRequest
from models.kokoro.languages import espeak, japanese, mandarin

#: By BCP 47 tag, longest first: how a text becomes phonemes.
_READERS: dict[str, Callable[[str], str]] = {
    "en-gb": partial(espeak.spell, voice="en-gb"),
    "en": partial(espeak.spell, voice="en-us"),
    "es": partial(espeak.spell, voice="es"),
    "fr": partial(espeak.spell, voice="fr-fr"),
    "hi": partial(espeak.spell, voice="hi"),
    "it": partial(espeak.spell, voice="it"),
    "pt": partial(espeak.spell, voice="pt-br"),
    "ja": japanese.spell,
    "zh": mandarin.spell,
}


def reader_of(language: str, model: str) -> Callable[[str], str]:
    """What turns a text of ``language`` (BCP 47) into phonemes. Raises `core.errors.InvalidRequest`
    (``unknown_language``)."""
    tag = language.lower().replace("_", "-")
    for known, reader in _READERS.items():
        if tag == known or tag.startswith(f"{known}-"):
            return reader
    raise InvalidRequest(f"{model} does not speak {language[:40]!r}.", code="unknown_language")
