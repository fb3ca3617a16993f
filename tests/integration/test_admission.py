"""Admission: keys, their ends and rotations, and limits on requests, against a model in plain Python."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, given, settings

from core.errors import ChorusError, Conflict, InvalidRequest, LedgerUnavailable, NotFound, Unauthorized, Unavailable
from core.names import Scope
from core.redis import connect
from storage.access.admission import Admission, Authenticator
from storage.access.keys import (
    DEFAULT_SCOPES,
    ApiKey,
    create_key,
    digest_of,
    get_key,
    key_id,
    list_keys,
    revoke_key,
    rotate_key,
)
from storage.access.limits import UNLIMITED, Limits, clear_limits, set_limits
from storage.ledger import scripts

MINUTE = 60_000_000


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with contextlib.closing(connect(valkey)) as found:
        yield found


@pytest.fixture
def door(client: redis.Redis) -> Authenticator:
    return Authenticator(client, UNLIMITED)


def id_of(secret: str) -> str:
    return key_id(digest_of(secret))


def record_of(secret: str) -> str:
    return f"ch:key:{digest_of(secret)}"


def refused(door: Authenticator, secret: str) -> bool:
    try:
        door.admit(secret)
    except Unauthorized:
        return True
    return False


def set_back(client: redis.Redis, secret: str, seconds: int) -> None:
    """Let a key have ended ``seconds`` ago."""
    client.hset(record_of(secret), "expires", str(int(client.time()[0]) - seconds))  # type: ignore[index]


# -- limits on requests


@dataclass
class Oracle:
    """What may be admitted: at most ``limit`` in any minute, of a key and of its owner."""

    times: dict[str, list[int]] = field(default_factory=dict)

    def admit(self, now: int, limits: dict[str, int | None]) -> tuple[bool, list[tuple[int, int, int]]]:
        recent = {
            name: [t for t in self.times.get(name, []) if now - MINUTE < t <= now]
            for name, limit in limits.items()
            if limit is not None
        }
        admitted = all(len(times) < (limits[name] or 0) for name, times in recent.items())
        quotas = []
        for name, times in recent.items():
            limit = limits[name] or 0
            if admitted:
                self.times.setdefault(name, []).append(now)
                times.append(now)
            # More are admitted once so many have left that fewer than the limit remain.
            leaving = sorted(t + MINUTE - now for t in times)
            wait = leaving[max(0, len(times) - limit)] if times else 0
            quotas.append((limit, max(0, limit - len(times)), wait))
        return admitted, quotas


class Clock(scripts.Scripts):
    """The scripts, at a time of the test's choice."""

    now = 0

    def run(self, name: str, **arguments: Any) -> Any:
        return super().run(name, time=[str(self.now // 10**6), str(self.now % 10**6)], **arguments)


@pytest.fixture
def clock(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Clock:
    source = scripts._source

    def at(name: str) -> str:
        text, asks = source(name), "local time = call('TIME')"
        assert text.count(asks) == 1
        return text.replace(asks, "local time = A.time")

    monkeypatch.setattr(scripts, "_source", at)
    return Clock(client)


STEP = st.tuples(
    st.one_of(st.sampled_from([0, 1, MINUTE - 1, MINUTE, MINUTE + 1]), st.integers(0, MINUTE // 3)),
    st.sampled_from("ab"),
    st.one_of(st.none(), st.none(), st.sampled_from([1, 2, 3, 7])),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(STEP, min_size=1, max_size=40),
    limits=st.tuples(*[st.one_of(st.none(), st.integers(1, 6))] * 3),
)
def test_any_sequence_is_admitted_as_the_model_says(
    client: redis.Redis, clock: Clock, steps: list[tuple[int, str, int | None]], limits: tuple[int | None, ...]
) -> None:
    client.flushall()
    door = Authenticator(client, Limits(requests_per_minute=limits[2]))
    door._scripts = clock
    clock.now, oracle, owner_limit = 1_800_000_000 * 10**6, Oracle(), limits[2]
    secrets = {
        name: create_key(client_at(client, clock), "ann", limits=Limits(requests_per_minute=limit))
        for name, limit in zip("ab", limits[:2], strict=True)
    }
    for pause, name, changed in steps:
        clock.now += pause
        if changed is not None:  # the owner's limit changes while requests are counted
            set_limits(client, "ann", {"requests_per_minute": changed})
            owner_limit = changed
        peeked = door.peek(secrets[name])
        expected, quotas = oracle.admit(clock.now, {name: limits["ab".index(name)], "owner": owner_limit})
        found = door.admit(secrets[name])
        assert found.admitted == peeked.admitted == expected
        assert [(one.limit, one.remaining, round(one.reset * 1e6)) for one in found.quotas] == quotas
        if not expected:
            longest = max(wait for limit, left, wait in quotas if not left)
            assert round(found.retry_after * 1e6) == longest


def client_at(client: redis.Redis, clock: Clock) -> Any:
    """A stand-in for ``client`` whose scripts run at the clock's time."""
    script = scripts._source("save_key")

    class AtTime:
        def register_script(self, _text: str) -> Any:
            def call(args: list[bytes]) -> Any:
                import msgpack

                moment = [str(clock.now // 10**6), str(clock.now % 10**6)]
                packed = msgpack.packb({**msgpack.unpackb(args[0]), "time": moment})
                return client.register_script(script)(args=[packed])

            return call

    return AtTime()


def test_requests_of_two_keys_count_for_their_owner(client: redis.Redis, door: Authenticator) -> None:
    set_limits(client, "ann", {"requests_per_minute": 5})
    first, second = create_key(client, "ann"), create_key(client, "ann", limits=Limits(requests_per_minute=2))
    other = create_key(client, "bob")
    assert [door.admit(second).admitted for _ in range(4)] == [True, True, False, False]
    assert [door.admit(first).admitted for _ in range(5)] == [True, True, True, False, False]
    assert door.admit(other).admitted and not door.admit(other).quotas
    clear_limits(client, "ann")
    assert door.admit(first).admitted and not door.admit(second).admitted


def test_the_tighter_limit_is_shown(client: redis.Redis, door: Authenticator) -> None:
    set_limits(client, "ann", {"requests_per_minute": 5})
    secret = create_key(client, "ann", limits=Limits(requests_per_minute=2))
    tighter = door.admit(secret).tighter
    assert tighter and (tighter.limit, tighter.remaining) == (2, 1) and 59 < tighter.reset <= 60
    set_limits(client, "ann", {"requests_per_minute": 1})
    tighter = door.admit(secret).tighter
    assert tighter and (tighter.limit, tighter.remaining) == (1, 0)


def test_a_burst_of_threads_gets_exactly_what_is_allowed(client: redis.Redis, door: Authenticator) -> None:
    secret = create_key(client, "ann", limits=Limits(requests_per_minute=30))
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(door.admit(secret).admitted)) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), sum(found)) == (100, 30)


def test_what_was_counted_is_forgotten(client: redis.Redis, door: Authenticator) -> None:
    secret = create_key(client, "ann", limits=Limits(requests_per_minute=30))
    door.admit(secret)
    [name] = client.keys("ch:requests:*")  # type: ignore[misc]
    assert 60 <= client.ttl(name) <= 120  # type: ignore[operator]
    revoke_key(client, id_of(secret))
    assert [name.split(b":")[1] for name in client.keys("ch:*")] == [b"usage"]  # type: ignore[union-attr]


def test_a_clock_that_is_set_back_locks_nobody_out_for_long(client: redis.Redis, clock: Clock) -> None:
    door = Authenticator(client, Limits(requests_per_minute=1))
    door._scripts = clock
    clock.now = 1_800_000_000 * 10**6
    secret = create_key(client_at(client, clock), "ann")
    assert door.admit(secret).admitted
    clock.now -= 3600 * 10**6
    assert door.admit(secret).admitted and not door.admit(secret).admitted


# -- last use, ends


def test_the_last_use_is_noted_once_a_minute(client: redis.Redis, door: Authenticator, clock: Clock) -> None:
    door._scripts = clock
    clock.now = 1_800_000_000 * 10**6
    secret = create_key(client_at(client, clock), "ann")
    assert get_key(client, id_of(secret)).last_used is None
    door.peek(secret)
    assert get_key(client, id_of(secret)).last_used is None
    noted = []
    for _ in range(5):
        door.admit(secret)
        noted.append(get_key(client, id_of(secret)).last_used)
        clock.now += 25 * 10**6
    assert [moment - 1_800_000_000 for moment in noted if moment] == [0, 0, 0, 75, 75]


def test_a_key_ends_when_it_is_to(client: redis.Redis, door: Authenticator, clock: Clock) -> None:
    door._scripts = clock
    clock.now = 1_800_000_000 * 10**6 + 999_999
    secret = create_key(client_at(client, clock), "ann", expires_in=10)
    clock.now += 9 * 10**6
    assert door.admit(secret).key.expires == 1_800_000_010
    assert door.is_valid(secret, "ann")
    clock.now += 10**6
    assert refused(door, secret) and not door.is_valid(secret, "ann")
    with pytest.raises(Unauthorized):
        door.peek(secret)
    [key] = list_keys(client)
    assert key.last_used == 1_800_000_009


def test_an_ended_key_is_listed_for_a_while(client: redis.Redis) -> None:
    secret = create_key(client, "ann", expires_in=3600)
    assert 30 * 86_400 < client.ttl(record_of(secret)) <= 30 * 86_400 + 3600  # type: ignore[operator]
    client.delete(record_of(secret))  # as Redis does then
    assert list_keys(client) == [] and client.scard("ch:keys") == 0


def test_a_key_of_before_has_the_default_scopes(client: redis.Redis, door: Authenticator) -> None:
    secret = "chorus_of-before"
    record = {"owner": "ann", "name": "", "created": "1700000000.25", "max_expires_in": ""}
    client.hset(record_of(secret), mapping=record)  # type: ignore[arg-type]
    client.sadd("ch:keys", digest_of(secret))
    found = door.admit(secret)
    assert found.caller.scopes == DEFAULT_SCOPES and Scope.ADMIN not in DEFAULT_SCOPES
    assert found.key.created == 1_700_000_000.25 and found.key.expires is None and found.key.limits == UNLIMITED


# -- faults


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": "jobs:read root"},
        {"scopes": ""},
        {"scopes": "jobs:read,admin"},
        {"owner": None},
        {"owner": ""},
        {"owner": "a:b"},
        {"owner": "x" * 64},
        {"created": None},
        {"created": "nan"},
        {"created": "inf"},
        {"created": "1e300"},
        {"name": None},
        {"name": b"\xff"},
        {"expires": "soon"},
        {"expires": "-1"},
        {"expires": "1e99"},
        {"expires": "9" * 15},
        {"expires": "0x7fffffff"},
        {"max_expires_in": "1.5"},
        {"requests_per_minute": "many"},
        {"requests_per_minute": " 5"},
        {"requests_per_minute": "9" * 400},
        {"open_jobs": "-3"},
        {"characters_per_day": "\n1"},
    ],
)
def test_a_damaged_key_lets_nobody_in(client: redis.Redis, door: Authenticator, changes: dict[str, Any]) -> None:
    secret = create_key(client, "ann", expires_in=1000, limits=Limits(requests_per_minute=9, open_jobs=1))
    good = create_key(client, "ann")
    for name, value in changes.items():
        client.hdel(record_of(secret), name) if value is None else client.hset(record_of(secret), name, value)
    assert refused(door, secret) and not refused(door, good)
    assert [key.id for key in list_keys(client)] == [id_of(good)]
    for call in (get_key, rotate_key):
        with pytest.raises(NotFound):
            call(client, id_of(secret))  # type: ignore[operator]
    revoke_key(client, id_of(secret))
    assert client.scard("ch:keys") == 1


def test_records_of_another_type_let_nobody_in(client: redis.Redis, door: Authenticator) -> None:
    secret = create_key(client, "ann", limits=Limits(requests_per_minute=9))
    client.set("ch:limits:ann", "1")
    with pytest.raises(Unavailable):
        door.admit(secret)
    client.delete("ch:limits:ann")
    client.set(f"ch:requests:key:{digest_of(secret)}", "1")
    with pytest.raises(LedgerUnavailable):
        door.admit(secret)
    client.set(record_of(secret), "admin")
    assert refused(door, secret) and list_keys(client) == []


@pytest.mark.parametrize("value", ["", "-1", "many", "0", "1e3", "9" * 16])
def test_damaged_limits_of_an_owner_let_nobody_in(client: redis.Redis, door: Authenticator, value: str) -> None:
    secret = create_key(client, "ann")
    client.hset("ch:limits:ann", "requests_per_minute", value)
    if value == "":  # unlimited
        assert door.admit(secret).admitted
        return
    with pytest.raises(Unavailable, match="damaged"):
        door.admit(secret)


def test_a_full_redis_lets_results_be_read_and_still_counts(client: redis.Redis, door: Authenticator) -> None:
    free, limited = create_key(client, "ann"), create_key(client, "bob", limits=Limits(requests_per_minute=3))
    client.config_set("maxmemory", 1)
    try:
        assert door.admit(free).admitted
        assert [door.admit(limited).admitted for _ in range(5)] == [True, True, True, False, False]
    finally:
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("secret", ["", " ", "chorus_", "k" * 201, "k" * 100_000, "schlüssel", "\udcff", "a\0b", "*"])
def test_odd_secrets_are_no_keys(client: redis.Redis, door: Authenticator, secret: str) -> None:
    create_key(client, "ann")
    assert refused(door, secret) and not door.is_valid(secret, "ann")


def test_an_id_or_a_digest_is_no_secret(client: redis.Redis, door: Authenticator) -> None:
    secret = create_key(client, "ann")
    for guess in (id_of(secret), digest_of(secret), digest_of(secret)[:16], secret[:-1], secret + "x", secret.upper()):
        assert refused(door, guess)
    stored = b"".join(client.dump(name) or b"" for name in client.keys("*"))  # type: ignore[union-attr,misc]
    assert secret.encode() not in stored and secret.removeprefix("chorus_").encode() not in stored


@pytest.mark.parametrize(
    "wrong",
    [
        {"owner": "Ann"},
        {"owner": "a/../b"},
        {"owner": "ann\n"},
        {"owner": "ä"},
        {"owner": "x" * 64},
        {"scopes": frozenset()},
        {"expires_in": 0},
        {"expires_in": 10**10},
        {"expires_in": -1},
        {"max_expires_in": 59},
        {"limits": Limits(requests_per_minute=0)},
        {"limits": Limits(open_jobs=-1)},
        {"limits": Limits(audio_seconds_per_day=10**13)},
    ],
)
def test_such_a_key_is_not_created(client: redis.Redis, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        create_key(client, **{"owner": "ann", **wrong})
    assert client.keys("*") == []


# -- rotation


def test_a_rotated_key_and_its_successor_overlap(client: redis.Redis, door: Authenticator) -> None:
    limits = Limits(requests_per_minute=40, open_jobs=3)
    scopes = frozenset((Scope.JOBS_READ, Scope.ADMIN))
    old = create_key(client, "ann", "for the books", scopes=scopes, limits=limits, max_expires_in=3600)
    door.admit(old)
    new = rotate_key(client, id_of(old), overlap=100)
    assert not refused(door, old) and not refused(door, new)
    before, after = get_key(client, id_of(old)), get_key(client, id_of(new))
    assert (after.owner, after.name, after.scopes, after.limits) == ("ann", "for the books", scopes, limits)
    assert (after.max_expires_in, after.expires, after.replaced_by) == (3600, None, None)
    assert before.replaced_by == after.id and before.expires
    assert 98 <= before.expires - int(client.time()[0]) <= 100  # type: ignore[index]
    set_back(client, old, 0)
    assert refused(door, old) and not refused(door, new)
    with pytest.raises(Conflict) as ended:
        rotate_key(client, id_of(old))
    assert ended.value.code == "key_ended"


def test_without_an_overlap_the_old_key_ends_at_once(client: redis.Redis, door: Authenticator) -> None:
    old = create_key(client, "ann")
    new = rotate_key(client, id_of(old), overlap=0)
    assert refused(door, old) and not refused(door, new)


def test_a_rotation_never_lengthens_a_life(client: redis.Redis) -> None:
    old = create_key(client, "ann", expires_in=500)
    expires = get_key(client, id_of(old)).expires
    new = rotate_key(client, id_of(old), overlap=86_400)
    assert get_key(client, id_of(old)).expires == expires
    successor = get_key(client, id_of(new))
    assert successor.expires and 498 <= successor.expires - successor.created <= 501
    last = get_key(client, id_of(rotate_key(client, successor.id, expires_in=50)))
    assert last.expires and 48 <= last.expires - last.created <= 50


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, 10**12])
def test_an_overlap_is_bounded(client: redis.Redis, overlap: int) -> None:
    old = create_key(client, "ann")
    with pytest.raises(InvalidRequest):
        rotate_key(client, id_of(old), overlap=overlap)
    assert len(list_keys(client)) == 1


def at_once(*calls: Any) -> list[Any]:
    """What the calls give, or their errors."""
    found: list[Any] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Any) -> None:
        barrier.wait()
        try:
            found.append(call())
        except ChorusError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_rotations_at_once_one_succeeds(client: redis.Redis, door: Authenticator) -> None:
    for _ in range(20):
        old = create_key(client, "ann")
        found = at_once(*[lambda old=old: rotate_key(client, id_of(old))] * 4)
        secrets = [one for one in found if isinstance(one, str)]
        assert len(secrets) == 1 and not refused(door, secrets[0])
        assert {one.code for one in found if isinstance(one, ChorusError)} == {"key_replaced"}


def test_a_key_that_is_revoked_during_a_rotation_is_gone(client: redis.Redis, door: Authenticator) -> None:
    rotated = 0
    for _ in range(20):
        old = create_key(client, "ann")
        found = at_once(lambda old=old: rotate_key(client, id_of(old)), lambda old=old: revoke_key(client, id_of(old)))
        assert refused(door, old) and id_of(old) not in {key.id for key in list_keys(client)}
        errors = [one for one in found if isinstance(one, ChorusError)]
        assert all(isinstance(error, NotFound) for error in errors)
        rotated += any(isinstance(one, str) for one in found)
    assert len(list_keys(client)) == rotated


def test_a_revoked_key_cannot_be_revived(client: redis.Redis, door: Authenticator) -> None:
    secret = create_key(client, "ann")
    door.admit(secret)
    revoke_key(client, id_of(secret))
    for call in (lambda: revoke_key(client, id_of(secret)), lambda: rotate_key(client, id_of(secret))):
        with pytest.raises(NotFound):
            call()
    assert refused(door, secret)
    assert [name.split(b":")[1] for name in client.keys("*")] == [b"usage"]  # type: ignore[union-attr]


def test_a_caller_knows_its_limits(client: redis.Redis) -> None:
    door = Authenticator(client, Limits(open_jobs=7, characters_per_day=100))
    secret = create_key(client, "ann", limits=Limits(open_jobs=2), max_expires_in=60)
    set_limits(client, "ann", {"characters_per_day": None, "audio_seconds_per_day": 50})
    found: Admission = door.admit(secret)
    assert found.caller.key_limits == Limits(open_jobs=2)
    assert found.caller.owner_limits == Limits(open_jobs=7, audio_seconds_per_day=50)
    assert (found.caller.owner, found.caller.key, found.caller.max_expires_in) == ("ann", id_of(secret), 60)


def test_keys_are_listed_by_age(client: redis.Redis) -> None:
    for name in ("first", "second"):
        create_key(client, "ann", name)
        time.sleep(0.01)
    keys: list[ApiKey] = list_keys(client)
    assert [key.name for key in keys] == ["first", "second"]
