"""``/v1/uploads``: recordings that are too large for a JSON body."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.views import root
from core.errors import InvalidRequest, TooLarge
from storage.uploads import UPLOAD_SECONDS, new_upload, upload_object
from storage.views import rfc3339

routes = Blueprint("uploads", __name__, url_prefix="/v1/uploads")

_CHUNK = 1 << 20


@routes.post("")
def create() -> tuple[Response, int]:
    """A place to PUT a recording to: presigned where clients reach the storage, else here."""
    ctx = context()
    upload = new_upload(ctx.redis, owner())
    here = f"{root()}/v1/uploads/{upload}"
    url = ctx.objects.upload_link(upload_object(context().redis, owner(), upload), seconds=UPLOAD_SECONDS)
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
    target = upload_object(context().redis, owner(), upload)
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
        if not size:
            raise InvalidRequest("The request has no bytes.", code="upload_empty")
        context().objects.put_file(target, path, "application/octet-stream")
    return jsonify({"id": upload, "bytes": size}), 200
