"""API keys: created, listed, rotated and revoked.

A key's record is stored in Redis by the SHA-256 of its secret, so neither the ledger nor its backups reveal the secret.
Its id is the beginning of that digest. `storage.access.admission` looks a key up at every request.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import redis

from core.errors import ChorusError, Conflict, FieldError, InvalidRequest, NotFound, Unavailable
from core.names import Scope
from core.redis import redis_errors
from storage.access.limits import UNLIMITED, Limits, check_limits, check_owner, read_limits, write_limits
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts

log = logging.getLogger(__name__)

#: The scopes of a key for which none are named, and of keys that were stored before there were scopes.
DEFAULT_SCOPES = frozenset((Scope.JOBS_WRITE, Scope.JOBS_READ, Scope.VOICES_WRITE))

#: Seconds that a key may live, at most, and that a rotated key may remain valid; by default.
LONGEST_LIFE, LONGEST_OVERLAP, OVERLAP = 10 * 365 * 86_400, 30 * 86_400, 86_400

#: A key's id.
KEY_ID = r"key_[0-9a-f]{16}"

_SHORTEST_RETENTION = 60
_NUMBER = re.compile(r"[0-9]{1,11}")

#: Unix seconds that no stored time reaches: dates can be written until then.
_LATEST = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored API key, without its secret. Times are Unix seconds."""

    id: str
    owner: str
    name: str
    created: float
    scopes: Collection[Scope] = DEFAULT_SCOPES
    limits: Limits = UNLIMITED  #: this key's own; those of its owner apply as well
    max_expires_in: int | None = None  #: seconds that its jobs' results are kept at most
    expires: int | None = None
    last_used: int | None = None  #: exact to a minute
    replaced_by: str | None = None  #: the key that it was rotated to


def digest_of(secret: str) -> str:
    """The digest under which the key with this secret is stored."""
    return hashlib.sha256(secret.encode(errors="backslashreplace")).hexdigest()


def key_id(digest: str) -> str:
    """The id of the key with this digest: 64 of 256 bits of a hash of a random secret, so it reveals nothing of it."""
    return f"key_{digest[:16]}"


def read_key(digest: str, record: Mapping[bytes, bytes]) -> ApiKey | None:
    """The key of a record; None if the record is damaged, which is logged."""
    try:
        return _read(digest, {name.decode(): value.decode() for name, value in record.items()})
    except (KeyError, ValueError, ChorusError):
        log.warning("The record of API key %s is damaged; nobody can use it. Revoke it.", key_id(digest))
        return None


def _read(digest: str, fields: Mapping[str, str]) -> ApiKey:
    created = float(fields["created"])
    check_owner(fields["owner"])
    if not 0 <= created < _LATEST:  # nor NaN
        raise _damaged("created")
    scopes = frozenset(map(Scope, fields["scopes"].split(" "))) if "scopes" in fields else DEFAULT_SCOPES
    return ApiKey(
        id=key_id(digest),
        owner=fields["owner"],
        name=fields["name"],
        created=created,
        scopes=scopes,
        limits=replace(UNLIMITED, **read_limits(fields)),
        max_expires_in=_number(fields, "max_expires_in"),
        expires=_number(fields, "expires"),
        last_used=_number(fields, "last_used"),
        replaced_by=fields.get("replaced_by"),
    )


def _number(fields: Mapping[str, str], name: str) -> int | None:
    value = fields.get(name)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise _damaged(name)
    return int(value)


def _damaged(field: str) -> Unavailable:
    return Unavailable(f"The field {field!r} of an API key is damaged.", code="damaged_key")


def create_key(
    client: redis.Redis,
    owner: str,
    name: str = "",
    *,
    scopes: Collection[Scope] = DEFAULT_SCOPES,
    expires_in: int | None = None,
    limits: Limits = UNLIMITED,
    max_expires_in: int | None = None,
) -> str:
    """Create a key for ``owner`` and return its secret, which is shown only once. It ends after ``expires_in`` seconds.

    Raises `InvalidRequest` if the owner's name is not valid at the start of an object name, or a value is out of range.
    """
    check_owner(owner)
    check_limits(asdict(limits))
    if not scopes:
        raise _invalid("scopes", "A key needs at least one scope.")
    _check_seconds("expires_in", expires_in, 1, LONGEST_LIFE)
    _check_seconds("max_expires_in", max_expires_in, _SHORTEST_RETENTION, LONGEST_LIFE)
    secret = _new_secret()
    fields = {
        "owner": owner,
        "name": name[:200],
        "scopes": " ".join(sorted(scopes)),
        "max_expires_in": "" if max_expires_in is None else str(max_expires_in),
        **write_limits(asdict(limits)),
    }
    Scripts(client).run("save_key", digest=digest_of(secret), fields=fields, lifetime=expires_in)
    return secret


