"""The shapes of responses about use: see `schemas.responses`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.key_responses import KeyId
from schemas.shapes import Count, Seconds, Shape

Day = Annotated[str, Field(json_schema_extra={"format": "date"}, description="In UTC")]


class UsageTotals(Shape):
    """What was used."""

    requests: Annotated[Count, Field(description="Requests with an API key that were let in")]
    jobs: Annotated[Count, Field(description="Jobs created")]
    succeeded: Annotated[Count, Field(description="Jobs that succeeded")]
    failed: Annotated[Count, Field(description="Jobs that failed; a retry may fail again")]
    characters: Annotated[Count, Field(description="Characters of text, without markup")]
    audio_seconds_in: Annotated[Seconds, Field(description="Seconds of recordings and references")]
    audio_seconds_out: Annotated[Seconds, Field(description="Seconds of audio generated")]


class DayUsage(UsageTotals):
    """What one API key used on one day."""

    date: Day
    key: Annotated[KeyId | None, Field(description="The key's id; null without a key. It may be revoked by now")]


class UsageList(Shape):
    """Use by day and API key; days without use are absent."""

    object: Literal["list"]
    data: list[DayUsage]
    totals: UsageTotals
