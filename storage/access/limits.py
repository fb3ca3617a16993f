"""How much an API key or an owner may use.

The settings ``CHORUS_LIMIT_...`` apply to every owner. An owner can have limits of its own, which replace them one by
one; the record of them, ``ch:limits:{owner}``, has a field for each: a number, or nothing for unlimited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import redis

from core.errors import FieldError, InvalidRequest, Unavailable
from core.redis import redis_errors
from core.settings import Settings
from storage.ledger.keys import key

_NUMBER = re.compile(r"[0-9]{1,15}")

#: An owner's name: it begins the names of its objects.
OWNER = r"[a-z0-9][a-z0-9_-]{0,62}"

#: The highest limit of requests per minute, whose times are stored one by one; and of everything else.
MOST_REQUESTS, MOST = 100_000, 10**12


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

#: The names of the limits.
NAMES = tuple(field.name for field in fields(Limits))


def default_limits(settings: Settings) -> Limits:
    """The limits of every owner that has none of its own."""
    return Limits(**{name: getattr(settings, f"limit_{name}") for name in NAMES})


def check_limits(values: Mapping[str, int | None]) -> None:
    """Raises `InvalidRequest` if a limit is unknown or out of range."""
    for name, value in values.items():
        most = MOST_REQUESTS if name == "requests_per_minute" else MOST
        least = 1 if name == "requests_per_minute" else 0
        if name not in NAMES:
            detail = f"There is no limit {name!r}; there are {', '.join(NAMES)}."
            raise InvalidRequest(detail, fields=[FieldError(name, "unknown_field", detail)])
        if value is not None and not least <= value <= most:
            detail = f"The limit must be between {least} and {most}."
            raise InvalidRequest(f"{name}: {detail}", fields=[FieldError(name, "invalid_value", detail)])


def check_owner(owner: str) -> None:
    """Raises `InvalidRequest` unless this can be an owner's name."""
    if not re.fullmatch(OWNER, owner):
        detail = "An owner's name must have 1 to 63 of a-z, 0-9, - and _, and start with a letter or digit."
        raise InvalidRequest(detail, fields=[FieldError("owner", "invalid_value", detail)])


def write_limits(values: Mapping[str, int | None]) -> dict[str, str]:
    """Limits as fields of a record: each a number, or empty for unlimited."""
    return {name: "" if value is None else str(value) for name, value in values.items()}


def read_limits(record: Mapping[str, str]) -> dict[str, int | None]:
    """The limits among the fields of a record. Raises `Unavailable` (``damaged_limits``) if one is no number."""
    found: dict[str, int | None] = {}
    for name in NAMES:
        value = record.get(name)
        if value and not _NUMBER.fullmatch(value):
            raise Unavailable("The limits of this owner or API key are damaged.", code="damaged_limits")
        if value is not None:
            found[name] = int(value) if value else None
    return found


def set_limits(client: redis.Redis, owner: str, values: Mapping[str, int | None]) -> None:
    """Gives ``owner`` limits of its own, in place of all it had; None: unlimited. Limits that are not named are those
    of the settings. Raises `InvalidRequest` and `LedgerUnavailable`."""
    check_owner(owner)
    check_limits(values)
    pipe = client.pipeline()
    pipe.delete(key("limits", owner))
    if values:
        pipe.hset(key("limits", owner), mapping=write_limits(values))  # type: ignore[arg-type]
        pipe.sadd(key("limited"), owner)
    else:
        pipe.srem(key("limited"), owner)
    with redis_errors():
        pipe.execute()


def clear_limits(client: redis.Redis, owner: str) -> None:
    """Takes from ``owner`` its own limits: those of the settings apply again."""
    set_limits(client, owner, {})


def get_limits(client: redis.Redis, owner: str) -> dict[str, int | None]:
    """The limits that are ``owner``'s own, by name; None: unlimited. Raises `LedgerUnavailable`, and `Unavailable`
    (``damaged_limits``)."""
    check_owner(owner)
    with redis_errors():
        record: Any = client.hgetall(key("limits", owner))
    return read_limits({name.decode(): value.decode(errors="replace") for name, value in record.items()})


def list_limits(client: redis.Redis) -> dict[str, dict[str, int | None]]:
    """The owners with limits of their own, by name, and these limits."""
    with redis_errors():
        owners: Any = client.smembers(key("limited"))
    return {owner: get_limits(client, owner) for owner in sorted(name.decode() for name in owners)}


def limits_of(client: redis.Redis, owner: str, defaults: Limits) -> Limits:
    """The limits that apply to ``owner``: its own, and ``defaults`` for the others."""
    return replace(defaults, **get_limits(client, owner))
