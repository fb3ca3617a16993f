"""The shapes of requests. An unknown field is an error that names it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from core import ids
from core.errors import InvalidRequest
from core.names import (
    AudioFormat,
    Clean,
    Emoji,
    EventType,
    Markup,
    Normalize,
    OnError,
    Priority,
    Role,
    SampleEncoding,
    SubtitleFormat,
    Timestamps,
    VadMode,
)

#: Items of a batch, and recordings of a voice.
MAX_ITEMS = 10_000
MAX_RECORDINGS = 16

#: Lexicons of a job.
MAX_LEXICONS = 8

#: Bytes of a job's metadata, keys and values together.
MAX_METADATA_BYTES = 16_384

_Strict = ConfigDict(extra="forbid", hide_input_in_errors=True)

_NULL = {"type": "null"}


def exactly_one(*names: str) -> list[Any]:
    """JSON Schema, for ``oneOf``: one of these fields is given, and the others are absent or null."""
    return [
        {"required": [name], "properties": {n: {"not": _NULL} if n == name else _NULL for n in names}} for name in names
    ]


def _one_of(*names: str) -> ConfigDict:
    return ConfigDict(**_Strict, json_schema_extra={"oneOf": exactly_one(*names)})


def only(supported: Any) -> BeforeValidator:
    """Refuses every value but the one that is ``supported`` so far."""

    def check(value: Any) -> Any:
        if type(value) is not type(supported) or value != supported:
            raise PydanticCustomError("unsupported", "Only {value} is supported", {"value": json.dumps(supported)})
        return value

    return BeforeValidator(check)


def _described(**keywords: Any) -> Any:
    """Keywords of the JSON Schema that are validated where the value is used, not by pydantic."""
    return Field(json_schema_extra=keywords)


def whole(value: Any) -> Any:
    """JSON has one kind of number: 60.0 is an integer. For a `BeforeValidator`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Numbers and truth values are JSON's own alone: pydantic would take "60" and 1 as well.
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
SampleRate = Annotated[int, Strict(), Field(ge=8000, le=48_000), BeforeValidator(whole)]
BitRate = Annotated[int, Strict(), Field(ge=6000, le=320_000), BeforeValidator(whole)]
Retention = Annotated[int, Strict(), Field(ge=60, le=365 * 86_400), BeforeValidator(whole)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2000), _described(pattern="^[Hh][Tt][Tt][Pp][Ss]?://")]


def _bounded(metadata: dict[str, str]) -> dict[str, str]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        values = {"size": size, "most": MAX_METADATA_BYTES}
        raise PydanticCustomError("too_large", "Metadata has {size} bytes in UTF-8; the maximum is {most}.", values)
    return metadata


Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50), AfterValidator(_bounded)]


class Chapter(BaseModel):
    """A part of a longer text."""

    model_config = _Strict
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    text: str


#: A tag: text without control characters.
Tag = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
TagDate = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$")]
TagTrack = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}(/[1-9][0-9]{0,3})?$")]


class Tags(BaseModel):
    """What players show of a file."""

    model_config = _Strict
    title: Tag | None = None
    artist: Tag | None = None
    album: Tag | None = None
    album_artist: Tag | None = None
    composer: Tag | None = None
    genre: Tag | None = None
    date: TagDate | None = Field(None, description="YYYY or YYYY-MM-DD")
    track: TagTrack | None = Field(None, description="Its number, or number/total")
    comment: Tag | None = None
    copyright: Tag | None = None


class Output(BaseModel):
    """The format of the audio."""

    model_config = _Strict
    format: AudioFormat = AudioFormat.WAV
    sample_rate: SampleRate | None = Field(None, description="Hz; null: the voice's own, 8000 for mulaw")
    encoding: SampleEncoding | None = Field(
        None, description="Encoding of the samples in wav, flac (pcm_s16, pcm_s24) and pcm; null: pcm_s16"
    )
    bit_rate: BitRate | None = Field(
        None, description="Bits per second of mp3, opus, m4a, m4b; null: near transparency"
    )
    trim: Flag = Field(False, description="true: silence at the start and the end of the whole is removed")
    tags: Tags = Tags()
    loudness: Number | None = Field(
        None, ge=-40, le=-5, description="Target in LUFS over the whole file; null: unchanged"
    )
    timestamps: Timestamps = Field(
        Timestamps.NONE, description="Whether the result says when each utterance, or each word too, is said"
    )
    subtitles: SubtitleFormat | None = Field(None, description="The format of subtitles; null: none")
    utterances: Flag = Field(False, description="true: also a file for each utterance, listed by `/utterances`")
    cover: CoverInput | None = Field(None, description="A picture for the file; m4b, m4a, mp3 and flac")
    destination: Name | None = Field(
        None, description="A destination defined by the administrator, to which the result is copied"
    )


