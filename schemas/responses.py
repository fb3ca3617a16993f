"""The shapes of responses: views build them, and the OpenAPI document describes them. See `schemas.shapes`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from core import ids
from core.names import (
    AudioFormat,
    BatchState,
    JobState,
    Priority,
    Role,
    SampleEncoding,
    StepState,
    VoiceState,
)
from schemas.shapes import Count, Seconds, Sha256, Shape, Url
from schemas.timing_responses import JobSubtitles, JobTimestamps

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, in UTC")]
Code = Annotated[str, Field(description="Stable error code for programs")]
Cursor = Annotated[str | None, Field(description="Cursor of the next page")]


def _id(kind: ids.IdKind) -> Any:
    return Field(pattern=f"^{kind.pattern}$")


JobId = Annotated[str, _id(ids.JOB)]
BatchId = Annotated[str, _id(ids.BATCH)]
VoiceId = Annotated[str, _id(ids.VOICE)]
UploadId = Annotated[str, _id(ids.UPLOAD)]
WebhookId = Annotated[str, _id(ids.WEBHOOK)]
LexiconId = Annotated[str, _id(ids.LEXICON)]
DeliveryId = Annotated[str, _id(ids.DELIVERY)]


# -- errors


class FieldProblem(Shape):
    """An error in one field of a request."""

    field: Annotated[str, Field(description="A dotted path, such as output.format")]
    code: str
    detail: str


class OpenAIError(Shape):
    """The same error in OpenAI's format."""

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
    retryable: Annotated[bool, Field(description="Whether the same request may succeed later")]
    errors: list[FieldProblem]
    error: OpenAIError


class Failure(Shape):
    """The error of a job or of a part of it."""

    code: Code
    message: str
    step: str | None
    retryable: bool
    chapter: NotRequired[Annotated[Count, Field(description="Index in `chapters` of the utterance that failed")]]
    start: NotRequired[Annotated[Count, Field(description="Its place, in characters of the chapter or text")]]
    end: NotRequired[Count]


class UtteranceFailure(Failure):
    """The error of one utterance."""

    utterance: Count


class TextWarning(Shape):
    """A stretch of the text that was left out, or markup that has no effect."""

    code: Annotated[
        Literal["unspeakable_text", "ignored_markup"],
        Field(description="unspeakable_text: the voice cannot read its script, and it is left out"),
    ]
    message: str
    chapter: Annotated[Count, Field(description="Index in `chapters`; 0 for a text")]
    start: Annotated[Count, Field(description="In characters of the chapter or text")]
    end: Count


# -- jobs


class JobLinks(Shape):
    """Links to related resources."""

    self: Url
    events: Url
    audio: Url
    cancel: Url
    retry: Url


class JobLexicon(Shape):
    """The version of a lexicon that a job uses."""

    id: LexiconId
    version: Annotated[int, Field(ge=1)]


class AcceptedJob(Shape):
    """A job that was accepted."""

    id: JobId
    state: JobState
    created: Time
    links: JobLinks


class Step(Shape):
    """One step of a job."""

    name: Role
    model: Annotated[str | None, Field(description="null for CPU steps")]
    state: StepState
    started: Time | None
    ended: Time | None


class Progress(Shape):
    """The progress of a job, in utterances."""

    done: Count
    total: Annotated[Count, Field(description="0 while unknown")]
    eta: Annotated[Seconds | None, Field(description="Seconds until the end of the job; null while unknown")]


class Audio(Shape):
    """The finished audio."""

    url: Annotated[Url, Field(description="A presigned link if clients can reach the storage, else the job's /audio")]
    format: AudioFormat
    duration: Seconds
    sample_rate: Annotated[int, Field(description="Hz")]
    encoding: NotRequired[Annotated[SampleEncoding, Field(description="Of the samples; only of wav, flac and pcm")]]
    bytes: Count
    sha256: Sha256
    loudness: NotRequired[
        Annotated[
            float | None,
            Field(description="Loudness reached, in LUFS; null for silence. Only if the job sets a loudness"),
        ]
    ]
    destination: NotRequired[
        Annotated[str, Field(description="The address of the copy; only if the job names a destination")]
    ]


class Embedding(Shape):
    """A speaker embedding. A job accepts it as its reference's embedding."""

    model: str
    dimensions: Annotated[int, Field(ge=1)]
    values: list[float]


class Word(Shape):
    """A word with its punctuation, and when it is said."""

    start: Seconds
    end: Seconds
    word: str


class Decoding(Shape):
    """How Whisper decoded a segment."""

    seek: Annotated[Count, Field(description="Start of the decoded window, in hundredths of a second")]
    tokens: list[int]
    temperature: float
    avg_logprob: Annotated[float, Field(description="Mean natural logarithm of the tokens' probabilities")]
    compression_ratio: Annotated[float, Field(description="Length of the text over that of its zlib form")]
    no_speech_prob: float


class Segment(Shape):
    """A stretch of speech, in seconds."""

    start: Seconds
    end: Seconds
    text: NotRequired[str]
    words: NotRequired[Annotated[list[Word], Field(description="Only with the option words")]]
    decoding: NotRequired[Annotated[Decoding, Field(description="Only with the option decoding")]]


