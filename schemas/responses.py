"""The shapes of responses: views build them, and the OpenAPI document describes them.

They are typed dictionaries. mypy checks that a view sets every key with the right type, Flask writes them as they
are, and pydantic derives their JSON Schema; nothing is validated while a request is served.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic reads this one on Python 3.11

from core import ids
from core.names import (
    AudioFormat,
    BatchState,
    JobState,
    Priority,
    Role,
    StepState,
    VoiceState,
)

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, in UTC")]
Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Hexadecimal")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, description="Seconds")]
Code = Annotated[str, Field(description="Stable: what a program decides by")]
Cursor = Annotated[str | None, Field(description="Cursor of the page behind this one")]


def _id(kind: ids.IdKind) -> Any:
    return Field(pattern=f"^{kind.pattern}$")


JobId = Annotated[str, _id(ids.JOB)]
BatchId = Annotated[str, _id(ids.BATCH)]
VoiceId = Annotated[str, _id(ids.VOICE)]
UploadId = Annotated[str, _id(ids.UPLOAD)]
WebhookId = Annotated[str, _id(ids.WEBHOOK)]


@with_config(ConfigDict(extra="forbid"))
class Shape(TypedDict):
    """Any JSON object of a response. It has no other fields than its class names."""


# -- errors


class FieldProblem(Shape):
    """What is wrong with one field of a request."""

    field: Annotated[str, Field(description="A dotted path, such as output.format")]
    code: str
    detail: str


class OpenAIError(Shape):
    """The same in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str


class Problem(Shape):
    """An error, as a problem document of RFC 9457."""

    type: Url
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: Code
    step: str | None
    retryable: Annotated[bool, Field(description="Whether the same request may do later")]
    errors: list[FieldProblem]
    error: OpenAIError


class Failure(Shape):
    """Why a job, or one part of it, failed."""

    code: Code
    message: str
    step: str | None
    retryable: bool


class UtteranceFailure(Failure):
    """Why one utterance failed."""

    utterance: Count


class TextWarning(Shape):
    """A stretch of the text that is left out; the job goes on without it."""

    code: Annotated[Literal["unspeakable_text"], Field(description="The voice cannot read its script")]
    message: str
    chapter: Annotated[Count, Field(description="Its place in `chapters`; 0 in a text")]
    start: Annotated[Count, Field(description="In characters of the chapter or text")]
    end: Count


# -- jobs


class JobLinks(Shape):
    """Where else to look."""

    self: Url
    events: Url
    audio: Url
    cancel: Url
    retry: Url


class AcceptedJob(Shape):
    """A job that was taken in."""

    id: JobId
    state: JobState
    created: Time
    links: JobLinks


class Step(Shape):
    """One step of a job."""

    name: Role
    model: Annotated[str | None, Field(description="Null for what a CPU worker does")]
    state: StepState
    started: Time | None
    ended: Time | None


class Progress(Shape):
    """How far a job is, in utterances."""

    done: Count
    total: Annotated[Count, Field(description="0 while it is unknown")]
    eta: Annotated[Seconds | None, Field(description="Seconds until the job's end, null where it cannot be told")]


class Audio(Shape):
    """The finished audio."""

    url: Annotated[Url, Field(description="Presigned where clients reach the storage, else the job's own /audio")]
    format: AudioFormat
    duration: Seconds
    sample_rate: Annotated[int, Field(description="Hz")]
    bytes: Count
    sha256: Sha256
    loudness: NotRequired[
        Annotated[
            float | None, Field(description="LUFS that it has, null for silence; only where a loudness was asked for")
        ]
    ]
    destination: NotRequired[
        Annotated[str, Field(description="Where a copy lies; only where the job named a destination")]
    ]


class Embedding(Shape):
    """A speaker embedding; a job takes it as its reference's embedding."""

    model: str
    dimensions: Annotated[int, Field(ge=1)]
    values: list[float]


class Segment(Shape):
    """A stretch of speech, in seconds."""

    start: Seconds
    end: Seconds
    text: NotRequired[str]


class Transcript(Shape):
    """What is said in a recording."""

    text: str
    language: str | None
    segments: list[Segment]


class Match(Shape):
    """The stock voice that is nearest to a reference."""

    voice: str
    model: str
    similarity: Annotated[float, Field(ge=-1.001, le=1.001, description="Cosine of the two embeddings")]


class ChapterMark(Shape):
    """Where a chapter starts."""

    title: str
    start: Seconds


class Result(Shape):
    """What a job came to; null is what its pipeline does not give."""

    audio: Audio | None
    characters: Count | None
    seed: int | None
    timestamps: list[Any] | None
    embedding: Embedding | None
    segments: list[Segment] | None
    transcript: Transcript | None
    match: NotRequired[Match | None]
    chapters: NotRequired[
        Annotated[list[ChapterMark] | None, Field(description="Only where the job gave titles or several chapters")]
    ]
    duration: NotRequired[
        Annotated[Seconds, Field(description="Of the recording; only where the pipeline listens to one")]
    ]


