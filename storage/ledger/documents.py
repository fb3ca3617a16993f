"""A job's document: what its steps need to know, without its text. It is written once and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from core.names import AudioFormat, Normalize

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDocument:
    """The format of the audio."""

    format: AudioFormat = AudioFormat.WAV
    sample_rate: int | None = None  #: Hz; None keeps the voice's own
    loudness: float | None = None  #: LUFS over the whole
    destination: str | None = None


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
    voice, ``enrolment`` names the voice."""

    owner: str
    pipeline: str
    gives: str = ""
    language: str | None = None
    voice: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    output: OutputDocument = field(default_factory=OutputDocument)
    characters: int = 0
    normalize: Normalize = Normalize.AUTO
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

    def objects(self) -> list[str]:
        """The objects that the job needs: recordings and embeddings."""
        brought = (self.reference, self.recording, self.embedding)
        return [part.object for part in brought if part is not None and part.object is not None]

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON, without fields that have their default."""
        return _to_dict(self)

    def packed(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_dict(shape: Mapping[str, Any]) -> JobDocument:
        """The document from `to_dict`; fields of other versions are ignored."""
        found = dict(shape)
        for name, kind in _PARTS.items():
            if found.get(name) is not None:
                found[name] = _from_dict(kind, found[name])
        if found.get("segments") is not None:
            found["segments"] = tuple((start, end) for start, end in found["segments"])
        if "normalize" in found:
            found["normalize"] = Normalize(found["normalize"])
        return _from_dict(JobDocument, found)


_PARTS: Mapping[str, type[Any]] = {
    "output": OutputDocument,
    "reference": RecordingDocument,
    "recording": RecordingDocument,
    "embedding": EmbeddingDocument,
    "items": ItemsDocument,
    "enrolment": EnrolmentDocument,
}

_NAMES: dict[type[Any], frozenset[str]] = {}


def _to_dict(part: Any) -> dict[str, Any]:
    shape = {}
    for one in fields(part):
        value = getattr(part, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if value != default:
            shape[one.name] = _plain(value)
    return shape


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return _to_dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value


def _from_dict(kind: type[Part], shape: Mapping[str, Any]) -> Part:
    if kind not in _NAMES:
        _NAMES[kind] = frozenset(one.name for one in fields(kind))  # type: ignore[arg-type]
    found = {name: value for name, value in shape.items() if name in _NAMES[kind]}
    if kind is OutputDocument and "format" in found:
        found["format"] = AudioFormat(found["format"])
    if kind is RecordingDocument and "parts" in found:
        found["parts"] = tuple(_from_dict(RecordingDocument, one) for one in found["parts"])
    return kind(**found)
