"""One job under one ``Idempotency-Key``, however often and however many at once ask for it.

After Stripe's keys: up to 255 characters, kept for a day, the same key with another body is an error, and what was
refused is not kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import FileStorage

from api.context import context
from core.errors import ChorusError, Conflict, InvalidRequest
from core.redis import redis_errors
from storage.ledger import Job

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
    with redis_errors():
        first = redis.set(name, f"{asked} {job_id}", nx=True, ex=KEPT)
    if first:
        return _create(name, job_id, create)
    with redis_errors():
        held = redis.get(name)
    if held is None:  # the first one was refused just now
        return once(owner, key, asked, job_id, create)
    other, _, made = bytes(held).decode().partition(" ")  # type: ignore[arg-type]
    if other != asked:
        raise InvalidRequest("This Idempotency-Key has been used for another request.", code="idempotency_key_reused")
    return _wait_for(name, made, create)


def _create(name: str, job_id: str, create: Callable[[str], Job]) -> Job:
    try:
        return create(job_id)
    except ChorusError:
        with redis_errors():
            context().redis.delete(name)
        raise


def _wait_for(name: str, job_id: str, create: Callable[[str], Job]) -> Job:
    """The job of whoever came first; made here where that one died before it was written down."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if job := context().ledger.get(job_id):
            return job
        with redis_errors():
            if not context().redis.exists(name):
                raise Conflict("The first request under this Idempotency-Key was refused.", code="idempotency_conflict")
        time.sleep(0.05)
    return _create(name, job_id, create)
