"""``/v1/text/preview``: what would be spoken of a text.

The API neither loads models nor runs espeak-ng on what users send, so a preview is a CPU job that it waits for. Its
record is deleted before the response is sent; if this process dies before that, the record expires.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify

from api.context import context, owner
from api.http.json_body import read_json
from api.http.prefer import look_until_end, waiting_place
from api.openapi.operation import operation
from core.errors import Conflict, InternalError, InvalidRequest, LedgerUnavailable, Unavailable
from core.names import JobState
from core.work import CPU
from pipelines.previews import preview_of
from schemas.requests import TextPreviewRequest
from schemas.text_responses import TextPreview
from storage.ledger.records import Job, NewJob
from storage.ledger.registry import live_stations

routes = Blueprint("text", __name__, url_prefix="/v1/text")

#: Seconds that a response waits for the preview, and between two looks at it: the first ones, and the longest.
PATIENCE, PAUSE, LONGEST_PAUSE = 10.0, 0.02, 0.1

#: Seconds in ``Retry-After``.
_AGAIN = 5.0


@routes.post("/preview")
@operation("previewText", {200: TextPreview}, body=TextPreviewRequest, errors=(Conflict,))
def preview() -> Response:
    """Preview what would be spoken of a text, utterance by utterance: words, phonemes and expected seconds.
    Nothing is rendered, and no job is created."""
    new = preview_of(context(), TextPreviewRequest.model_validate(read_json()), owner())
    place = waiting_place()
    try:
        if CPU not in live_stations(context().redis):
            raise Unavailable("No CPU worker is running. Try again later.", code="no_cpu_worker", retry_after=_AGAIN)
        with _created(new) as job:
            found = _result(look_until_end(job, PATIENCE, PAUSE, LONGEST_PAUSE))
    finally:
        place.leave()
    document = new.document
    return jsonify(
        TextPreview(
            pipeline=document.pipeline,
            model=document.synthesizer or "",
            voice=document.voice,
            language=document.language,
            characters=document.characters,
            seconds=found["seconds"],
            utterances=found["utterances"],
            warnings=found["warnings"],
        )
    )


@contextlib.contextmanager
def _created(new: NewJob) -> Iterator[Job]:
    """The preview as a job of the ledger, which is deleted at the end, also while it runs."""
    ledger = context().ledger
    try:
        ledger.create(new)
        job = ledger.get(new.id)
        if job is None:
            raise LedgerUnavailable
        yield job
    finally:
        with contextlib.suppress(LedgerUnavailable):  # it expires
            ledger.delete_now(new.id)


def _result(job: Job) -> dict[str, Any]:
    """What a preview has found. Raises what kept it from that."""
    if not job.state.ended or (job.error and job.error["code"] == "deadline_exceeded"):
        detail = "The preview was not ready in time. Try again later, or with a shorter text."
        raise Unavailable(detail, code="preview_timeout", retry_after=_AGAIN)
    if job.state is not JobState.SUCCEEDED or job.result is None:
        code, message = (job.error["code"], job.error["message"]) if job.error else (None, None)
        raise InternalError(message, code=code)
    found = dict(job.result)
    if refused := found.get("refused"):
        raise InvalidRequest(refused["message"], code=refused["code"])
    return found
