"""``/dev/captioned_speech``: Kokoro-FastAPI's speech with the times of its words."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from flask import Blueprint, Response

from api.context import ceiling, context, owner
from api.http.downloads import send
from api.http.json_body import read_json
from api.http.prefer import waiting_place
from api.openapi.operation import ResponseSpec, operation
from api.routes.jobs import submit
from api.speech.job import format_of, job_body, rate_of, speech_fields
from api.speech.reply import Speech
from api.streaming.audio import Wanted
from api.streaming.streams import client_reader
from api.transcription.captions import find_aligner, stated_times, word_times
from audio.formats import output_rate
from audio.streaming import StreamFormat
from core import ids
from core.errors import Conflict, DeadlineExceeded, LedgerUnavailable, NotFound
from core.names import Timestamps
from schemas.transcription.captioned import CaptionedSpeech, CaptionedSpeechRequest, WordTimestamp
from storage.ledger.registry import live_stations
from text.captions.alignment import TimedWord

routes = Blueprint("captioned", __name__, url_prefix="/dev")

#: Media types as Kokoro-FastAPI writes them.
_TYPES = {StreamFormat.MP3: "audio/mpeg"}


@routes.post("/captioned_speech")
@operation(
    "createCaptionedSpeech",
    {200: ResponseSpec(CaptionedSpeech, headers=("Chorus-Job",))},
    body=CaptionedSpeechRequest,
    pipeline="transcribe",
    errors=(NotFound, Conflict, DeadlineExceeded),
)
def captioned_speech() -> Response:
    """Speak a text and say when each word is said, as Kokoro-FastAPI does. If the model that speaks gives no durations,
    a second job transcribes the audio, and its words are aligned to those of the text. A client that disconnects
    cancels both."""
    body = read_json()
    with speech_fields():
        asked = CaptionedSpeechRequest.model_validate(body)
    place = waiting_place()
    try:
        return _answer(asked)
    finally:
        place.leave()


def _answer(asked: CaptionedSpeechRequest) -> Response:
    ctx, live = context(), live_stations(context().redis)
    most = min(ceiling() or ctx.settings.max_expires_in, ctx.settings.max_expires_in)
    with speech_fields():
        body = job_body(asked, ctx, owner(), live, most)
        if asked.return_timestamps:
            body["output"] |= {"timestamps": Timestamps.WORD}
        job = submit(body, {}, ids.JOB.new(), live=live)
    kind = format_of(asked)
    rate = output_rate(kind.as_file, ctx.catalog.sample_rate(job.plan) or 0, rate_of(asked))
    speech = Speech(ctx, job, Wanted(kind, rate), own=True)
    try:
        speech.fetch(client_reader())
        words = _words(job.id, asked.input, live) if asked.return_timestamps else ()
        media = _TYPES.get(kind, f"audio/{kind.value}")
        answer = send(
            lambda: _line(speech.file(), media, words),
            None,
            content_type="application/json",
            headers={"Chorus-Job": job.id},
        )
    except BaseException:
        speech.close()
        raise
    answer.call_on_close(speech.close)
    return answer


def _words(job_id: str, text: str, live: Collection[str]) -> Sequence[TimedWord]:
    """When each word of ``text`` is said in the audio of a job that has succeeded."""
    done = context().ledger.get(job_id)
    if done is None:
        raise LedgerUnavailable
    words = stated_times(done, text)
    return words or word_times(done, text, find_aligner(live, done.document.language))


def _line(audio: Iterable[bytes], media: str, words: Sequence[TimedWord]) -> Iterator[bytes]:
    """The response, while its audio is read: one line of JSON."""
    stamps = [WordTimestamp(word=one.word, start_time=round(one.start, 3), end_time=round(one.end, 3)) for one in words]
    shape = CaptionedSpeech(audio="", audio_format=media, timestamps=stamps)
    start, end = json.dumps(shape).encode().split(b'""', 1)
    yield start + b'"'
    left = b""
    for chunk in audio:
        left += chunk
        whole = len(left) // 3 * 3
        yield base64.b64encode(left[:whole])
        left = left[whole:]
    yield base64.b64encode(left) + b'"' + end + b"\n"
