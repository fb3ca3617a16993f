"""The outputs of a job's steps so far, for the following steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

#: Fields that are stored as plain names. All others are JSON.
_NAMES = frozenset(
    {"samples", "samples_22k", "sha256", "source", "source_sha256", "segments_object", "embedding", "voice", "cover"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutputs:
    """The outputs of steps, each None until a step has given it. Names are those of objects."""

    samples: str | None = None  #: the recording that is listened to, decoded to 16 kHz, an object
    samples_22k: str | None = None  #: the same, decoded to 22,050 Hz for models that hear that
    sha256: str | None = None  #: of the recording as it was brought, hexadecimal
    source: str | None = None  #: the recording that is converted, decoded to its converter's rate, an object
    source_sha256: str | None = None
    recordings: Sequence[str] | None = None  #: the objects that all these were decoded from
    segments: Sequence[tuple[float, float]] | None = None  #: start and end of each stretch of speech, in seconds
    segments_object: str | None = None
    embedding: str | None = None  #: the speaker embedding, an object
    cover: str | None = None  #: the cover picture of the audio, where it was behind a URL, an object
    voice: str | None = None  #: the stock voice that was matched
    match: Mapping[str, Any] | None = None  #: that voice, its model and how similar it is
    chapters: Sequence[tuple[str, int]] | None = None  #: title and first utterance of each
    prepared: Mapping[str, Any] | None = None  #: how far a long text is prepared: see `workers.steps.prepare`

    def packed(self) -> dict[str, str]:
        """The fields as stored in the ledger, without empty ones. Each object is a separate field, because scripts
        count its users."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "recordings"}
        packed = {n: value if n in _NAMES else json.dumps(value) for n, value in given.items() if value is not None}
        return packed | {f"recording_{n}": name for n, name in enumerate(self.recordings or ())}

    @staticmethod
    def unpack(packed: Mapping[str, str]) -> StepOutputs:
        """The outputs from the fields of `packed`."""
        known = {field.name for field in fields(StepOutputs)}
        given: dict[str, Any] = {n: v if n in _NAMES else json.loads(v) for n, v in packed.items() if n in known}
        numbered = {int(n.removeprefix("recording_")): v for n, v in packed.items() if n.startswith("recording_")}
        recordings = [numbered[number] for number in sorted(numbered)]
        return StepOutputs(**given, recordings=recordings or None)

    def joined(self, other: StepOutputs) -> StepOutputs:
        """These outputs and those that ``other`` has besides."""
        more = {f.name: value for f in fields(other) if (value := getattr(other, f.name)) is not None}
        return replace(self, **more)
