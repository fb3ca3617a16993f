"""The shapes of transcripts as OpenAI's clients read them (openai-python, types/audio/transcription_verbose)."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from schemas.responses import Word
from schemas.shapes import Count, Seconds, Shape


class DurationUsage(Shape):
    """What the request took."""

    type: Literal["duration"]
    seconds: Seconds


class Transcription(Shape):
    """The text of a recording."""

    text: str
    usage: DurationUsage


class TranscriptionSegment(Shape):
    """A stretch of speech. Fields that only some models know are left out by the others."""

    id: Count
    start: Seconds
    end: Seconds
    text: Annotated[str, Field(description="With a space at its start, so that the texts can be joined")]
    seek: NotRequired[Annotated[Count, Field(description="Start of the decoded window, in hundredths of a second")]]
    tokens: NotRequired[list[int]]
    temperature: NotRequired[float]
    avg_logprob: NotRequired[float]
    compression_ratio: NotRequired[float]
    no_speech_prob: NotRequired[float]


class VerboseTranscription(Shape):
    """The text of a recording, with times."""

    task: Literal["transcribe"]
    language: Annotated[str, Field(description="English name in small letters")]
    duration: Seconds
    text: str
    segments: NotRequired[list[TranscriptionSegment]]
    words: NotRequired[list[Word]]
    usage: DurationUsage
