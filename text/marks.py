"""What markup says of a text: how stretches of it are read, where it pauses, and who speaks.

All positions are in characters of the source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from text.source import SourceText

#: Around IPA that is written into a text in place of words, and between its words. `text.speakable.clean` removes
#: these private characters from what users send, so that only this module's functions write them.
_OPEN, _CLOSE, _GAP = "\ue000", "\ue001", "\ue002"
_INLINE = re.compile(f"{_OPEN}[^{_OPEN}{_CLOSE}]*{_CLOSE}")


@dataclass(frozen=True, slots=True)
class Reading:
    """The stretch from ``start`` to ``end`` is read as ``words``, or as the IPA phonemes ``ipa``."""

    start: int
    end: int
    words: str = ""
    ipa: str = ""

    @property
    def text(self) -> str:
        """What takes the place of the stretch in the text."""
        return inline(self.ipa) if self.ipa else self.words


@dataclass(frozen=True, slots=True)
class Break:
    """A pause of ``seconds`` at the character ``at``; 0 ends the utterance without one."""

    at: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Style:
    """How the stretch from ``start`` to ``end`` is spoken; None for what the job, or the style around it, says."""

    start: int
    end: int
    voice: str | None = None
    speed: float | None = None  #: a factor to that of the style around it, or to the job's own
    language: str | None = None  #: BCP 47
    emphasis: bool = False


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text without its markup, and what the markup said. Styles may be nested; the inner one comes later."""

    text: SourceText
    readings: Sequence[Reading] = ()
    breaks: Sequence[Break] = ()
    styles: Sequence[Style] = ()
    warnings: Sequence[tuple[int, int, str]] = ()  #: start, end and what of the markup there has no effect


def inline(ipa: str) -> str:
    """IPA phonemes, such as ``dʒˈoʊ``, as they are written into a text."""
    bare = ipa.translate({ord(_OPEN): None, ord(_CLOSE): None, ord(_GAP): None})
    return f"{_OPEN}{_GAP.join(bare.split())}{_CLOSE}"


def inline_parts(text: str) -> list[tuple[str, bool]]:
    """The parts of a text in order, without empty ones: each a text, or IPA phonemes (True)."""
    parts: list[tuple[str, bool]] = []
    for number, piece in enumerate(text.split(_OPEN)):
        ipa, closed, rest = piece.partition(_CLOSE)
        opened = number and closed
        if opened:
            parts.append((ipa.replace(_GAP, " "), True))
        if words := (rest if opened else piece).replace(_CLOSE, "").replace(_GAP, " "):
            parts.append((words, False))
    return parts


def inline_spans(text: str) -> list[tuple[int, int]]:
    """Where in ``text`` the inline phonemes are, with the characters around them."""
    return [found.span() for found in _INLINE.finditer(text)]
