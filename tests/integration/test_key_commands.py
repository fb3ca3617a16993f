"""``chorus keys`` and ``chorus limits`` against a real Redis."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import redis
from click.testing import CliRunner, Result

from cli.limit_options import Duration
from cli.main import chorus
from core.errors import ChorusError
from core.names import Scope
from core.redis import connect
from storage.access.admission import Authenticator
from storage.access.keys import DEFAULT_SCOPES, digest_of, get_key, key_id, list_keys
from storage.access.limits import UNLIMITED, Limits, get_limits


@pytest.fixture
def ledger(valkey: str) -> Iterator[redis.Redis]:
    with contextlib.closing(connect(valkey)) as found:
        yield found


@pytest.fixture
def run(valkey: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("CHORUS_REDIS_URL", valkey)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(chorus, words)


def test_keys_are_created_listed_rotated_and_revoked(run: Callable[..., Result], ledger: redis.Redis) -> None:
    options = "--name books --scope jobs:read --scope admin --expires-in 30d --requests-per-minute 60 --open-jobs 0"
    secret = run("keys", "create", "ann", *options.split()).output.strip()
    key = get_key(ledger, key_id(digest_of(secret)))
    assert (key.owner, key.name, key.scopes) == ("ann", "books", {Scope.JOBS_READ, Scope.ADMIN})
    assert key.expires and round(key.expires - key.created) in (30 * 86_400 - 1, 30 * 86_400)
    assert key.limits == Limits(requests_per_minute=60, open_jobs=0)
    new = run("keys", "rotate", key.id, "--overlap", "12h").output.strip()
    door = Authenticator(ledger, UNLIMITED)
    assert door.admit(secret).admitted and door.admit(new).admitted
    listed = run("keys", "list").output
    assert key.id in listed and "admin jobs:read" in listed and secret not in listed
    assert run("keys", "revoke", key.id).exit_code == 0
    assert [key.id for key in list_keys(ledger)] == [key_id(digest_of(new))]
    gone = run("keys", "revoke", key.id)
    assert isinstance(gone.exception, ChorusError) and gone.exception.code == "key_not_found"


def test_a_plain_key_has_the_default_scopes(run: Callable[..., Result], ledger: redis.Redis) -> None:
    secret = run("keys", "create", "ann").output.strip()
    key = get_key(ledger, key_id(digest_of(secret)))
    assert (key.scopes, key.expires, key.limits) == (DEFAULT_SCOPES, None, UNLIMITED)


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "ann", "--scope", "all"),
        ("keys", "create", "ann", "--expires-in", "soon"),
        ("keys", "create", "ann", "--expires-in", "99999d"),
        ("keys", "create", "ann", "--requests-per-minute", "0"),
        ("keys", "create", "Ann"),
        ("limits", "set", "ann"),
        ("limits", "set", "ann", "--open-jobs", "-2"),
        ("limits", "set", "a b", "--open-jobs", "2"),
    ],
)
def test_mistakes_are_told(run: Callable[..., Result], ledger: redis.Redis, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code
    assert ledger.keys("*") == []


def test_limits_are_set_one_by_one(run: Callable[..., Result], ledger: redis.Redis) -> None:
    run("limits", "set", "ann", "--requests-per-minute", "60", "--characters-per-day", "1000000")
    shown = run("limits", "set", "ann", "--requests-per-minute", "unlimited")
    assert get_limits(ledger, "ann") == {"requests_per_minute": None, "characters_per_day": 1_000_000}
    assert "1,000,000" in shown.output and "unlimited" in shown.output
    assert "characters_per_day 1,000,000" in run("limits", "show").output
    assert run("limits", "clear", "ann").exit_code == 0
    assert get_limits(ledger, "ann") == {} and run("limits", "show", "ann").output.count("settings") == 4


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15min", 900), ("12h", 43_200), ("1d", 86_400)]
)
def test_durations_have_units(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds
