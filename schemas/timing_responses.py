"""The shapes of times: what a result says of them, and the file itself."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field

from core.names import SubtitleFormat, TimingMethod
from schemas.shapes import Count, Seconds, Sha256, Shape, Url


class JobTimestamps(Shape):
    """When the utterances of a job, or its words too, are said: a file of `TimestampsFile`."""

    url: Annotated[Url, Field(description="A presigned link if clients can reach the storage, else /timestamps")]
    utterances: Count
    words: Annotated[Count | None, Field(description="null if only utterances have times")]
    method: Annotated[
        TimingMethod | None,
        Field(
            description="Where the times of words come from. durations: those that the model gave to its tokens;"
            " estimated: those of one utterance at least are shared out by the length of words"
        ),
    ]
    bytes: Count
    sha256: Sha256
    destination: NotRequired[str]


class JobSubtitles(Shape):
    """The subtitles of a job."""

    url: Annotated[Url, Field(description="A presigned link if clients can reach the storage, else /subtitles")]
    format: SubtitleFormat
    cues: Count
    method: Annotated[TimingMethod | None, Field(description="As of timestamps; null if nothing is said")]
    bytes: Count
    sha256: Sha256
    destination: NotRequired[str]


class TimedWord(Shape):
    """A word of the source text, with its punctuation."""

    start: Seconds
    end: Seconds
    word: str
    offset: Annotated[int, Field(ge=0, description="First character in the text, or in the chapter's text")]
    length: Annotated[int, Field(ge=1, description="Characters")]


class TimedUtterance(Shape):
    """An utterance; the pause behind it does not count."""

    start: Seconds
    end: Seconds
    text: Annotated[str, Field(description="As it was sent, without markup, with single spaces")]
    chapter: NotRequired[Annotated[int, Field(ge=0, description="From 0; only if the job has chapters")]]
    offset: Annotated[int, Field(ge=0, description="First character in the text, or in the chapter's text")]
    length: Annotated[int, Field(ge=0, description="Characters")]
    left_out: NotRequired[Annotated[bool, Field(description="true: it failed, and silence takes its place")]]
    method: NotRequired[TimingMethod | None]
    words: NotRequired[list[TimedWord]]


class TimestampsFile(Shape):
    """When the utterances of a job are said, and their words if the job wants these."""

    duration: Seconds
    method: TimingMethod | None
    utterances: list[TimedUtterance]
