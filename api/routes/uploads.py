"""``/v1/uploads``: files that are too large for a JSON body."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.job_views import root
from api.openapi.operation import operation
from core.errors import Conflict, InvalidRequest, Malformed, TooLarge
from schemas.responses import Upload, Uploaded
from schemas.views import rfc3339
from storage.objects.uploads import FORM_SECONDS, UPLOAD_SECONDS

routes = Blueprint("uploads", __name__, url_prefix="/v1/uploads")

_CHUNK = 1 << 20


@routes.post("")
@operation("createUpload", {201: Upload})
def create() -> tuple[Response, int]:
    """Create an upload. The response has a URL to PUT the bytes to, or a form to POST to the storage."""
    upload, form = context().uploads.open(owner())
    view = Upload(
        id=upload,
        method="POST" if form else "PUT",
        url=form.url if form else f"{root()}/v1/uploads/{upload}",
        expires=rfc3339(time.time() + (FORM_SECONDS if form else UPLOAD_SECONDS)),
        max_bytes=context().settings.max_upload_bytes,
    )
    if form:
        view["fields"] = dict(form.fields)
    return jsonify(view), 201


@routes.put("/<upload>")
@operation("putUpload", {200: Uploaded}, file=True, errors=(Conflict,))
def put(upload: str) -> tuple[Response, int]:
    """Send the bytes of an upload. This is possible until the upload is used."""
    uploads, limit = context().uploads, context().settings.max_upload_bytes
    request.max_content_length = limit
    # A declared length above the limit is rejected before the body is read.
    uploads.expect(owner(), upload, min(request.content_length or 1, limit))
    with tempfile.TemporaryDirectory(prefix="chorus-upload-") as folder:
        path = Path(folder) / "upload"
        size = _take(path, limit)
        if not size:
            raise InvalidRequest("The request's body is empty.", code="upload_empty")
        uploads.put(owner(), upload, path)
    return jsonify(Uploaded(id=upload, bytes=size)), 200


def _take(path: Path, limit: int) -> int:
    """Write the request's body to ``path``; return its size in bytes. Raises `TooLarge`, `Malformed` if incomplete."""
    size = 0
    with path.open("wb") as file:
        while chunk := request.stream.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"An upload can have at most {limit} bytes.")
            file.write(chunk)
    if request.content_length is not None and size < request.content_length:
        raise Malformed("The request's body is incomplete.")
    return size


@routes.delete("/<upload>")
@operation("deleteUpload", {204: None})
def delete(upload: str) -> tuple[str, int]:
    """Delete an upload. Jobs and voices created from it are kept."""
    context().uploads.delete(owner(), upload)
    return "", 204