class Job(Shape):
    """A job as polled."""

    id: JobId
    custom_id: Annotated[str | None, Field(description="The client's own id, or the item's in a batch")]
    batch: str | None
    state: JobState
    pipeline: str
    priority: Priority
    created: Time
    started: Time | None
    ended: Time | None
    expires: Annotated[Time | None, Field(description="When the results go")]
    step: Annotated[Role | None, Field(description="The present step, null once the job has ended")]
    steps: list[Step]
    progress: Progress
    result: Result | None
    error: Failure | None
    errors: list[UtteranceFailure]
    warnings: Annotated[list[TextWarning], Field(description="The first 20 stretches of the text that are left out")]
    metadata: dict[str, str]
    links: JobLinks


class JobList(Shape):
    """A page of jobs."""

    object: Literal["list"]
    data: list[Job]
    next: Cursor


# -- batches


class BatchCounts(Shape):
    """A batch's jobs by state."""

    queued: Count
    running: Count
    succeeded: Count
    failed: Count
    canceled: Count


class ItemFieldProblem(Shape):
    """What is wrong with one field of an item."""

    field: str
    detail: str


class ItemFailure(Failure):
    """Why an item of a batch is no job."""

    line: Annotated[int, Field(ge=1)]
    custom_id: str | None
    errors: list[ItemFieldProblem]


class BatchLinks(Shape):
    """Where else to look."""

    self: Url
    manifest: Url
    zip: Url
    cancel: Url
    retry: Url


class Batch(Shape):
    """Many jobs followed as one."""

    id: BatchId
    object: Literal["batch"]
    state: BatchState
    counts: BatchCounts
    created: Time
    started: Time | None
    ended: Time | None
    expires: Time | None
    strict: bool
    error: Failure | None
    errors: Annotated[list[ItemFailure], Field(description="The first hundred; the manifest has them all")]
    metadata: dict[str, str]
    links: BatchLinks


class BatchList(Shape):
    """A page of batches."""

    object: Literal["list"]
    data: list[Batch]
    next: Cursor


class ManifestEntry(Shape):
    """A line of a batch's manifest."""

    custom_id: str | None
    job: JobId | None
    state: JobState
    file: str | None
    url: Url | None
    duration: Seconds | None
    error: dict[str, Any] | None


# -- voices


class StockVoice(Shape):
    """A model's own voice."""

    id: str
    object: Literal["voice"]
    language: str
    description: str
    model: str
    pipelines: list[str]


class VoiceRecording(Shape):
    """A recording that a voice is made of; null while its URL has not been fetched."""

    duration: Seconds | None
    sha256: Sha256 | None


class VoiceLinks(Shape):
    """Where else to look."""

    self: Url
    preview: Url


class StoredVoice(Shape):
    """A voice made from recordings."""

    id: VoiceId
    object: Literal["voice"]
    name: str
    state: VoiceState
    pipelines: list[str]
    models: list[str]
    consent: str | None
    created: Time
    recordings: list[VoiceRecording]
    error: Failure | None
    links: VoiceLinks


class VoiceList(Shape):
    """Every voice there is for an owner."""

    object: Literal["list"]
    data: list[StockVoice | StoredVoice]


# -- uploads


class Upload(Shape):
    """A place to PUT bytes to; where it has ``fields``, to POST a form of them to, the bytes last as ``file``."""

    id: UploadId
    method: Literal["PUT", "POST"]
    url: Url
    expires: Time
    max_bytes: Annotated[int, Field(ge=1)]
    fields: NotRequired[dict[str, str] | None]


class Uploaded(Shape):
    """What has arrived."""

    id: UploadId
    bytes: Count


# -- what there is


OptionType = Literal["boolean", "integer", "number", "string"]


class OptionView(Shape):
    """An option of a model family."""

    type: OptionType
    default: bool | int | float | str
    minimum: NotRequired[float]
    maximum: NotRequired[float]
    choices: NotRequired[list[str]]
    description: str


class PipelineStepView(Shape):
    """A step of a pipeline."""

    role: Role
    type: Annotated[str | None, Field(description="Null where any model of the role will do")]
    gives: str


class PipelineView(Shape):
    """A named list of steps."""

    id: str
    object: Literal["pipeline"]
    description: str
    steps: list[PipelineStepView]
    needs: list[str]
    gives: str
    options: dict[str, OptionView]
    languages: list[str]
    voices: list[str]
    models: list[str]


class PipelineList(Shape):
    """Every pipeline."""

    object: Literal["list"]
    data: list[PipelineView]


class ModelView(Shape):
    """A model: OpenAI's fields, and ours."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: str
    role: Role
    languages: list[str]
    voices: list[str]
    options: dict[str, OptionView]
    sample_rate: Annotated[int | None, Field(description="Hz of what it gives")]
    licence: str
    workers: Annotated[Count, Field(description="Live worker processes that serve it")]


class ModelList(Shape):
    """Every model."""

    object: Literal["list"]
    data: list[ModelView]


# -- health


class Alive(Shape):
    """The process lives."""

    status: Literal["ok"]


class Ready(Shape):
    """What is there of what jobs need."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[dict[str, str], Field(description="ok, or what is wrong")]
