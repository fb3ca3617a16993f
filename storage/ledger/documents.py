"""A job's document: what its steps need to know, without its text. It is written once and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from core.names import AudioFormat, Clean, Emoji, Markup, Normalize, SampleEncoding, SubtitleFormat, Timestamps

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverDocument:
    """A cover picture: an ``object`` in storage, or a ``url`` that is fetched when the job is prepared."""

    object: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDocument:
    """The format of the audio."""

    format: AudioFormat = AudioFormat.WAV
    sample_rate: int | None = None  #: Hz; None keeps the voice's own
    encoding: SampleEncoding | None = None  #: None for the format's default
    bit_rate: int | None = None  #: bits per second
    loudness: float | None = None  #: LUFS over the whole
    trim: bool = False  #: whether silence at the start and the end is removed
    tags: Mapping[str, str] = field(default_factory=dict)
    destination: str | None = None
    timestamps: Timestamps = Timestamps.NONE
    subtitles: SubtitleFormat | None = None
    cover: CoverDocument | None = None
    utterances: bool = False  #: a file for each utterance, beside the whole

    @property
    def times_words(self) -> bool:
        """Whether the times of words are wanted: subtitles begin and end with words."""
        return self.timestamps is Timestamps.WORD or self.subtitles is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingDocument:
    """A recording: an ``object`` in storage, a ``url`` that is fetched when it is prepared, or several ``parts``."""

    object: str | None = None
    sha256: str | None = None  #: hexadecimal
    duration: float = 0.0  #: seconds
    samples: int = 0  #: of all channels together
    container: str | None = None
    url: str | None = None
    parts: tuple[RecordingDocument, ...] = ()

    @property
    def seconds(self) -> float:
        """The duration of all parts, as far as it is known."""
        return self.duration + sum(part.seconds for part in self.parts)

    @staticmethod
    def from_dict(shape: Mapping[str, Any]) -> RecordingDocument:
        """The recording from ``dataclasses.asdict``."""
        return _from_dict(RecordingDocument, shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingDocument:
    """A speaker embedding of the job, or of its stored voice."""

    object: str
    model: str  #: that made it
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconDocument:
    """The version of a lexicon that a job uses."""

    id: str
    version: int
    object: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsDocument:
    """The items of a batch, which become jobs."""

    count: int
    object: str  #: JSON lines
    defaults: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    ceiling: int | None = None  #: seconds that results may be kept by the key that brought them


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentDocument:
    """The stored voice that an embedding is computed for."""

    voice: str
    folder: str  #: what all its objects lie under


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDocument:
    """What the steps of a job need to know. For a batch, ``items`` describes its items; for the enrolment of a stored
    voice, ``enrolment`` names the voice; for the preview of a text, ``synthesizer`` names the model."""

    owner: str
    pipeline: str
    gives: str = ""
    language: str | None = None
    voice: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    output: OutputDocument = field(default_factory=OutputDocument)
    characters: int = 0
    markup: Markup = Markup.NONE
    normalize: Normalize = Normalize.AUTO
    clean: Clean = Clean.AUTO
    emoji: Emoji = Emoji.SILENT
    lexicons: tuple[LexiconDocument, ...] = ()  #: later ones override earlier ones
    segments: tuple[tuple[float, float], ...] | None = None  #: start and end in seconds
    reference: RecordingDocument | None = None
    recording: RecordingDocument | None = None
    embedding: EmbeddingDocument | None = None
    text_object: str | None = None  #: a long text, in storage
    metadata: Mapping[str, str] = field(default_factory=dict)
    custom_id: str | None = None
    asked: str | None = None  #: fingerprint of the request that made it, under the client's own id
    items: ItemsDocument | None = None
    enrolment: EnrolmentDocument | None = None
    synthesizer: str | None = None

    def objects(self) -> list[str]:
        """The objects that the job needs: recordings, embeddings, lexicons and a cover."""
        brought = (self.reference, self.recording, self.embedding, *self.lexicons, self.output.cover)
        return [part.object for part in brought if part is not None and part.object is not None]

    def recordings(self) -> list[RecordingDocument]:
        """The recordings that came with the job."""
        return [part for part in (self.reference, self.recording) if part is not None]

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON, without fields that have their default."""
        return _to_dict(self)

    def packed(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_dict(shape: Mapping[str, Any]) -> JobDocument:
        """The document that `to_dict` gave; fields of other versions are passed over."""
        return _from_dict(JobDocument, shape)


#: A function for each field that JSON does not give as it is kept.
Readers = Mapping[str, Callable[[Any], Any]]


def _recordings(shapes: Sequence[Mapping[str, Any]]) -> tuple[RecordingDocument, ...]:
    return tuple(_from_dict(RecordingDocument, shape) for shape in shapes)


def _lexicons(shapes: Sequence[Mapping[str, Any]]) -> tuple[LexiconDocument, ...]:
    return tuple(_from_dict(LexiconDocument, shape) for shape in shapes)


def _spans(shapes: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((start, end) for start, end in shapes)


_READERS: Mapping[type[Any], Readers] = {
    OutputDocument: {
        "format": AudioFormat,
        "encoding": SampleEncoding,
        "timestamps": Timestamps,
        "subtitles": SubtitleFormat,
        "cover": lambda shape: _from_dict(CoverDocument, shape),
    },
    CoverDocument: {},
    RecordingDocument: {"parts": _recordings},
    EmbeddingDocument: {},
    LexiconDocument: {},
    ItemsDocument: {},
    EnrolmentDocument: {},
    JobDocument: {
        "markup": Markup,
        "normalize": Normalize,
        "clean": Clean,
        "emoji": Emoji,
        "lexicons": _lexicons,
        "segments": _spans,
        "output": lambda shape: _from_dict(OutputDocument, shape),
        "reference": lambda shape: _from_dict(RecordingDocument, shape),
        "recording": lambda shape: _from_dict(RecordingDocument, shape),
        "embedding": lambda shape: _from_dict(EmbeddingDocument, shape),
        "items": lambda shape: _from_dict(ItemsDocument, shape),
        "enrolment": lambda shape: _from_dict(EnrolmentDocument, shape),
    },
}

#: By class, each field's reader (or None) and its default. Worked out once: every job that is listed is read here.
_FIELDS: Mapping[type[Any], Mapping[str, Callable[[Any], Any] | None]] = {
    kind: {one.name: readers.get(one.name) for one in fields(kind)} for kind, readers in _READERS.items()
}
_DEFAULTS: Mapping[type[Any], Sequence[tuple[str, Any]]] = {
    kind: tuple(
        (one.name, one.default if one.default_factory is MISSING else one.default_factory()) for one in fields(kind)
    )
    for kind in _READERS
}


def _from_dict(kind: type[Part], shape: Mapping[str, Any]) -> Part:
    known, found = _FIELDS[kind], {}
    for name, value in shape.items():
        if name in known:
            read = known[name]
            found[name] = value if read is None or value is None else read(value)
    return kind(**found)


def _to_dict(part: Any) -> dict[str, Any]:
    shape = {}
    for name, default in _DEFAULTS[type(part)]:
        value = getattr(part, name)
        if value != default:
            shape[name] = _plain(value)
    return shape


def _plain(value: Any) -> Any:
    if type(value) in _DEFAULTS:
        return _to_dict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