class Transcript(Shape):
    """The transcript of a recording."""

    text: str
    language: str | None
    segments: list[Segment]


class Match(Shape):
    """The stock voice nearest to a reference."""

    voice: str
    model: str
    similarity: Annotated[float, Field(ge=-1.001, le=1.001, description="Cosine of the two embeddings")]


class ChapterMark(Shape):
    """The start of a chapter."""

    title: str
    start: Seconds


class UtteranceFiles(Shape):
    """The files of single utterances."""

    url: Annotated[Url, Field(description="The manifest: JSON Lines, each an UtteranceFile")]
    count: Annotated[Count, Field(description="Utterances")]
    files: Annotated[Count, Field(description="Utterances that did not fail, each with a file")]


class UtteranceFile(Shape):
    """A line of the manifest of a job's utterances."""

    index: Count
    state: Literal["succeeded", "failed"]
    file: Annotated[str | None, Field(description="A name for the file; null if the utterance failed")]
    url: Annotated[Url | None, Field(description="A presigned link if clients can reach the storage, else the API's")]
    start: Annotated[Seconds, Field(description="Where it begins in the whole audio")]
    duration: Annotated[Seconds | None, Field(description="Of the file")]
    chapter: Annotated[Count, Field(description="Index in `chapters`; 0 for a text")]
    offset: Annotated[Count, Field(description="Its first character in the chapter or text as it was sent")]
    text: Annotated[str | None, Field(description="As it was sent; null if the job has no text")]


class Result(Shape):
    """The result of a job. Fields that its pipeline does not produce are null."""

    audio: Audio | None
    characters: Count | None
    seed: int | None
    timestamps: JobTimestamps | None
    subtitles: NotRequired[Annotated[JobSubtitles, Field(description="Only if the job wants subtitles")]]
    embedding: Embedding | None
    segments: list[Segment] | None
    transcript: Transcript | None
    match: NotRequired[Match | None]
    chapters: NotRequired[
        Annotated[list[ChapterMark] | None, Field(description="Only if the job has titles or several chapters")]
    ]
    utterances: NotRequired[Annotated[UtteranceFiles, Field(description="Only with `output.utterances`")]]
    duration: NotRequired[
        Annotated[Seconds, Field(description="Duration of the recording; only if the pipeline processes one")]
    ]


class Job(Shape):
    """A job."""

    id: JobId
    custom_id: Annotated[str | None, Field(description="The id chosen by the client, or that of the item in a batch")]
    batch: str | None
    state: JobState
    pipeline: str
    priority: Priority
    created: Time
    started: Time | None
    ended: Time | None
    expires: Annotated[Time | None, Field(description="When the results are deleted")]
    step: Annotated[Role | None, Field(description="The current step; null once the job has ended")]
    steps: list[Step]
    progress: Progress
    result: Result | None
    error: Failure | None
    errors: list[UtteranceFailure]
    warnings: Annotated[list[TextWarning], Field(description="The first 20 stretches of the text that were left out")]
    lexicons: list[JobLexicon]
    metadata: dict[str, str]
    links: JobLinks


class JobList(Shape):
    """A page of jobs."""

    object: Literal["list"]
    data: list[Job]
    next: Cursor


# -- batches


class BatchCounts(Shape):
    """The number of a batch's jobs in each state."""

    queued: Count
    running: Count
    succeeded: Count
    failed: Count
    canceled: Count


class ItemFieldProblem(Shape):
    """An error in one field of an item."""

    field: str
    detail: str


class ItemFailure(Failure):
    """The error of an invalid item of a batch."""

    line: Annotated[int, Field(ge=1)]
    custom_id: str | None
    errors: list[ItemFieldProblem]


class BatchLinks(Shape):
    """Links to related resources."""

    self: Url
    manifest: Url
    zip: Url
    cancel: Url
    retry: Url


class Batch(Shape):
    """Many jobs, followed as one."""

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
    errors: Annotated[list[ItemFailure], Field(description="The first hundred; the manifest has all")]
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
    """A voice of a model."""

    id: str
    object: Literal["voice"]
    language: str
    description: str
    model: str
    pipelines: list[str]


class VoiceRecording(Shape):
    """A recording of a stored voice; null until its URL has been fetched."""

    duration: Seconds | None
    sha256: Sha256 | None


class VoiceLinks(Shape):
    """Links to related resources."""

    self: Url
    preview: Url


class StoredVoice(Shape):
    """A stored voice, made from recordings."""

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
    """All voices of an owner."""

    object: Literal["list"]
    data: list[StockVoice | StoredVoice]


# -- uploads


class Upload(Shape):
    """An upload: PUT the bytes to ``url``. With ``fields``, POST them as a form, the bytes last as ``file``."""

    id: UploadId
    method: Literal["PUT", "POST"]
    url: Url
    expires: Time
    max_bytes: Annotated[int, Field(ge=1)]
    fields: NotRequired[dict[str, str] | None]


class Uploaded(Shape):
    """The size of the upload."""

    id: UploadId
    bytes: Count


# -- health


class Alive(Shape):
    """The API process is running."""

    status: Literal["ok"]


class Ready(Shape):
    """Whether the services that jobs need are available."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[dict[str, str], Field(description="ok, or the error")]
