"""Languages as clients of OpenAI's speech API write them, as BCP 47."""

from __future__ import annotations

#: Kokoro's letters (Kokoro-FastAPI's ``lang_code``).
_LETTERS = {
    **{"a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "h": "hi"},
    **{"i": "it", "j": "ja", "p": "pt-BR", "z": "zh"},
}

#: English names (vLLM-Omni's ``language``).
_NAMES = {
    **{"chinese": "zh", "english": "en", "japanese": "ja", "korean": "ko", "german": "de", "french": "fr"},
    **{"russian": "ru", "portuguese": "pt", "spanish": "es", "italian": "it", "hindi": "hi"},
}


def language_of(written: str | None) -> str | None:
    """The tag that a client means; None where it leaves the language to the voice (``Auto``)."""
    if written is None or written.lower() == "auto":
        return None
    known = _LETTERS | _NAMES
    return known.get(written.lower(), written)