def rotate_key(client: redis.Redis, old: str, *, overlap: int = OVERLAP, expires_in: int | None = None) -> str:
    """Replace the key with the id ``old`` by a new one with the same owner, name, scopes and limits, and return its
    secret. The old key ends after ``overlap`` seconds, or when it would have ended anyway. The new one ends after
    ``expires_in`` seconds; by default it has as much time as the old one had.

    Raises `NotFound`, `InvalidRequest`, and `Conflict` if the key has ended (``key_ended``) or has been rotated already
    (``key_replaced``): of two rotations at once, one succeeds."""
    _check_seconds("overlap", overlap, 0, LONGEST_OVERLAP)
    _check_seconds("expires_in", expires_in, 1, LONGEST_LIFE)
    get_key(client, old)
    secret = _new_secret()
    digest = digest_of(secret)
    answer = Scripts(client).run(
        "save_key",
        digest=digest,
        replaces=_digest_of_id(client, old),
        overlap=overlap,
        lifetime=expires_in,
        successor=key_id(digest),
    )
    if answer == b"unknown":
        raise _missing(old)
    if answer == b"ended":
        raise Conflict("The API key has expired. Create a new one.", code="key_ended")
    if answer == b"replaced":
        raise Conflict("The API key has been rotated already. Rotate its successor.", code="key_replaced")
    return secret


def _new_secret() -> str:
    return "chorus_" + secrets.token_urlsafe(32)


def _invalid(field: str, detail: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {detail}", fields=[FieldError(field, "invalid_value", detail)])


def _check_seconds(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise _invalid(name, f"It must be between {least} and {most} seconds.")


def _missing(wanted: str) -> NotFound:
    return NotFound(f"The API key {wanted[:40]!r} does not exist.", code="key_not_found")


def _digest_of_id(client: redis.Redis, wanted: str) -> str:
    """The digest of the key with an id. Raises `NotFound` (``key_not_found``)."""
    with redis_errors():
        digests: Any = client.smembers(key("keys"))
    for digest in map(bytes.decode, digests):
        if key_id(digest) == wanted:
            return digest
    raise _missing(wanted)


def get_key(client: redis.Redis, wanted: str) -> ApiKey:
    """The key with an id. Raises `NotFound` (``key_not_found``), also if its record is damaged."""
    digest = _digest_of_id(client, wanted)
    with redis_errors():
        record: Any = client.hgetall(key("key", digest))
    found = read_key(digest, record) if record else None
    if found is None:
        raise _missing(wanted)
    return found


def list_keys(client: redis.Redis) -> list[ApiKey]:
    """All keys, oldest first; those that have ended for 30 days more. Damaged ones are logged, and left out."""
    with redis_errors():
        members: Any = client.smembers(key("keys"))
        digests = [digest.decode() for digest in members]
        pipe = client.pipeline(transaction=False)
        for digest in digests:
            pipe.hgetall(key("key", digest))
        records = pipe.execute(raise_on_error=False)
        gone = [digest for digest, record in zip(digests, records, strict=True) if record == {}]
        if gone:
            client.srem(key("keys"), *gone)
    found = [read_key(d, r if isinstance(r, dict) else {}) for d, r in zip(digests, records, strict=True) if r != {}]
    return sorted((one for one in found if one is not None), key=lambda one: one.created)


def revoke_key(client: redis.Redis, wanted: str) -> None:
    """Ends a key at once, by its id, also a damaged one. Raises `NotFound` (``key_not_found``)."""
    digest = _digest_of_id(client, wanted)
    pipe = client.pipeline()
    pipe.delete(key("key", digest), key("requests", "key", digest))
    pipe.srem(key("keys"), digest)
    with redis_errors():
        deleted, _ = pipe.execute()
    if not deleted:
        raise _missing(wanted)
