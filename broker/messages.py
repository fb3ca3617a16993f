"""Reading the envelopes that kombu's Redis transport, ours and `broker.publish` write."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

from kombu.utils.json import loads as kombu_loads


def read(raw: bytes) -> dict[str, Any] | None:
    """The message in an envelope, with its body decoded; None if kombu and Celery cannot process it.

    This check is strict, because an invalid message ends the worker, and the next one that gets it. kombu's slower
    decoder is used only for its special types.
    """
    with suppress(Exception):
        message = (kombu_loads if b"__type__" in raw else json.loads)(raw.decode())
        properties, headers, body = message["properties"], message["headers"], message["body"]
        sound = isinstance(headers, dict) and isinstance(body, str) and isinstance(properties["delivery_info"], dict)
        named = "task" not in headers or (isinstance(headers["task"], str) and isinstance(headers["id"], str))
        if sound and named and body:
            match properties.get("body_encoding"):
                case "base64":
                    message["body"] = base64.b64decode(body, validate=True)
                    properties["body_encoding"] = None
                    return message  # type: ignore[no-any-return]
                case None | "utf-8":
                    return message  # type: ignore[no-any-return]
    return None
