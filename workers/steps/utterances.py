"""A job's text as what its model will get: utterances that fit the model, each with its inputs or its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from core.errors import InvalidText
from core.names import Markup, Role
from models.base import Frontend
from storage.ledger.documents import JobDocument
from text.marks import MarkedText, Style, inline_spans
from text.markup import parse
from text.reading import Manner, Portion, ReadUtterance, Rewriter, read_portion, said
from text.scripts import unreadable
from text.sounds.foreign import foreign_clauses, foreign_rewrites
from text.source import Rewrite, SourceText
from text.speakable import has_word
from text.utterances import Utterance, divide

#: Warnings that a job carries, and scripts that one of them names, at most.
MAX_WARNINGS = 20
MAX_SCRIPTS = 3

#: Where words are left out, in characters of the chapter as it was sent, and their scripts.
LeftOut: TypeAlias = tuple[int, int, Sequence[str]]

_UNWRITTEN = SourceText.of("")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance of the chapter numbered ``chapter`` (from 0), with its model's ``inputs``, or with an ``error``
    instead."""

    utterance: Utterance
    chapter: int
    inputs: Mapping[str, Any]
    error: InvalidText | None = None
    source: tuple[int, int] = (0, 0)  #: its place in the chapter as it was sent, in characters
    words: str = ""  #: as they are spoken
    options: Mapping[str, Any] = field(default_factory=dict)  #: its own, beside those of the job
    voice: str = ""  #: that speaks it
    written: SourceText = _UNWRITTEN
    phonemes: str | None = None  #: of a `Reader` that is ``phonetic``
    said: SourceText = _UNWRITTEN  #: the ``words``, with their source


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job's text is to be read on: a chapter, and a character of its text without markup."""

    chapter: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class SpokenPortion:
    """The utterances of a portion, the warnings about it, and where the next one begins: None at the end."""

    spoken: Sequence[Spoken]
    warnings: Sequence[dict[str, Any]]
    next: Place | None
    characters: int = 0  #: of its text


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a job's text for its model. ``voice``: the voice that speaks."""

    document: JobDocument
    voice: str
    frontend: Frontend
    lexicon: Rewriter | None = None
    phonetic: bool = False  #: whether it also gives the phonemes

    @property
    def language(self) -> str:
        """The language of the voice."""
        return self.document.language or ""

    @property
    def manner(self) -> Manner:
        """How the text is read, apart from the model."""
        document = self.document
        return Manner(
            language=self.language,
            limit=self.frontend.max_characters,
            normalize=document.normalize,
            clean=document.clean,
            emoji=document.emoji,
            lexicon=self.lexicon,
            readings=self.frontend.takes_phonemes,
        )

    def read(self, chapters: Sequence[str], place: Place) -> SpokenPortion:
        """The portion at ``place``. Every word of it is in the inputs of one utterance, or that utterance has an error,
        or a warning names the word: none is left out silently."""
        if place.chapter >= len(chapters):
            return SpokenPortion((), (), None)
        manner = self.manner
        chapter = marked(chapters[place.chapter], self.document.markup, self.language)
        portion = read_portion(chapter, place.at, manner)
        found: list[Spoken] = []
        left_out: list[LeftOut] = []
        for read in portion.utterances:
            parts = list(self._fitting(read, manner, place.chapter, left_out))
            found += parts
            if found:  # what is left out leaves its pause
                found[-1] = _with_pause(found[-1], max(found[-1].utterance.pause, read.utterance.pause))
        characters = (portion.next or len(chapters[place.chapter])) - place.at
        warnings = [_warning(place.chapter, *one) for one in _joined(chapters[place.chapter], left_out)]
        if not place.at:
            warnings += [_ignored(place.chapter, *one) for one in chapter.warnings]
        return SpokenPortion(found, warnings, _next(portion, place, len(chapters)), characters)

    def _fitting(self, read: ReadUtterance, manner: Manner, chapter: int, left_out: list[LeftOut]) -> Iterator[Spoken]:
        """The utterance, or its parts if the model cannot process it whole; parts without words are dropped."""
        written = read.written
        readable, silent = self._readable(written, read.style)
        words = said(readable, manner)
        options = self._options(read.style)
        inputs = self._inputs(words.text, read.style) if has_word(readable.text) else None
        if inputs is not None and self._too_long(inputs, options) and (parts := divide(read.text.text, read.utterance)):
            for part in parts:
                yield from self._fitting(replace(read, utterance=part), manner, chapter, left_out)
            return
        left_out += silent
        if inputs is None:
            return
        failed = isinstance(inputs, InvalidText)
        yield Spoken(
            utterance=read.utterance,
            chapter=chapter,
            inputs={} if isinstance(inputs, InvalidText) else inputs,
            error=inputs if isinstance(inputs, InvalidText) else None,
            source=read.source,
            words="" if failed else words.text,
            said=_UNWRITTEN if failed else words,
            options=options,
            voice=self._voice(read.style),
            written=written,
            phonemes=None if failed or not self.phonetic else self._phonemes(words.text, read.style),
        )

    def _readable(self, written: SourceText, style: Style | None) -> tuple[SourceText, list[LeftOut]]:
        """The text with foreign words in the sounds of the voice, and where it has words that are left out."""
        said_foreign: list[Rewrite] = []
        if not self.frontend.takes_phonemes:
            silent = unreadable(written.text, self.language)
        else:
            if style is not None and style.language is not None:
                written = written.rewritten(foreign_clauses(written.text, style.language, self.language))
            said_foreign, silent = foreign_rewrites(written.text, self.language)
        blanks = [Rewrite(stretch.start, stretch.end, " ") for stretch in silent]
        rewrites = sorted([*said_foreign, *blanks], key=lambda rewrite: rewrite.start)
        left_out: list[LeftOut] = [(*written.source(stretch.start, stretch.end), stretch.scripts) for stretch in silent]
        return written.rewritten(rewrites), left_out

    def _options(self, style: Style | None) -> dict[str, Any]:
        """The options of an utterance that differ from the job's: its speed, as far as the model can speak it."""
        speed = self.frontend.spec.options.get("speed")
        if style is None or style.speed is None or speed is None:
            return {}
        asked = float(self.document.options.get("speed", speed.default)) * style.speed
        return {"speed": min(max(asked, speed.minimum or asked), speed.maximum or asked)}

    def _inputs(self, text: str, style: Style | None) -> dict[str, Any] | InvalidText:
        if inline_spans(text) and not self.frontend.takes_phonemes:
            detail = "The model does not take phonemes, which markup or a lexicon gives."
            return InvalidText(detail, code="no_phonemes", step=Role.PREPARE.value)
        try:
            return self.frontend.inputs(text, self._voice(style), self.language)
        except InvalidText as error:
            error.step = Role.PREPARE.value
            return error

    def _phonemes(self, text: str, style: Style | None) -> str | None:
        return self.frontend.phonemes(text, self._voice(style), self.language)

    def _voice(self, style: Style | None) -> str:
        return self.voice if style is None or style.voice is None else style.voice

    def _too_long(self, inputs: dict[str, Any] | InvalidText, options: Mapping[str, Any]) -> bool:
        if isinstance(inputs, InvalidText):
            return inputs.code == "text_too_long"
        return self.frontend.seconds(inputs, {**self.document.options, **options}) > self.frontend.max_seconds


