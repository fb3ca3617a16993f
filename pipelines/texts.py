"""The text of a job, checked before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import FieldError, InvalidText
from schemas.requests import JobRequest
from text.scripts import is_readable
from text.speakable import has_word


@dataclass(frozen=True, slots=True)
class JobText:
    """A job's text by chapter, each with ``title`` and ``text``; none where the job has no text."""

    field: str  #: of the request: ``text`` or ``chapters``
    chapters: Sequence[dict[str, str]] = ()

    @property
    def characters(self) -> int:
        return sum(len(chapter["text"]) for chapter in self.chapters)

    def check_language(self, language: str | None) -> None:
        """Raises `InvalidText` (``unspeakable_text``) where a voice of ``language`` can read none of it."""
        if language and self.chapters and not any(is_readable(part["text"], language) for part in self.chapters):
            detail = f"A voice of {language} cannot read the script of this text."
            raise _wrong(self.field, "unspeakable_text", detail)


def text_of(body: JobRequest, limit: int) -> JobText:
    """The text of a request, of at most ``limit`` characters.

    Raises `InvalidText`: ``two_texts``, ``text_too_long``, ``empty_text`` or ``no_words``."""
    if body.text is not None and body.chapters is not None:
        raise _wrong("chapters", "two_texts", "Send either text or chapters, not both.")
    if body.chapters:
        found = JobText("chapters", [{"title": c.title, "text": c.text} for c in body.chapters])
    elif body.text is None and body.chapters is None:
        return JobText("text")
    else:
        found = JobText("text", [{"title": "", "text": body.text or ""}])
    if found.characters > limit:
        detail = f"The text has {found.characters} characters; the maximum is {limit}."
        raise _wrong(found.field, "text_too_long", detail)
    if not any(part["text"].strip() for part in found.chapters):
        raise _wrong(found.field, "empty_text", "The text is empty.")
    if not any(has_word(part["text"]) for part in found.chapters):
        raise _wrong(found.field, "no_words", "The text contains no words.")
    return found


def _wrong(field: str, code: str, detail: str) -> InvalidText:
    return InvalidText(detail, code=code, fields=[FieldError(field, code, detail)])
