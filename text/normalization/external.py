"""Normalizers of other packages in place of our English rules: ``CHORUS_NORMALIZER`` chooses.

Their answer is a whole text. What differs from the text, word by word, becomes replacements, so that every word keeps
its place in the source.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from core.errors import ConfigurationError
from text.marks import inline_spans
from text.source import Rewrite

Ask = Callable[[str], str]

_PIECE = re.compile(r"\w+(?:['’]\w+)*|\s+|.", re.DOTALL)

#: Characters up to which a text is normalized at once: their time grows faster than the text.
_LONGEST = 2_000


def _wetext() -> Ask:
    from wetext import Normalizer

    return Normalizer(lang="en", operator="tn").normalize  # type: ignore[no-any-return]


def _nemo() -> Ask:
    from nemo_text_processing.text_normalization.normalize import Normalizer

    normalizer: Any = Normalizer(input_case="cased", lang="en")
    return lambda text: str(normalizer.normalize(text, punct_post_process=True))


def _kitten() -> Ask:
    from kitten_text_processing import normalize_text

    return lambda text: str(normalize_text(text))


_ENGINES: dict[str, tuple[Callable[[], Ask], str]] = {
    "wetext": (_wetext, "wetext"),
    "nemo": (_nemo, "nemo_text_processing"),
    "kitten": (_kitten, "kitten_text_processing"),
}


@lru_cache(maxsize=2)
def engine(name: str) -> Ask:
    """The normalizer ``name``, loaded once. Raises `core.errors.ConfigurationError` if its package is missing."""
    make, package = _ENGINES[name]
    try:
        return make()
    except ImportError as error:
        detail = f"CHORUS_NORMALIZER is {name}, but {package} cannot be imported: {error}. Install {package}."
        raise ConfigurationError(detail) from error


def rewrites(text: str, name: str) -> list[Rewrite]:
    """The replacements for an English text; none where the package fails, or for text with inline phonemes."""
    ask = engine(name)
    if len(text) > _LONGEST or inline_spans(text):
        return []
    try:
        said = ask(text)
    except Exception:
        return []
    return differences(text, said) if said.strip() else []


def differences(text: str, said: str) -> list[Rewrite]:
    """The replacements that make ``said`` of ``text``, but for white space and letter case."""
    before = [found for found in _PIECE.finditer(text) if not found[0].isspace()]
    after = [found[0] for found in _PIECE.finditer(said) if not found[0].isspace()]
    matcher = difflib.SequenceMatcher(None, [b[0].lower() for b in before], [a.lower() for a in after], autojunk=False)
    found: list[Rewrite] = []
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        words = " ".join(after[start:end])
        if first < last:
            found.append(Rewrite(before[first].start(), before[last - 1].end(), words))
        elif first:  # words that were put in: with the word before
            word = before[first - 1]
            if found and found[-1].end == word.end():
                found[-1] = Rewrite(found[-1].start, word.end(), f"{found[-1].text} {words}")
            else:
                found.append(Rewrite(word.start(), word.end(), f"{word[0]} {words}"))
        elif before:
            word = before[0]
            found.append(Rewrite(word.start(), word.end(), f"{words} {word[0]}"))
    return found