class RecordingInput(BaseModel):
    """Audio, as an upload, base64 or a URL."""

    model_config = _one_of("upload", "base64", "url")
    upload: Name | None = None
    base64: Annotated[str, _described(minLength=1, contentEncoding="base64")] | None = None
    url: Url | None = Field(
        None, description="http or https, at a public address; fetched once when the job is prepared"
    )

    @model_validator(mode="after")
    def one_way(self) -> RecordingInput:
        """Exactly one way in."""
        ways = list(type(self).model_fields)
        if sum(getattr(self, way) is not None for way in ways) != 1:
            raise PydanticCustomError("one_of", "Send exactly one of {ways}.", {"ways": ", ".join(ways)})
        return self


class CoverInput(RecordingInput):
    """A picture, JPEG or PNG, as an upload, base64 or a URL: at most 10 MiB and 6000 x 6000 pixels."""

    model_config = _one_of("upload", "base64", "url")


class EmbeddingInput(BaseModel):
    """A speaker embedding, as the result of an ``embed`` job."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    model: Name
    values: Annotated[list[Number], Field(min_length=1, max_length=4096)]


class ReferenceInput(RecordingInput):
    """The speaker to match: a recording, an embedding (JSON, or base64 of its safetensors file), or a stored voice."""

    model_config = _one_of("upload", "base64", "url", "embedding", "voice")
    embedding: EmbeddingInput | str | None = None
    voice: Annotated[str, StringConstraints(pattern=f"^{ids.VOICE.pattern}$")] | None = Field(
        None, description="A stored voice made for this pipeline"
    )

    @classmethod
    def stored(cls, voice: str) -> ReferenceInput:
        """The reference that a stored voice is. Raises `InvalidRequest` where ``voice`` is no id of one."""
        try:
            return cls(voice=voice)
        except ValidationError as error:
            raise InvalidRequest("The voice does not exist.", code="voice_not_found") from error


class SegmentInput(BaseModel):
    """A stretch of speech in a recording, in seconds."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    start: Number = Field(ge=0, le=86_400, allow_inf_nan=False)
    end: Number = Field(gt=0, le=86_400, allow_inf_nan=False)

    @model_validator(mode="after")
    def forwards(self) -> SegmentInput:
        """A segment must end after it starts."""
        if self.end <= self.start:
            raise PydanticCustomError("backwards", "A segment must end after it starts.")
        return self


#: The events at the end of a job.
ENDS = (EventType.JOB_SUCCEEDED, EventType.JOB_FAILED, EventType.JOB_CANCELED)

Events = Annotated[list[EventType], Field(min_length=1, max_length=len(EventType))]


class WebhookInput(BaseModel):
    """A webhook for one job. Deliveries are signed with the owner's secret (``GET /v1/webhook-secret``)."""

    model_config = _Strict
    url: Url
    events: Events = list(ENDS)


class WebhookRequest(BaseModel):
    """A new webhook endpoint."""

    model_config = _Strict
    url: Url
    events: Events = [*ENDS, EventType.BATCH_COMPLETED]
    description: Annotated[str, StringConstraints(max_length=500)] | None = None


class WebhookChange(BaseModel):
    """Changes to a webhook endpoint. Omitted fields are unchanged."""

    model_config = _Strict
    url: Url | None = None
    events: Events | None = None
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    enabled: Flag | None = None


WebhookId = Annotated[str, StringConstraints(pattern=f"^{ids.WEBHOOK.pattern}$")]


LexiconId = Annotated[str, StringConstraints(pattern=f"^{ids.LEXICON.pattern}$")]
LexiconVersion = Annotated[int, Strict(), Field(ge=1, le=999_999_999), BeforeValidator(whole)]


class LexiconInput(BaseModel):
    """A lexicon that a job uses."""

    model_config = _Strict
    id: LexiconId
    version: LexiconVersion | None = Field(None, description="Default: the latest")


