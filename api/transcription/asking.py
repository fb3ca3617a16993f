"""From the form of a transcription to the job that does it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from flask import request

from api.context import ceiling, context
from api.http.forms import no_such_file
from api.transcription.waiting import PATIENCE
from core.errors import FieldError, InvalidRequest, Malformed, RequestError, Unavailable
from core.names import Priority, Role
from core.work import CPU
from models.base import ModelSpec
from pipelines.candidates import candidates
from pipelines.openai_names import Target
from pipelines.plan import understands
from pipelines.submission import NO_WORKER_RETRY
from schemas.transcription.requests import LISTS, TranscriptFormat, TranscriptionForm

#: Seconds that the job is kept.
KEPT = 3600

#: Fields of a job, and those of this form that they come from.
_FIELDS = {"recording": "file", "models.transcribe": "model"}


def read_form() -> TranscriptionForm:
    """The fields and the file of the present request. Raises `Malformed`, `InvalidRequest`."""
    if request.mimetype != "multipart/form-data":
        raise Malformed("Send the recording as multipart/form-data.", code="unsupported_media_type")
    fields: dict[str, Any] = {}
    for name, files in request.files.lists():
        if name != "file" or len(files) > 1:
            raise no_such_file(name)
        fields[name] = files[0]
    for name, values in request.form.lists():
        if name in fields or (len(values) > 1 and name not in LISTS):
            raise refused(name[:100], "invalid_value", "The field is there twice.")
        fields[name] = values if name in LISTS else values[0]
    asked = TranscriptionForm.model_validate(fields)
    if asked.words and asked.response_format is not TranscriptFormat.VERBOSE_JSON:
        raise refused("timestamp_granularities[]", "unsupported", "Words have times in verbose_json only.")
    if asked.stream and asked.response_format not in (TranscriptFormat.JSON, TranscriptFormat.TEXT):
        raise refused("stream", "unsupported", f"{asked.response_format.value} cannot be streamed.")
    return asked


def choose_model(target: Target, language: str | None, live: Collection[str]) -> ModelSpec:
    """The model that transcribes: of those that are served, the first that understands the language.

    ``live``: the stations that workers serve. Raises `Unavailable` (``no_worker``) if they do not serve it."""
    step = next(step for step in target.pipeline.steps if step.role is Role.TRANSCRIBE)
    named = target.models.get(Role.TRANSCRIBE)
    specs = [spec for spec in candidates(step, context().catalog) if named in (None, spec.name)]
    served = [spec for spec in specs if spec.name in live]
    if not served or CPU not in live:
        what = "the CPU's steps" if served else " or ".join(spec.name for spec in specs)
        raise Unavailable(f"No worker serves {what} at the moment.", code="no_worker", retry_after=NO_WORKER_RETRY)
    return next((spec for spec in served if language is None or understands(spec, language)), served[0])


def job_of(asked: TranscriptionForm, pipeline: str, spec: ModelSpec) -> dict[str, Any]:
    """The body of the job, without its recording. Raises `InvalidRequest` for a field that the model has no option
    for."""
    return {
        "pipeline": pipeline,
        "models": {Role.TRANSCRIBE.value: spec.name},
        "language": asked.language,
        "options": _options(asked, spec),
        "priority": Priority.INTERACTIVE.value,
        "deadline": PATIENCE,
        "expires_in": min(KEPT, ceiling() or KEPT),
    }


def _options(asked: TranscriptionForm, spec: ModelSpec) -> dict[str, Any]:
    hotwords = ", ".join(part for part in (asked.hotwords.strip(), *asked.keywords) if part)
    wanted = (
        ("timestamp_granularities[]", "words", asked.words),
        ("prompt", "prompt", asked.prompt[-_longest(spec, "prompt") :]),
        ("hotwords", "hotwords", hotwords[: _longest(spec, "hotwords")]),
    )
    options: dict[str, Any] = {}
    for field, option, value in wanted:
        if value and option not in spec.options:
            raise refused(field, "unsupported", f"The model {spec.name} does not support this.")
        if value:
            options[option] = value
    if asked.response_format is TranscriptFormat.VERBOSE_JSON and asked.segments and "decoding" in spec.options:
        options["decoding"] = True
    return options


def _longest(spec: ModelSpec, option: str) -> int:
    """The characters that a model reads of an option: OpenAI's clients may send more, and expect no error."""
    return int(spec.options[option].maximum or 0) if option in spec.options else 1


@contextlib.contextmanager
def fields_of_the_form() -> Iterator[None]:
    """Name the form's own fields in errors of the job that is made of it."""
    try:
        yield
    except RequestError as error:
        error.fields = tuple(FieldError(_FIELDS.get(f.field, f.field), f.code, f.detail) for f in error.fields)
        raise


def refused(field: str, code: str, detail: str) -> InvalidRequest:
    """The error of one field."""
    return InvalidRequest(f"{field}: {detail}", code=code, fields=[FieldError(field, code, detail)])
