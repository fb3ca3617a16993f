"""``/v1/jobs/{id}/utterances``: the files of single utterances, of jobs with ``output.utterances``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response

from api.context import context
from api.http.downloads import send
from api.job_views import views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import DOWNLOAD
from api.routes.jobs import AUDIO_FILES, find_job, result_of, send_object
from audio.formats import content_type
from core.errors import Conflict, NotFound, RangeNotSatisfiable
from core.names import AudioFormat, SampleEncoding
from storage.ledger.records import Job
from storage.objects.objects import Objects
from storage.objects.utterance_files import utterance_file, utterances_folder

routes = Blueprint("utterances", __name__, url_prefix="/v1/jobs")

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_LINES = {"type": "string", "contentMediaType": "application/x-ndjson", "description": "Each line an UtteranceFile"}
_CHUNK = 64 * 1024
_LINK_BYTES = 600  #: of a presigned link, about


@routes.get("/<job_id>/utterances")
@operation(
    "getJobUtterances",
    {200: ResponseSpec(text="One line per utterance, as JSON Lines.", media={"application/x-ndjson": _LINES})},
    errors=(Conflict,),
)
def manifest(job_id: str) -> Response:
    """Retrieve the manifest of a job with `output.utterances`: every utterance with its file, place and text, in
    order."""
    job = find_job(job_id)
    found = _files(job)
    shown = partial(views().utterance_file, job)
    size = found["bytes"] + _LINK_BYTES * found["count"]
    return send(partial(_lines, context().objects, found["object"], shown), size, content_type="application/x-ndjson")


@routes.get("/<job_id>/utterances/<utterance>")
@operation(
    "getJobUtterance",
    {
        200: ResponseSpec(text="The audio.", headers=("Accept-Ranges", "Content-Disposition"), media=AUDIO_FILES),
        206: ResponseSpec(
            text="The requested part.", headers=("ETag", "Accept-Ranges", "Content-Range"), media=AUDIO_FILES
        ),
        304: ResponseSpec(text="The audio is unchanged.", headers=("ETag",)),
    },
    parameters=DOWNLOAD,
    errors=(Conflict, RangeNotSatisfiable),
)
def audio(job_id: str, utterance: str) -> Response:
    """Download the audio of one utterance, whole or by ``Range``."""
    job = find_job(job_id)
    found = _files(job)
    kind = AudioFormat(found["format"])
    if not _INDEX.fullmatch(utterance):
        raise _no_utterance()
    file = utterance_file(int(utterance), kind.value)
    name = f"{utterances_folder(job.owner, job.id, job.generation)}{file}"
    info = context().objects.head(name)
    if info is None:
        raise _no_utterance()
    encoding = found.get("encoding") and SampleEncoding(found["encoding"])
    shape = {"object": name, "bytes": info.size, "sha256": info.etag.strip('"')}  # what identifies its content
    return send_object(shape, f"{job.id}-{file}", content_type(kind, found["sample_rate"], encoding))


def _files(job: Job) -> Mapping[str, Any]:
    """What the result says of the files. Raises as `result_of`."""
    return result_of(job, "utterances", missing="The job did not ask for a file of each utterance.", lacks="audio")


def _no_utterance() -> NotFound:
    return NotFound("There is no file of this utterance.", code="utterance_not_found")


def _lines(objects: Objects, name: str, show: Callable[[Mapping[str, Any]], Any]) -> Iterator[bytes]:
    """The lines of the stored manifest with their links, as they are read."""
    body, rest = objects.stream(name).body, b""
    while chunk := body.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        yield b"".join(json.dumps(show(json.loads(line)), ensure_ascii=False).encode() + b"\n" for line in whole)
