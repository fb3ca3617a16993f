"""Uploads: places that a client PUTs bytes to before it names them in a request."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import redis

from core.errors import ArtifactMissing, InvalidRequest, NotFound, TooLarge
from core.redis import redis_errors
from storage.objects import Objects

#: Seconds that an upload may be used.
UPLOAD_SECONDS = 24 * 3600

_ID = re.compile(r"up_[0-9a-f]{24}")


def new_upload(client: redis.Redis, owner: str) -> str:
    """Makes a place for an upload of ``owner``'s; its id."""
    upload = f"up_{secrets.token_hex(12)}"
    with redis_errors():
        client.set(f"ch:upload:{upload}", owner, ex=UPLOAD_SECONDS)
    return upload


def upload_object(client: redis.Redis, owner: str, upload: str) -> str:
    """The object name of an owner's upload. Raises `NotFound` where that owner has none of that id."""
    with redis_errors():
        held = client.get(f"ch:upload:{upload}") if _ID.fullmatch(upload) else None
    if held is None or bytes(held).decode() != owner:  # type: ignore[arg-type]
        raise NotFound("There is no such upload.", code="upload_not_found")
    return f"{owner}/uploads/{upload}"


def fetch_upload(client: redis.Redis, objects: Objects, owner: str, upload: str, path: Path, limit: int) -> None:
    """Downloads an upload of up to ``limit`` bytes to ``path``.

    Raises `NotFound`, `TooLarge`, or `InvalidRequest` (``upload_empty``) where nothing has arrived yet."""
    target = upload_object(client, owner, upload)
    info = objects.head(target)
    if info is None:
        raise InvalidRequest(f"Nothing has been uploaded to {upload!r} yet.", code="upload_empty")
    if info.size > limit:
        raise TooLarge(f"The upload has {info.size} bytes; {limit} are allowed.")
    try:
        objects.get_file(target, path)
    except ArtifactMissing as error:
        raise NotFound("The upload is gone.", code="upload_not_found") from error
