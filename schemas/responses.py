"""The shapes of answers, for the OpenAPI description: nothing is computed with them.

Every answer of ours is closed: a field that is not here is a fault of this module, and a test finds it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


def identifier(prefix: str) -> Any:
    """What an id of ours looks like."""
    return Field(pattern=f"^{prefix}_[0-9a-f]{{24}}$")


class Answer(BaseModel):
    """What every answer is like."""

    model_config = ConfigDict(extra="forbid")


# -- errors


class FieldProblem(Answer):
    """What is wrong with one field of a request."""

    field: str = Field(description="A dotted path, such as output.format")
    code: str
    detail: str


class OpenAIError(Answer):
    """The same in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str


class Problem(Answer):
    """An error, as a problem document of RFC 9457."""

    type: Url
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    code: str = Field(description="Stable: what a program decides by")
    step: str | None
    retryable: bool = Field(description="Whether the same request may do later")
    errors: list[FieldProblem]
    error: OpenAIError


class Failure(Answer):
    """Why a job, or one part of it, failed."""

    code: str = Field(description="Stable: what a program decides by")
    message: str
    step: str | None
    retryable: bool


class UtteranceFailure(Failure):
    """Why one utterance failed."""

    utterance: Count


class TextWarning(Answer):
    """A stretch of the text that is left out; the job goes on without it."""

    code: Literal["unspeakable_text"] = Field(description="The voice cannot read its script")
    message: str
    chapter: Count = Field(description="Its place in `chapters`; 0 in a text")
    start: Count = Field(description="In characters of the chapter or text")
    end: Count


# -- jobs


class JobLinks(Answer):
    """Where else to look."""

    self: Url
    events: Url
    audio: Url
    cancel: Url
    retry: Url


class AcceptedJob(Answer):
    """A job that was taken in."""

    id: Annotated[str, identifier("job")]
    state: JobState
    created: Time
    links: JobLinks


class Step(Answer):
    """One step of a job."""

    name: Role
    model: str | None = Field(description="Null for what a CPU worker does")
    state: StepState
    started: Time | None
    ended: Time | None


class Progress(Answer):
    """How far a job is, in utterances."""

    done: Count
    total: Count = Field(description="0 while it is unknown")
    eta: Seconds | None = Field(description="Seconds until the job's end, null where it cannot be told")


class Audio(Answer):
    """The finished audio."""

    url: Url = Field(description="Presigned where clients reach the storage, else the job's own /audio")
    format: AudioFormat
    duration: Seconds
    sample_rate: int = Field(description="Hz")
    bytes: Count
    sha256: Sha256
    loudness: float | None = Field(
        None, description="LUFS that it has, null for silence; only where a loudness was asked for"
    )
    destination: str = Field("", description="Where a copy lies; only where the job named a destination")


class Embedding(Answer):
    """A speaker embedding; a job takes it as its reference's embedding."""

    model: str
    dimensions: int = Field(ge=1)
    values: list[float]


class Segment(Answer):
    """A stretch of speech, in seconds."""

    start: Seconds
    end: Seconds
    text: str = ""


class Transcript(Answer):
    """What is said in a recording."""

    text: str
    language: str | None
    segments: list[Segment]


class Match(Answer):
    """The stock voice that is nearest to a reference."""

    voice: str
    model: str
    similarity: float = Field(ge=-1.001, le=1.001, description="Cosine of the two embeddings")


class ChapterMark(Answer):
    """Where a chapter starts."""

    title: str
    start: Seconds


class Result(Answer):
    """What a job came to; null is what its pipeline does not give."""

    audio: Audio | None
    characters: Count | None
    seed: int | None
    timestamps: list[Any] | None
    embedding: Embedding | None
    segments: list[Segment] | None
    transcript: Transcript | None
    match: Match | None = None
    chapters: list[ChapterMark] | None = Field(None, description="Only where the job gave titles or several chapters")
    duration: Seconds = Field(0.0, description="Of the recording; only where the pipeline listens to one")


