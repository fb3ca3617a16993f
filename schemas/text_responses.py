"""The shapes of responses about texts: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field

from schemas.responses import Failure, TextWarning
from schemas.shapes import Count, Seconds, Shape


class PreviewedUtterance(Shape):
    """One utterance as it would be spoken."""

    text: Annotated[str, Field(description="As written, cleaned")]
    spoken: Annotated[
        str,
        Field(description="The words that are spoken; IPA of markup, lexicons and foreign words is between slashes"),
    ]
    phonemes: Annotated[str | None, Field(description="As the model gets them; null if it takes none")]
    chapter: Annotated[Count, Field(description="Index in `chapters`; 0 for a text")]
    start: Annotated[Count, Field(description="In characters of the chapter or text as it was sent")]
    end: Count
    pause: Annotated[Seconds, Field(description="Seconds of silence after it")]
    seconds: Annotated[Seconds, Field(description="Expected duration without the pause; 0 if unknown")]
    error: NotRequired[Annotated[Failure, Field(description="Only if it cannot be spoken")]]


class TextPreview(Shape):
    """What would be spoken of a text."""

    pipeline: str
    model: Annotated[str, Field(description="The synthesizer")]
    voice: Annotated[str | None, Field(description="null if the voice comes from a reference")]
    language: str | None
    characters: Annotated[Count, Field(description="Of the text without its markup")]
    seconds: Annotated[Seconds, Field(description="Expected duration of the audio, with its pauses")]
    utterances: list[PreviewedUtterance]
    warnings: Annotated[list[TextWarning], Field(description="As in a job")]