class TextRequest(BaseModel):
    """A text, and how it is read: what jobs and previews have in common."""

    model_config = _Strict
    pipeline: Name | None = None
    text: Annotated[str, _described(minLength=1)] | None = None
    chapters: Annotated[list[Chapter], Field(min_length=1, max_length=1000)] | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=35)] | None = None
    voice: Name | None = None
    base_voice: Name | None = None
    models: Annotated[dict[Role, Name], Field(max_length=16)] = {}
    options: Annotated[dict[Name, Any], Field(max_length=64)] = {}
    markup: Markup = Field(
        Markup.NONE,
        description="The markup that the text contains. light: [pause 500ms], [[word|IPA]], *emphasis*; ssml: a subset"
        " of SSML; none: everything is text",
    )
    normalize: Normalize = Field(
        Normalize.AUTO, description="auto: English numbers, dates, money and abbreviations are spelled out"
    )
    clean: Clean = Field(
        Clean.AUTO, description="auto: what is left of PDFs, e-mail, Markdown and HTML in the text is not spoken"
    )
    emoji: Emoji = Field(Emoji.SILENT, description="named: emoji are spoken by their names")
    lexicons: Annotated[list[LexiconId | LexiconInput], Field(max_length=MAX_LEXICONS)] = Field(
        [],
        description="How words are spoken: ids of lexicons, or ids with versions; later ones override earlier ones",
    )


class JobRequest(TextRequest):
    """One job. Only ``pipeline`` and its inputs are required."""

    reference: ReferenceInput | None = None
    recording: RecordingInput | None = None
    segments: Annotated[list[SegmentInput], Field(min_length=1, max_length=10_000)] | None = None
    vad: VadMode = VadMode.SILERO
    output: Output = Output()
    priority: Priority = Priority.NORMAL
    on_error: OnError = OnError.FAIL
    webhook: WebhookId | WebhookInput | None = Field(
        None, description="The only webhook notified of this job: an endpoint's id, or a URL"
    )
    metadata: Metadata = {}
    expires_in: Retention | None = Field(None, description="Seconds that results are kept")
    deadline: Number | None = Field(None, ge=1, le=30 * 86_400, description="Seconds that the job may take")


class BatchItem(BaseModel):
    """One job of a batch, with an id chosen by the client."""

    model_config = _Strict
    custom_id: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
    job: dict[str, Any] = Field(description="The body of the job, merged over the batch's defaults")


class BatchRequest(BaseModel):
    """Many jobs at once: ``items``, or an upload of them as JSON Lines."""

    model_config = _one_of("items", "upload")
    defaults: Annotated[dict[str, Any], Field(max_length=64)] = {}
    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    upload: Name | None = Field(None, description="An upload of JSON Lines with one item per line")
    strict: Flag = Field(False, description="true: one invalid item fails the batch, and no job is created")
    webhook: WebhookId | WebhookInput | None = None
    metadata: Metadata = {}
    expires_in: Retention | None = Field(None, description="Seconds that results are kept")

    @model_validator(mode="after")
    def one_way(self) -> BatchRequest:
        """Exactly one way in."""
        if (self.items is None) == (self.upload is None):
            raise PydanticCustomError("one_of", "Send either items or upload.")
        return self


class VoiceRequest(BaseModel):
    """A new stored voice."""

    # A multipart body contains its recordings as files.
    model_config = ConfigDict(**_Strict, json_schema_extra={"required": ["name", "recordings"]})
    name: Name
    pipelines: Annotated[list[Name], Field(min_length=1, max_length=32)] | None = Field(
        None, description="The pipelines that will use it; default: all that use a reference"
    )
    consent: Annotated[str, StringConstraints(max_length=10_000)] | None = Field(
        None, description="The speaker's consent, as text; stored with the voice"
    )
    recordings: Annotated[list[RecordingInput], Field(max_length=MAX_RECORDINGS), _described(minItems=1)] = []


class VoiceChange(BaseModel):
    """Changes to a stored voice."""

    model_config = _Strict
    name: Name


class PreviewRequest(BaseModel):
    """A sentence to speak with a voice."""

    model_config = _Strict
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    pipeline: Name | None = None
    output: Output = Output()


class TextPreviewRequest(TextRequest):
    """A text to preview: the fields of a job that concern its text."""
