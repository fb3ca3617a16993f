"""The text of a job, checked before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import FieldError, InvalidRequest, InvalidText
from models.base import ModelSpec
from models.catalog import voice_of
from schemas.requests import TextRequest
from text.marks import MarkedText
from text.markup import parse
from text.sounds.foreign import is_sayable
from text.speakable import has_word

#: Pauses of a job's markup together: seconds, and seconds for each character that is spoken besides. Text of that many
#: characters takes about half as long to speak.
MAX_SILENCE, SILENCE_PER_CHARACTER = 3600.0, 0.1


@dataclass(frozen=True, slots=True)
class JobText:
    """A job's text by chapter, each with ``title`` and ``text``; none where the job has no text."""

    field: str  #: of the request: ``text`` or ``chapters``
    chapters: Sequence[dict[str, str]] = ()
    marked: Sequence[MarkedText] = ()  #: of each chapter

    @property
    def characters(self) -> int:
        """Without markup."""
        return sum(len(marked.text) for marked in self.marked)

    def field_of(self, chapter: int) -> str:
        """The field of the request that holds a chapter's text."""
        return self.field if self.field == "text" else f"chapters.{chapter}.text"

    def check_language(self, language: str | None) -> None:
        """Raises `InvalidText` (``unspeakable_text``) where a voice of ``language`` can read none of it."""
        if language and self.marked and not any(is_sayable(part, language) for part in map(_heard, self.marked)):
            detail = f"A voice of {language} cannot read the script of this text."
            raise _wrong(self.field, "unspeakable_text", detail)

    def check_voices(self, spec: ModelSpec | None) -> None:
        """Raises `InvalidRequest` (``unknown_voice``) where markup names a voice that the model ``spec`` lacks."""
        for number, marked in enumerate(self.marked):
            for name in dict.fromkeys(style.voice for style in marked.styles if style.voice):
                if spec is not None and _has_voice(spec, name):
                    continue
                there = ", ".join(spec.voices) if spec else ""
                detail = f"The markup names the voice {name!r}, which is not available. Available: {there or 'none'}."
                raise InvalidRequest(
                    detail, code="unknown_voice", fields=[FieldError(self.field_of(number), "unknown_voice", detail)]
                )


def text_of(body: TextRequest, limit: int) -> JobText:
    """The text of a request, of at most ``limit`` characters, its markup included.

    Raises `InvalidText`: ``two_texts``, ``text_too_long``, ``invalid_markup``, ``empty_text`` or ``no_words``."""
    if body.text is not None and body.chapters is not None:
        raise _wrong("chapters", "two_texts", "Send either text or chapters, not both.")
    if body.chapters:
        found = JobText("chapters", [{"title": c.title, "text": c.text} for c in body.chapters])
    elif body.text is None and body.chapters is None:
        return JobText("text")
    else:
        found = JobText("text", [{"title": "", "text": body.text or ""}])
    size = sum(len(chapter["text"]) for chapter in found.chapters)
    if size > limit:
        raise _wrong(found.field, "text_too_long", f"The text has {size} characters; the maximum is {limit}.")
    if not any(part["text"].strip() for part in found.chapters):
        raise _wrong(found.field, "empty_text", "The text is empty.")
    found = JobText(found.field, found.chapters, _marked(found, body))
    if not any(has_word(_heard(marked)) for marked in found.marked):
        raise _wrong(found.field, "no_words", "The text contains no words.")
    return found


def _marked(text: JobText, body: TextRequest) -> list[MarkedText]:
    marked: list[MarkedText] = []
    for number, chapter in enumerate(text.chapters):
        try:
            marked.append(parse(chapter["text"], body.markup, body.language or "en"))
        except InvalidText as error:
            raise _wrong(text.field_of(number), error.code, error.message) from error
    silence = sum(pause.seconds for one in marked for pause in one.breaks)
    most = MAX_SILENCE + SILENCE_PER_CHARACTER * sum(len(one.text) for one in marked)
    if silence > most:
        detail = f"The pauses last {silence:.0f} s together; the maximum for a text of this length is {most:.0f} s."
        raise _wrong(text.field, "invalid_markup", detail)
    return marked


def _heard(marked: MarkedText) -> str:
    """What may be spoken of a text: itself, and what markup reads instead of parts of it."""
    read = (reading.words or reading.ipa for reading in marked.readings)
    return "\n".join((marked.text.text, *read)) if marked.readings else marked.text.text


def _has_voice(spec: ModelSpec, name: str) -> bool:
    try:
        return voice_of(spec, name) is not None
    except InvalidRequest:  # a mix of what is none
        return False


def _wrong(field: str, code: str, detail: str) -> InvalidText:
    return InvalidText(detail, code=code, fields=[FieldError(field, code, detail)])
