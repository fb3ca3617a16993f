"""One job per ``Idempotency-Key``, however many requests use it, also concurrently.

Like Stripe's keys: up to 255 characters, kept for a day; the same key with another body is an error, and rejected
requests do not count.
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
from storage.ledger.idempotency import Claim, IdempotencyKeys
from storage.ledger.records import Job

#: Seconds that a second request waits for the first one's job.
FIRST_TIMEOUT = 10.0

_LONGEST = 255


def fingerprint(body: Mapping[str, Any], files: Mapping[str, FileStorage]) -> str:
    """A digest of a request: of its fields and the bytes of its files."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode())
    for name, file in sorted(files.items()):
        digest.update(name.encode())
        digest.update(hashlib.file_digest(file.stream, "sha256").digest())  # type: ignore[arg-type]
        file.stream.seek(0)
    return digest.hexdigest()[:32]


def once(owner: str, key: str, asked: str, job_id: str, create: Callable[[str], Job]) -> Job:
    """Create the job with ``create``, or return the one that was created before with this ``key``.

    ``asked``: the request's `fingerprint`. ``create`` receives the job's id, which is ``job_id`` if the key is new.
    Raises `InvalidRequest` (``idempotency_key_reused``) if the key was used with another body.
    """
    if not 1 <= len(key) <= _LONGEST:
        raise InvalidRequest(
            f"An Idempotency-Key must have 1 to {_LONGEST} characters.", code="invalid_idempotency_key"
        )
    attempt = _Attempt(owner, key, create)
    claim = Claim(asked, job_id)
    if attempt.keys.claim(owner, key, claim):
        return attempt.create(claim)
    held = attempt.keys.get(owner, key)
    if held is None:  # the first one was refused just now
        return once(owner, key, asked, job_id, create)
    if held.fingerprint != asked:
        raise InvalidRequest("This Idempotency-Key has been used for another request.", code="idempotency_key_reused")
    return attempt.wait_for(held)


class _Attempt:
    """One request under a key."""

    def __init__(self, owner: str, key: str, create: Callable[[str], Job]) -> None:
        self.keys = IdempotencyKeys(context().redis)
        self._owner = owner
        self._key = key
        self._create = create

    def create(self, claim: Claim) -> Job:
        """Create the job of ``claim``. If it is rejected, the key is free again."""
        try:
            job = self._create(claim.job)
        except BaseException:
            # The ledger may have stored the job although it is unavailable now: then the key must keep its claim.
            with suppress(LedgerUnavailable):
                if context().ledger.get(claim.job) is None:
                    self.keys.release(self._owner, self._key, claim)
            raise
        with suppress(LedgerUnavailable):  # the job is created all the same
            self.keys.note_created(self._owner, self._key, claim)
        return job

    def wait_for(self, held: Claim) -> Job:
        """Wait for the job of the first request. If that request died before it created the job, create it here."""
        if held.created:  # it may have been deleted since
            return context().ledger.get(held.job) or self.create(held)
        end = time.monotonic() + FIRST_TIMEOUT
        while time.monotonic() < end:
            if job := context().ledger.get(held.job):
                return job
            if self.keys.get(self._owner, self._key) != held:
                raise Conflict("The first request with this Idempotency-Key was rejected.", code="idempotency_conflict")
            time.sleep(0.05)
        return self.create(held)
