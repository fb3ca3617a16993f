"""One job under one ``Idempotency-Key``, however often and however many at once ask for it.

After Stripe's keys: up to 255 characters, kept for a day, the same key with another body is an error, and what was
refused is not kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from werkzeug.datastructures import FileStorage

from api.context import context
from core.errors import Conflict, InvalidRequest, LedgerUnavailable
from core.redis import redis_errors
from storage.ledger.records import Job

#: Seconds that a key is remembered, and that a second asker waits for the first one's job.
KEPT = 24 * 3600
PATIENCE = 10.0

_LONGEST = 255


def fingerprint(body: Mapping[str, Any], files: Mapping[str, FileStorage]) -> str:
    """What a request asks for, in one word: its fields, and the bytes of its files."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode())
    for name, file in sorted(files.items()):
        digest.update(name.encode())
        digest.update(hashlib.file_digest(file.stream, "sha256").digest())  # type: ignore[arg-type]
        file.stream.seek(0)
    return digest.hexdigest()[:32]


def once(owner: str, key: str, asked: str, job_id: str, create: Callable[[str], Job]) -> Job:
    """The job that ``create`` makes under ``key``, or the one that it made before.

    ``create`` gets the id that the job has, ``job_id`` where the key is new. Raises `InvalidRequest`
    (``idempotency_key_reused``) where the key stands for another body.
    """
    if not 1 <= len(key) <= _LONGEST:
        raise InvalidRequest(f"An Idempotency-Key has 1 to {_LONGEST} characters.", code="invalid_idempotency_key")
    name = f"ch:idem:{owner}:{hashlib.sha256(key.encode()).hexdigest()[:40]}"
    redis = context().redis
    claim = f"{asked} {job_id}".encode()
    with redis_errors():
        first = redis.set(name, claim, nx=True, ex=KEPT)
    if first:
        return _create(name, claim, create)
    with redis_errors():
        held = redis.get(name)
    if held is None:  # the first one was refused just now
        return once(owner, key, asked, job_id, create)
    held = bytes(held)  # type: ignore[arg-type]
    if held.decode().partition(" ")[0] != asked:
        raise InvalidRequest("This Idempotency-Key has been used for another request.", code="idempotency_key_reused")
    return _wait_for(name, held, create)


def _create(name: str, claim: bytes, create: Callable[[str], Job]) -> Job:
    try:
        return create(_made_under(claim))
    except BaseException:
        # Where the ledger is away, the job may be written down all the same: then the key keeps standing for it.
        with suppress(LedgerUnavailable):
            _let_go(name, claim)
        raise


def _let_go(name: str, claim: bytes) -> None:
    """Forgets a key that stands for a job that is not there."""
    if context().ledger.get(_made_under(claim)) is None:
        with redis_errors():
            if context().redis.get(name) == claim:
                context().redis.delete(name)


def _made_under(claim: bytes) -> str:
    return claim.decode().partition(" ")[2]


def _wait_for(name: str, held: bytes, create: Callable[[str], Job]) -> Job:
    """The job of whoever came first; made here where that one died before it was written down."""
    job_id = _made_under(held)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if job := context().ledger.get(job_id):
            return job
        with redis_errors():
            if context().redis.get(name) != held:
                raise Conflict("The first request under this Idempotency-Key was refused.", code="idempotency_conflict")
        time.sleep(0.05)
    return _create(name, held, create)
