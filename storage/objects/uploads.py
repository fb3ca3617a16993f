"""Uploads: bytes that a client sends before it names them in a request.

Each owner has limits: on the number of unused uploads, and on the bytes of all uploads until they are deleted. Both
are counted in Redis, each change in one script.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis

from core import ids
from core.errors import ArtifactMissing, Conflict, InvalidRequest, NotFound, RateLimited, TooLarge
from core.redis import redis_errors
from core.settings import Settings
from storage.ledger.keys import key
from storage.ledger.scripts import Scripts
from storage.objects.objects import Objects

#: Seconds that an upload may be used, and that a form for it may be posted.
UPLOAD_SECONDS = 24 * 3600
FORM_SECONDS = 900

_RETRY_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class Form:
    """A form that object storage takes: posted to ``url`` with ``fields``, then the bytes as ``file``."""

    url: str
    fields: Mapping[str, str]


class Uploads:
    """The uploads of all owners. Every method raises `LedgerUnavailable`, `StorageUnavailable`."""

    def __init__(self, client: redis.Redis, objects: Objects, settings: Settings) -> None:
        self._redis = client
        self._objects = objects
        self._settings = settings
        self._scripts = Scripts(client)

    def open(self, owner: str) -> tuple[str, Form | None]:
        """Create an upload: its id, and a form if clients can reach the storage. Raises `RateLimited`."""
        upload = ids.UPLOAD.new()
        largest = self._settings.max_upload_bytes
        made = self._scripts.run(
            "open_upload",
            owner=owner,
            upload=upload,
            limit=self._settings.max_uploads_per_owner,
            # Bytes sent by a form do not pass through the API, so the maximum is reserved from the start.
            bytes=largest if self._objects.public else 0,
            **self._bounds,
        )
        if not made:
            raise _too_many()
        form = self._objects.upload_form(_name(owner, upload), largest, seconds=FORM_SECONDS)
        return upload, form and Form(*form)

    def expect(self, owner: str, upload: str, size: int) -> None:
        """Returns where ``size`` bytes may be put. Raises `NotFound`, `Conflict`, `RateLimited`."""
        self._hold(owner, upload, size, trial=True)

    def put(self, owner: str, upload: str, path: Path) -> None:
        """Store the bytes of a file as the upload. Raises what `expect` raises."""
        self._hold(owner, upload, path.stat().st_size, trial=False)
        name = _name(owner, upload)
        self._objects.put_file(name, path, "application/octet-stream")
        try:
            self._check(owner, upload)
        except NotFound:  # deleted meanwhile
            self._objects.delete(name)
            raise

    def fetch(self, owner: str, upload: str, path: Path, limit: int) -> None:
        """Downloads an upload of up to ``limit`` bytes to ``path``; from then on nothing may be put there.

        Raises `NotFound`, `TooLarge`, or `InvalidRequest` (``upload_empty``) where nothing has arrived yet."""
        self._check(owner, upload)
        info = self._objects.head(_name(owner, upload))
        if info is None:
            raise InvalidRequest(f"The upload {upload!r} is empty.", code="upload_empty")
        _check_size(info.size, limit)
        self._leave(owner, upload, info.size, gone=False)
        try:
            self._objects.get_file(_name(owner, upload), path)
        except ArtifactMissing as error:
            raise NotFound("The upload no longer exists.", code="upload_not_found") from error
        _check_size(path.stat().st_size, limit)  # a PUT that was under way may have ended in between

    def delete(self, owner: str, upload: str) -> None:
        """Deletes an upload and its bytes. Raises `NotFound`."""
        self._check(owner, upload)
        self._objects.delete(_name(owner, upload))
        self._leave(owner, upload, 0, gone=True)

    def exists(self, upload: str) -> bool:
        """Whether an upload with this id exists, of any owner."""
        with redis_errors():
            return bool(self._redis.exists(key("upload", upload)))

    @property
    def _bounds(self) -> dict[str, float | int]:
        return {"now": time.time(), "life": UPLOAD_SECONDS, "budget": self._settings.max_upload_bytes_per_owner}

    def _check(self, owner: str, upload: str) -> None:
        with redis_errors():
            held = self._redis.get(key("upload", upload)) if ids.UPLOAD.matches(upload) else None
        if held is None or bytes(held).decode() != owner:  # type: ignore[arg-type]
            raise _not_found()

    def _hold(self, owner: str, upload: str, size: int, *, trial: bool) -> None:
        if not ids.UPLOAD.matches(upload):
            raise _not_found()
        answer = self._scripts.run("hold_upload", owner=owner, upload=upload, bytes=size, trial=trial, **self._bounds)
        if answer == -1:
            raise _not_found()
        if answer == -2:
            raise Conflict("This upload has been used. Create another.", code="upload_used")
        if not answer:
            raise _too_many()

    def _leave(self, owner: str, upload: str, size: int, *, gone: bool) -> None:
        form = FORM_SECONDS if self._objects.public else 0
        self._scripts.run("leave_upload", owner=owner, upload=upload, bytes=size, form=form, gone=gone, **self._bounds)


def _name(owner: str, upload: str) -> str:
    return f"{owner}/uploads/{upload}"


def _not_found() -> NotFound:
    return NotFound("The upload does not exist.", code="upload_not_found")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"The upload has {size} bytes; the maximum is {limit}.")


def _too_many() -> RateLimited:
    return RateLimited(
        "You have too many uploads. Use or delete some first.", code="too_many_uploads", retry_after=_RETRY_AFTER
    )