@lru_cache(maxsize=1)
def marked(chapter: str, markup: Markup, language: str) -> MarkedText:
    """A chapter without its markup, and what the markup says. Kept for the next portion of the chapter."""
    return parse(chapter, markup, language)


def read_all(reader: Reader, chapters: Sequence[str]) -> Iterator[SpokenPortion]:
    """All portions of a text in order."""
    place: Place | None = Place()
    while place is not None:
        portion = reader.read(chapters, place)
        yield portion
        place = portion.next


def spoken(reader: Reader, chapters: Sequence[str]) -> list[Spoken]:
    """All utterances of a text in order."""
    return [said for portion in read_all(reader, chapters) for said in portion.spoken]


def _next(portion: Portion, place: Place, chapters: int) -> Place | None:
    if portion.next is not None:
        return Place(place.chapter, portion.next)
    return Place(place.chapter + 1) if place.chapter + 1 < chapters else None


def _with_pause(spoken: Spoken, pause: float) -> Spoken:
    return replace(spoken, utterance=replace(spoken.utterance, pause=pause))


def _joined(chapter: str, left_out: Iterable[LeftOut]) -> Iterator[LeftOut]:
    """Stretches that are left out, as one where there is no word between them."""
    last: LeftOut | None = None
    for start, end, scripts in left_out:
        if last is None:
            last = start, end, scripts
        elif has_word(chapter[last[1] : start]):
            yield last
            last = start, end, scripts
        else:
            last = last[0], end, tuple(dict.fromkeys((*last[2], *scripts)))
    if last is not None:
        yield last


def _ignored(chapter: int, start: int, end: int, message: str) -> dict[str, Any]:
    """The warning about markup that has no effect."""
    return {"code": "ignored_markup", "message": message, "chapter": chapter, "start": start, "end": end}


def _warning(chapter: int, start: int, end: int, scripts: Sequence[str]) -> dict[str, Any]:
    """The warning about words that are left out because the voice cannot read their script."""
    return {
        "code": "unspeakable_text",
        "message": f"The voice cannot read {', '.join(scripts[:MAX_SCRIPTS])}: left out.",
        "chapter": chapter,
        "start": start,
        "end": end,
    }
