"""JSON bodies, with a limit far below that of uploads."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from api.context import context
from core.errors import TooLarge
from core.validation import parse_json


def read_json(empty: bytes = b"", *, bounded: bool = True) -> dict[str, Any]:
    """Read the body as a JSON object; ``empty`` is the default for an empty body. ``bounded``: see `parse_json`.

    Raises what `read_bytes` raises, and `Malformed`.
    """
    return parse_json(read_bytes() or empty, bounded=bounded)


def read_bytes() -> bytes:
    """Read a body that is not an upload.

    Raises `TooLarge` (``json_too_large``) above ``CHORUS_MAX_JSON_BYTES``, before the body is read.
    """
    most = context().settings.max_json_bytes
    request.max_content_length = min(most, request.max_content_length or most)
    try:
        return request.get_data()
    except RequestEntityTooLarge as error:
        if (request.content_length or 0) > context().settings.max_body_bytes:
            raise  # as any body of that size
        detail = f"The JSON body has more than {most} bytes. Send recordings as multipart/form-data or as an upload."
        raise TooLarge(detail, code="json_too_large") from error
