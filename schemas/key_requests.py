"""The shapes of requests about API keys and limits. An unknown field is an error that names it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from core.names import Scope
from schemas.requests import Retention, whole
from storage.access.keys import DEFAULT_SCOPES, LONGEST_LIFE, LONGEST_OVERLAP, OVERLAP
from storage.access.limits import MOST, MOST_REQUESTS, OWNER

_Strict = ConfigDict(extra="forbid", hide_input_in_errors=True)


Owner = Annotated[str, StringConstraints(pattern=f"^{OWNER}$", max_length=63)]
Requests = Annotated[int, Strict(), Field(ge=1, le=MOST_REQUESTS), BeforeValidator(whole)]
Most = Annotated[int, Strict(), Field(ge=0, le=MOST), BeforeValidator(whole)]
Life = Annotated[int, Strict(), Field(ge=1, le=LONGEST_LIFE), BeforeValidator(whole)]
Overlap = Annotated[int, Strict(), Field(ge=0, le=LONGEST_OVERLAP), BeforeValidator(whole)]


class LimitsRequest(BaseModel):
    """Limits of an API key or an owner; null: unlimited."""

    model_config = _Strict
    requests_per_minute: Requests | None = None
    open_jobs: Most | None = None
    characters_per_day: Most | None = None
    audio_seconds_per_day: Most | None = None


class KeyRequest(BaseModel):
    """A new API key."""

    model_config = _Strict
    owner: Owner
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = Field(
        default_factory=lambda: sorted(DEFAULT_SCOPES)
    )
    expires_in: Life | None = None
    limits: LimitsRequest = LimitsRequest()
    max_expires_in: Retention | None = None


class RotationRequest(BaseModel):
    """How an API key is rotated: the seconds that the old one remains valid, and those that the new one lives."""

    model_config = _Strict
    overlap: Overlap = OVERLAP
    expires_in: Life | None = None
