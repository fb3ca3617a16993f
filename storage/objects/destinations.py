"""Destinations: buckets that an administrator named, to which jobs may have their results copied.

``CHORUS_DESTINATIONS=archive=s3://audio-archive/chorus/,partner=s3://partner`` names two. They are reached with the
same endpoint and key as Chorus's own bucket; a client names one and never a bucket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from core.errors import ConfigurationError, FieldError, InvalidRequest

_ENTRY = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9_-]{0,62})=s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A bucket, and the prefix of object names in it (empty, or ending with a slash)."""

    name: str
    bucket: str
    prefix: str


@lru_cache(maxsize=16)
def destinations(setting: str) -> dict[str, Destination]:
    """The destinations that the setting names. Raises `ConfigurationError`."""
    found = {}
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ConfigurationError(f"CHORUS_DESTINATIONS: {entry!r} is not NAME=s3://BUCKET/PREFIX.")
        prefix = (match["prefix"] or "").strip("/")
        found[match["name"]] = Destination(match["name"], match["bucket"], f"{prefix}/" if prefix else "")
    return found


def find_destination(setting: str, name: str) -> Destination:
    """The destination of that name. Raises `InvalidRequest` (``unknown_destination``) naming those there are."""
    there = destinations(setting)
    if name not in there:
        detail = f"The destination {name!r} does not exist. Available: {', '.join(there) or 'none'}."
        fields = [FieldError("output.destination", "unknown_destination", detail)]
        raise InvalidRequest(detail, code="unknown_destination", fields=fields)
    return there[name]
