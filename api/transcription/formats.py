"""The result of a job of ``transcribe`` in the formats of OpenAI's transcripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask import Response, jsonify

from api.transcription.languages import language_name
from schemas.transcription.requests import TranscriptFormat, TranscriptionForm
from schemas.transcription.responses import DurationUsage, Transcription, TranscriptionSegment, VerboseTranscription
from text.captions.subtitles import Cue, srt, vtt

#: Media types of the formats that are no JSON.
CONTENT_TYPES = {
    TranscriptFormat.TEXT: "text/plain",
    TranscriptFormat.SRT: "application/x-subrip",
    TranscriptFormat.VTT: "text/vtt",
}


def answer(result: Mapping[str, Any], asked: TranscriptionForm) -> Response:
    """The response in the format that was asked for; ``result`` is that of the job."""
    transcript, kind = result["transcript"], asked.response_format
    if asked.stream:
        return Response(b"".join(_events(transcript)), content_type="text/event-stream")
    if kind is TranscriptFormat.JSON:
        return jsonify(Transcription(text=transcript["text"], usage=_usage(result)))
    if kind is TranscriptFormat.VERBOSE_JSON:
        return jsonify(_verbose(result, asked))
    if kind is TranscriptFormat.TEXT:
        text = f"{transcript['text']}\n"
    else:
        cues = [Cue(one["start"], one["end"], one["text"]) for one in transcript["segments"]]
        text = srt(cues) if kind is TranscriptFormat.SRT else vtt(cues)
    return Response(text, content_type=f"{CONTENT_TYPES[kind]}; charset=utf-8")


def _usage(result: Mapping[str, Any]) -> DurationUsage:
    return DurationUsage(type="duration", seconds=result["duration"])


def _verbose(result: Mapping[str, Any], asked: TranscriptionForm) -> VerboseTranscription:
    transcript = result["transcript"]
    found = VerboseTranscription(
        task="transcribe",
        language=language_name(transcript["language"]),
        duration=result["duration"],
        text=transcript["text"],
        usage=_usage(result),
    )
    if asked.segments:
        found["segments"] = [_segment(number, one) for number, one in enumerate(transcript["segments"])]
    if asked.words:
        found["words"] = [word for one in transcript["segments"] for word in one.get("words", ())]
    return found


def _segment(number: int, one: Mapping[str, Any]) -> TranscriptionSegment:
    shape = {"id": number, "start": one["start"], "end": one["end"], "text": f" {one['text']}"}
    return cast(TranscriptionSegment, {**shape, **one.get("decoding", {})})


def _events(transcript: Mapping[str, Any]) -> Iterable[bytes]:
    """A delta for each segment, which together are the text, and the whole at the end."""
    gap = ""
    for one in transcript["segments"]:
        yield _event({"type": "transcript.text.delta", "delta": gap + one["text"]})
        gap = " "
    yield _event({"type": "transcript.text.done", "text": transcript["text"]})


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
