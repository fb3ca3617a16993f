"""How much an API key or an owner may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one API key, or of one owner with all keys together; None: unlimited.

    ``requests_per_minute`` counts over any 60 seconds. The others count per day, in UTC, when a job is created:
    the characters of its text without markup, and the seconds of its recordings. ``open_jobs`` counts jobs that have
    not ended.
    """

    requests_per_minute: int | None = None
    open_jobs: int | None = None
    characters_per_day: int | None = None
    audio_seconds_per_day: int | None = None


UNLIMITED = Limits()
