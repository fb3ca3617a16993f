"""``/v1/uploads``: recordings that are too large for a JSON body."""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from pathlib import Path

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.views import rfc3339
from core.errors import NotFound, TooLarge
from core.redis import redis_errors

routes = Blueprint("uploads", __name__, url_prefix="/v1/uploads")

#: Seconds that an upload may be used.
UPLOAD_SECONDS = 24 * 3600

_ID = re.compile(r"up_[0-9a-f]{24}")
_CHUNK = 1 << 20


def upload_object(owner_name: str, upload: str) -> str:
    """The object name of an owner's upload. Raises `NotFound` where that owner has none of that id."""
    with redis_errors():
        held = context().redis.get(f"ch:upload:{upload}") if _ID.fullmatch(upload) else None
    if held is None or bytes(held).decode() != owner_name:  # type: ignore[arg-type]
        raise NotFound("There is no such upload.", code="upload_not_found")
    return f"{owner_name}/uploads/{upload}"


@routes.post("")
def create() -> tuple[Response, int]:
    """A place to PUT a recording to: presigned where clients reach the storage, else here."""
    upload = f"up_{secrets.token_hex(12)}"
    ctx = context()
    with redis_errors():
        ctx.redis.set(f"ch:upload:{upload}", owner(), ex=UPLOAD_SECONDS)
    here = f"{request.url_root.rstrip('/')}/v1/uploads/{upload}"
    url = ctx.objects.upload_link(upload_object(owner(), upload), seconds=UPLOAD_SECONDS)
    view = {
        "id": upload,
        "method": "PUT",
        "url": url or here,
        "expires": rfc3339(time.time() + UPLOAD_SECONDS),
        "max_bytes": ctx.settings.max_upload_bytes,
    }
    return jsonify(view), 201


@routes.put("/<upload>")
def put(upload: str) -> tuple[Response, int]:
    """Takes the recording's bytes in, for clients that do not reach the storage."""
    target = upload_object(owner(), upload)
    limit = context().settings.max_upload_bytes
    request.max_content_length = limit
    with tempfile.TemporaryDirectory(prefix="chorus-upload-") as folder:
        path = Path(folder) / "upload"
        size = 0
        with path.open("wb") as file:
            while chunk := request.stream.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"An upload may have {limit} bytes.")
                file.write(chunk)
        context().objects.put_file(target, path, "application/octet-stream")
    return jsonify({"id": upload, "bytes": size}), 200