class Job(Answer):
    """A job as polled."""

    id: Annotated[str, identifier("job")]
    custom_id: str | None = Field(description="The client's own id, or the item's in a batch")
    batch: str | None
    state: JobState
    pipeline: str
    priority: Priority
    created: Time
    started: Time | None
    ended: Time | None
    expires: Time | None = Field(description="When the results go")
    step: Role | None = Field(description="The present step, null once the job has ended")
    steps: list[Step]
    progress: Progress
    result: Result | None
    error: Failure | None
    errors: list[UtteranceFailure]
    warnings: list[TextWarning] = Field(description="The first 20 stretches of the text that are left out")
    metadata: dict[str, str]
    links: JobLinks


class JobList(Answer):
    """A page of jobs."""

    object: Literal["list"]
    data: list[Job]
    next: str | None = Field(description="Cursor of the page behind this one")


# -- batches


class BatchCounts(Answer):
    """A batch's jobs by state."""

    queued: Count
    running: Count
    succeeded: Count
    failed: Count
    canceled: Count


class ItemFieldProblem(Answer):
    """What is wrong with one field of an item."""

    field: str
    detail: str


class ItemFailure(Failure):
    """Why an item of a batch is no job."""

    line: int = Field(ge=1)
    custom_id: str | None
    errors: list[ItemFieldProblem]


class BatchLinks(Answer):
    """Where else to look."""

    self: Url
    manifest: Url
    zip: Url
    cancel: Url
    retry: Url


class Batch(Answer):
    """Many jobs followed as one."""

    id: Annotated[str, identifier("ba")]
    object: Literal["batch"]
    state: BatchState
    counts: BatchCounts
    created: Time
    started: Time | None
    ended: Time | None
    expires: Time | None
    strict: bool
    error: Failure | None
    errors: list[ItemFailure] = Field(description="The first hundred; the manifest has them all")
    metadata: dict[str, str]
    links: BatchLinks


class BatchList(Answer):
    """A page of batches."""

    object: Literal["list"]
    data: list[Batch]
    next: str | None = Field(description="Cursor of the page behind this one")


class ManifestEntry(Answer):
    """A line of a batch's manifest."""

    custom_id: str | None
    job: Annotated[str, identifier("job")] | None
    state: JobState
    file: str | None
    url: Url | None
    duration: Seconds | None
    error: dict[str, Any] | None


# -- voices


class StockVoice(Answer):
    """A model's own voice."""

    id: str
    object: Literal["voice"]
    language: str
    description: str
    model: str
    pipelines: list[str]


class VoiceRecording(Answer):
    """A recording that a voice is made of; null while its URL has not been fetched."""

    duration: Seconds | None
    sha256: Sha256 | None


class VoiceLinks(Answer):
    """Where else to look."""

    self: Url
    preview: Url


class StoredVoice(Answer):
    """A voice made from recordings."""

    id: Annotated[str, identifier("vo")]
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


class VoiceList(Answer):
    """Every voice there is for an owner."""

    object: Literal["list"]
    data: list[StockVoice | StoredVoice]


# -- uploads


class Upload(Answer):
    """A place to PUT bytes to; where it has ``fields``, to POST a form of them to, the bytes last as ``file``."""

    id: Annotated[str, identifier("up")]
    method: Literal["PUT", "POST"]
    url: Url
    expires: Time
    max_bytes: int = Field(ge=1)
    fields: dict[str, str] | None = None


class Uploaded(Answer):
    """What has arrived."""

    id: Annotated[str, identifier("up")]
    bytes: Count


# -- what there is


class OptionView(Answer):
    """An option of a model family."""

    type: Literal["boolean", "integer", "number", "string"]
    default: bool | int | float | str
    minimum: float = 0
    maximum: float = 0
    choices: list[str] = []
    description: str


class PipelineStepView(Answer):
    """A step of a pipeline."""

    role: Role
    type: str | None = Field(description="Null where any model of the role will do")
    gives: str


class PipelineView(Answer):
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


class PipelineList(Answer):
    """Every pipeline."""

    object: Literal["list"]
    data: list[PipelineView]


class ModelView(Answer):
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
    sample_rate: int | None = Field(description="Hz of what it gives")
    licence: str
    workers: Count = Field(description="Live worker processes that serve it")


class ModelList(Answer):
    """Every model."""

    object: Literal["list"]
    data: list[ModelView]


# -- health


class Alive(Answer):
    """The process lives."""

    status: Literal["ok"]


class Ready(Answer):
    """What is there of what jobs need."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str] = Field(description="ok, or what is wrong")
