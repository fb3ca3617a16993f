"""When each word of a job's speech is said: from the durations of its model, or from another job that transcribes it,
whose words are aligned to the text."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import FileStorage

from api.context import ceiling, context
from api.routes.jobs import submit
from api.transcription.waiting import PATIENCE, result_when_done
from core import ids
from core.errors import FieldError, InvalidAudio, InvalidRequest, Unavailable
from core.names import Priority, Role, TimingMethod
from models.base import ModelSpec
from pipelines.candidates import candidates
from pipelines.definitions import Pipeline, StepData
from pipelines.plan import understands
from storage.ledger.records import Job
from text.captions.alignment import TimedWord, align

#: Seconds that the job that transcribes is kept.
KEPT = 3600

#: Option of a model that says when each word is said.
WORDS = "words"


@dataclass(frozen=True, slots=True)
class Aligner:
    """A model that is served and says when words are said, and a pipeline that it transcribes in."""

    pipeline: Pipeline
    spec: ModelSpec


def find_aligner(live: Collection[str], language: str | None = None) -> Aligner:
    """An aligner that understands a language. ``live``: the stations that workers serve.

    Raises `InvalidRequest` (``no_alignment_model``) if the catalog has none, `Unavailable` (the same) if workers serve
    none."""
    found = [one for one in _aligners() if language is None or understands(one.spec, language)]
    if not found:
        what = f" in {language!r}" if language else ""
        detail = f"No model in the catalog says when words are said{what}. Send return_timestamps: false."
        fields = [FieldError("return_timestamps", "no_alignment_model", detail)]
        raise InvalidRequest(detail, code="no_alignment_model", fields=fields)
    served = [one for one in found if one.spec.name in live]
    if not served:
        names = " or ".join(dict.fromkeys(one.spec.name for one in found))
        detail = f"Times of words need a worker that serves {names}. Start one, or send return_timestamps: false."
        raise Unavailable(detail, code="no_alignment_model")
    return served[0]


def _aligners() -> list[Aligner]:
    ctx = context()
    return [
        Aligner(pipeline, spec)
        for pipeline in ctx.openai_names.pipelines.values()
        if pipeline.gives is StepData.TRANSCRIPT
        for step in pipeline.steps
        if step.role is Role.TRANSCRIBE
        for spec in candidates(step, ctx.catalog)
        if WORDS in spec.options
    ]


def stated_times(job: Job, text: str) -> list[TimedWord]:
    """When each word of ``text`` is said in the audio of ``job``, as its timestamps have it; none if they do not follow
    from the durations of its model. What is not said, such as a dash, takes the time that the words beside it leave."""
    result = job.result or {}
    stated = result.get("timestamps")
    if not stated or stated["method"] != TimingMethod.DURATIONS:
        return []
    utterances = json.loads(context().objects.get(stated["object"]))["utterances"]
    words = [TimedWord(one["start"], one["end"], one["word"]) for said in utterances for one in said["words"]]
    return align(text, words, float(result["audio"]["duration"]))


def word_times(job: Job, text: str, aligner: Aligner) -> list[TimedWord]:
    """When each word of ``text`` is said in the audio of ``job``, which has succeeded.

    Raises what the job that transcribes raises."""
    audio = (job.result or {})["audio"]
    with tempfile.TemporaryFile(prefix="chorus-") as file:
        shutil.copyfileobj(context().objects.stream(audio["object"]).body, file, 1 << 20)
        file.seek(0)
        heard = _heard(FileStorage(file, "speech"), job, aligner)
    return align(text, heard, float(audio["duration"]))


def _heard(file: FileStorage, job: Job, aligner: Aligner) -> list[TimedWord]:
    body: dict[str, Any] = {
        "pipeline": aligner.pipeline.name,
        "models": {Role.TRANSCRIBE.value: aligner.spec.name},
        "language": job.document.language,
        "options": {WORDS: True},
        "priority": Priority.INTERACTIVE.value,
        "metadata": {"captions_of": job.id},
        "deadline": PATIENCE,
        "expires_in": min(KEPT, ceiling() or KEPT),
    }
    try:
        hearing = submit(body, {"recording": file}, ids.JOB.new())
    except InvalidAudio as error:
        if error.code == "audio_too_short":
            return []  # shorter than any word that could be heard
        raise
    segments = result_when_done(hearing)["transcript"]["segments"]
    return [TimedWord(w["start"], w["end"], w["word"]) for one in segments for w in one.get("words", ())]
