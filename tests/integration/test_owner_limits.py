"""The limits of owners: their own, one by one, before those of the settings."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidRequest, Unavailable
from core.redis import connect
from core.settings import Settings
from storage.access.limits import (
    UNLIMITED,
    Limits,
    clear_limits,
    default_limits,
    get_limits,
    limits_of,
    list_limits,
    set_limits,
)


def test_without_settings_nothing_is_limited() -> None:
    assert default_limits(Settings()) == UNLIMITED
    found = default_limits(Settings(limit_requests_per_minute=30, limit_characters_per_day=0))
    assert found == Limits(requests_per_minute=30, characters_per_day=0)


def test_an_owners_limits_replace_those_of_the_settings_one_by_one(valkey: str) -> None:
    client, defaults = connect(valkey), Limits(requests_per_minute=30, open_jobs=5)
    assert limits_of(client, "ann", defaults) == defaults
    set_limits(client, "ann", {"requests_per_minute": 60, "open_jobs": None, "audio_seconds_per_day": 0})
    assert limits_of(client, "ann", defaults) == Limits(requests_per_minute=60, audio_seconds_per_day=0)
    assert limits_of(client, "bob", defaults) == defaults
    set_limits(client, "ann", {"characters_per_day": 1})
    assert get_limits(client, "ann") == {"characters_per_day": 1}
    assert list_limits(client) == {"ann": {"characters_per_day": 1}}
    clear_limits(client, "ann")
    assert (list_limits(client), limits_of(client, "ann", defaults)) == ({}, defaults)


@pytest.mark.parametrize(
    ("owner", "values"),
    [
        ("ann", {"requests_per_minute": 0}),
        ("ann", {"requests_per_minute": 100_001}),
        ("ann", {"open_jobs": -1}),
        ("ann", {"characters_per_day": 10**13}),
        ("ann", {"speed": 1}),
        ("", {}),
        ("a:b", {"open_jobs": 1}),
        ("ann\n", {"open_jobs": 1}),
        ("Änn", {"open_jobs": 1}),
    ],
)
def test_others_are_refused(valkey: str, owner: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        set_limits(connect(valkey), owner, values)
    assert list_limits(connect(valkey)) == {}


@pytest.mark.parametrize("value", [b"many", b"-1", b"1e3", b"9" * 16, b"\xff", b" 5"])
def test_damaged_limits_are_no_limits(valkey: str, value: bytes) -> None:
    client = connect(valkey)
    client.hset("ch:limits:ann", "requests_per_minute", value)  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="damaged"):
        limits_of(client, "ann", UNLIMITED)
