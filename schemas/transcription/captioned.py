"""The shapes of ``POST /dev/captioned_speech``: those of Kokoro-FastAPI (README; ``structures/schemas.py``).

The request is that of ``/v1/audio/speech`` with a switch for timestamps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.requests import Flag, only
from schemas.shapes import Seconds, Shape
from schemas.speech_requests import SpeechRequest

#: Characters of a text: the whole response is made before it is sent.
MAX_CHARACTERS = 10_000


class CaptionedSpeechRequest(SpeechRequest):
    """A text to speak, with the times of its words. ``input`` is required."""

    input: str = Field(description="The text", max_length=MAX_CHARACTERS, json_schema_extra={"minLength": 1})
    stream: Flag = Field(True, description="Has no effect: the response is one line of JSON")
    return_timestamps: Flag = Field(True, description="false: `timestamps` is empty")
    stream_format: None = Field(None, description="Only null: the response is JSON")
    ssml: Annotated[Literal[False], only(False)] = Field(False, description="Only false")
    allow_voice_tags: Annotated[Literal[False], only(False)] = Field(False, description="Only false")


class WordTimestamp(Shape):
    """When a word is said."""

    word: Annotated[str, Field(description="With its punctuation")]
    start_time: Seconds
    end_time: Seconds


class CaptionedSpeech(Shape):
    """Speech, and when each word of it is said."""

    audio: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    audio_format: Annotated[str, Field(description="Media type of the audio")]
    timestamps: Annotated[list[WordTimestamp], Field(description="Every word of the text, in order")]
