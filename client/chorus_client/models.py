"""The API's responses as frozen dataclasses. Unknown fields are only kept in ``raw``.

Times are RFC 3339 strings as the API sends them, durations are in seconds, sample rates in Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Self, TypeVar

Json = Mapping[str, Any]
T = TypeVar("T")

#: States in which nothing more comes.
ENDED = frozenset({"succeeded", "failed", "canceled", "expired"})


def _known(kind: Any, data: Json) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


@dataclass(frozen=True, slots=True)
class Problem:
    """The error of a job, an utterance or an item."""

    code: str = "error"
    message: str = ""
    step: str | None = None
    retryable: bool = False
    utterance: int | None = None
    chapter: int | None = None  #: of a failed utterance, and its place there in characters
    start: int | None = None
    end: int | None = None
    line: int | None = None
    custom_id: str | None = None

    @classmethod
    def of(cls, data: Json | None) -> Self | None:
        return cls(**_known(cls, data)) if data else None


@dataclass(frozen=True, slots=True)
class TextWarning:
    """A stretch of a job's text, in characters of its chapter, that was left out; or markup that has no effect."""

    code: str
    message: str = ""
    chapter: int = 0
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job."""

    name: str
    state: str
    model: str | None = None
    started: str | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job, in utterances; ``eta`` is in seconds."""

    done: int = 0
    total: int = 0
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """A finished job's audio. Anyone who has ``url`` may be able to download it for an hour."""

    url: str = field(repr=False)
    format: str
    duration: float
    sample_rate: int
    bytes: int
    sha256: str
    destination: str | None = None
    loudness: float | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Timestamps:
    """The file that says when a finished job's utterances, or words too, are said; `Client.timestamps` reads it."""

    url: str = field(repr=False)
    utterances: int
    words: int | None
    method: str | None
    bytes: int
    sha256: str
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Subtitles:
    """A finished job's subtitles; `Client.subtitles` reads them."""

    url: str = field(repr=False)
    format: str
    cues: int
    method: str | None
    bytes: int
    sha256: str
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job. Fields that its pipeline does not produce are None."""

    audio: Audio | None = None
    characters: int | None = None
    seed: int | None = None
    timestamps: Timestamps | None = None
    subtitles: Subtitles | None = None
    embedding: Json | None = None
    segments: list[Json] | None = None
    transcript: Json | None = None
    match: Json | None = None
    chapters: list[Json] | None = None
    utterances: Json | None = None  #: of jobs with ``output={"utterances": True}``; see `Client.utterances`
    duration: float | None = None
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json | None) -> Self | None:
        if data is None:
            return None
        files = {"audio": Audio, "timestamps": Timestamps, "subtitles": Subtitles}
        read = {name: kind(**_known(kind, data[name])) if data.get(name) else None for name, kind in files.items()}
        return cls(**{**_known(cls, data), **read, "raw": data})


@dataclass(frozen=True, slots=True)
class Job:
    """A job at the time of the request."""

    id: str
    state: str
    pipeline: str | None = None
    custom_id: str | None = None
    batch: str | None = None
    created: str | None = None
    started: str | None = None
    ended: str | None = None
    expires: str | None = None
    step: str | None = None
    steps: tuple[Step, ...] = ()
    progress: Progress = field(default_factory=Progress)
    result: Result | None = None
    error: Problem | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[TextWarning, ...] = ()
    lexicons: tuple[Json, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    raw: Json = field(default_factory=dict, repr=False)

    @property
    def done(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(
            **{
                **_known(cls, data),
                "steps": tuple(Step(**_known(Step, s)) for s in data.get("steps", ())),
                "progress": Progress(**_known(Progress, data.get("progress") or {})),
                "result": Result.of(data.get("result")),
                "error": Problem.of(data.get("error")),
                "errors": tuple(p for e in data.get("errors", ()) if (p := Problem.of(e))),
                "warnings": tuple(TextWarning(**_known(TextWarning, w)) for w in data.get("warnings", ())),
                "lexicons": tuple(data.get("lexicons", ())),
                "raw": data,
            }
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of a batch's jobs in each state."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at the time of the request."""

    id: str
    state: str
    counts: Counts
    created: str | None = None
    ended: str | None = None
    error: Problem | None = None
    errors: tuple[Problem, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    raw: Json = field(default_factory=dict, repr=False)

    @property
    def done(self) -> bool:
        """Whether the state is final."""
        return self.state in ("completed", "failed", "canceled")

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(
            **{
                **_known(cls, data),
                "counts": Counts(**_known(Counts, data.get("counts") or {})),
                "error": Problem.of(data.get("error")),
                "errors": tuple(p for e in data.get("errors", ()) if (p := Problem.of(e))),
                "raw": data,
            }
        )


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: one of a model, or a stored one with its ``state``."""

    id: str
    name: str | None = None
    state: str = "ready"
    pipelines: tuple[str, ...] = ()
    language: str | None = None
    consent: str | None = None
    created: str | None = None
    error: Problem | None = None
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        more = {"pipelines": tuple(data.get("pipelines", ())), "error": Problem.of(data.get("error")), "raw": data}
        return cls(**{**_known(cls, data), **more})


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """How a word or phrase is said: as other words (``say``), or as phonemes (``ipa``)."""

    word: str
    say: str | None = None
    ipa: str | None = None
    case_sensitive: bool = False
    whole_word: bool = True

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A version of a lexicon; in lists without its ``entries``."""

    id: str
    name: str = ""
    language: str = ""
    version: int = 1
    size: int = 0
    entries: tuple[LexiconEntry, ...] = ()
    created: str | None = None
    updated: str | None = None
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        entries = tuple(map(LexiconEntry.of, data.get("entries", ())))
        return cls(**{**_known(cls, data), "entries": entries, "raw": data})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotals:
    """What was used: counts, and seconds of audio in recordings and in results."""

    requests: int = 0
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    characters: int = 0
    audio_seconds_in: float = 0.0
    audio_seconds_out: float = 0.0

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(**_known(cls, data))

    @staticmethod
    def names() -> tuple[str, ...]:
        """The names of what is counted."""
        return tuple(f.name for f in fields(UsageTotals))


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage(UsageTotals):
    """What one API key used on one day (YYYY-MM-DD, in UTC); ``key`` is its id."""

    date: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Use by day and API key, and the totals."""

    data: tuple[DayUsage, ...]
    totals: UsageTotals
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(tuple(map(DayUsage.of, data["data"])), UsageTotals.of(data["totals"]), data)


@dataclass(frozen=True, slots=True)
class PreviewedUtterance:
    """An utterance as it would be spoken: ``text`` as it is written, ``spoken`` its words, ``phonemes`` as the model
    gets them. ``start`` and ``end`` are characters of its chapter."""

    text: str
    spoken: str = ""
    phonemes: str | None = None
    chapter: int = 0
    start: int = 0
    end: int = 0
    pause: float = 0.0
    seconds: float = 0.0
    error: Problem | None = None

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(**{**_known(cls, data), "error": Problem.of(data.get("error"))})


@dataclass(frozen=True, slots=True)
class TextPreview:
    """What would be spoken of a text; ``seconds`` are expected ones, with pauses."""

    pipeline: str
    model: str
    voice: str | None = None
    language: str | None = None
    characters: int = 0
    seconds: float = 0.0
    utterances: tuple[PreviewedUtterance, ...] = ()
    warnings: tuple[TextWarning, ...] = ()
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(
            **{
                **_known(cls, data),
                "utterances": tuple(map(PreviewedUtterance.of, data.get("utterances", ()))),
                "warnings": tuple(TextWarning(**_known(TextWarning, w)) for w in data.get("warnings", ())),
                "raw": data,
            }
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload. Anyone who has ``url`` and ``fields`` may be able to write to it."""

    id: str
    url: str = field(repr=False)
    max_bytes: int | None = None
    method: str = "PUT"
    fields: Mapping[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """A webhook endpoint. ``secret`` is only set when it has just been created."""

    id: str
    url: str = ""
    events: tuple[str, ...] = ()
    enabled: bool = True
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Json) -> Self:
        return cls(**{**_known(cls, data), "events": tuple(data.get("events", ())), "raw": data})


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a job; ``id`` is None for progress."""

    type: str
    data: Json
    id: str | None = None

    @property
    def last(self) -> bool:
        """Whether the state is final."""
        return self.type in ("job.succeeded", "job.failed", "job.canceled")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list; ``next`` is the cursor of the next page."""

    data: tuple[T, ...]
    next: str | None
