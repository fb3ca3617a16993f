"""Streams of a running job: its audio (``/audio?stream=1``) and its events (``/events``)."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, current_app, request

from api.context import context
from api.http.query import invalid
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import LAST_EVENT_ID
from api.routes.jobs import find_job
from api.streaming.audio import Wanted, finished_audio, follow_audio, is_streamed_as
from api.streaming.events import follow_events, is_told, read_event_id
from api.streaming.streams import open_stream
from audio.formats import check_rate, output_rate
from audio.streaming import StreamFormat, content_type
from core.errors import Conflict, InvalidRequest, NotFound
from core.names import JobState
from storage.ledger.records import Job

routes = Blueprint("job_streams", __name__, url_prefix="/v1/jobs")


@routes.get("/<job_id>/events")
@operation(
    "streamJobEvents",
    {
        200: ResponseSpec(text="Server-sent events until the end of the job.", media={"text/event-stream": {}}),
        204: ResponseSpec(text="There are no events after `Last-Event-ID`: it was the job's last."),
    },
    parameters=(LAST_EVENT_ID,),
    errors=(InvalidRequest,),
)
def events(job_id: str) -> Response:
    """Stream the events of a job, from the first or from the one after ``Last-Event-ID``."""
    job = find_job(job_id)
    last = read_event_id(job, request.headers.get("Last-Event-ID", "").strip())
    if is_told(job, last):
        return Response(status=204)
    requested = partial(current_app.request_context, request.environ)
    return open_stream(partial(follow_events, context(), requested, job, last), "text/event-stream", {})


def stream_audio(job: Job) -> Response:
    """Stream a job's audio in order, each utterance when it is rendered; after the job's end, from its file.

    Raises `NotFound` (``no_audio``), `Conflict` (``job_failed`` and so on), `InvalidRequest`."""
    ctx = context()
    speaks = any(step.each for step in job.plan.steps)
    if not speaks or (job.state is JobState.SUCCEEDED and not (job.result or {}).get("audio")):
        raise NotFound("This job's result is not audio.", code="no_audio")
    if job.state.ended and job.state is not JobState.SUCCEEDED:
        raise Conflict(f"The job is {job.state.value} and has no audio.", code=f"job_{job.state.value}")
    audio = (job.result or {}).get("audio")
    kind = _format(job)
    wanted = Wanted(kind, _rate(job, kind))
    source = int(audio["sample_rate"]) if audio else ctx.catalog.sample_rate(job.plan)
    rate = output_rate(kind.as_file, source or 0, wanted.rate)
    if kind is StreamFormat.PCM:
        wanted = Wanted(kind, rate)  # what its type says stays so, even where the job finds another voice
    loudness = job.document.output.loudness if audio else None
    headers = {
        "Accept-Ranges": "none",
        "Chorus-Loudness": "none" if loudness is None else f"{loudness:g} LUFS",
        "Content-Disposition": f'inline; filename="{job.id}.{kind.value}"',
    }
    if audio and is_streamed_as(audio, kind):
        headers["Content-Length"] = str(audio["bytes"])
    make = partial(finished_audio if audio else follow_audio, ctx, job, wanted)
    return open_stream(make, content_type(kind, rate), headers)


def _format(job: Job) -> StreamFormat:
    """The query's format, else the job's own if it can be streamed, else WAV."""
    names = [kind.value for kind in StreamFormat]
    given = request.args.get("format")
    if given is None:
        own = job.document.output.format.value
        return StreamFormat(own) if own in names else StreamFormat.WAV
    if given not in names:
        raise invalid("format", "invalid_value", f"The value must be one of {', '.join(names)}.")
    return StreamFormat(given)


def _rate(job: Job, kind: StreamFormat) -> int | None:
    """The job's sample rate in Hz, if ``kind`` supports it."""
    rate: int | None = job.document.output.sample_rate
    try:
        if rate is not None:
            check_rate(kind.as_file, rate)
    except InvalidRequest:
        return None
    return rate
