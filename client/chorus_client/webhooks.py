"""Webhooks by Standard Webhooks (https://www.standardwebhooks.com): is a delivery from where it says?"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from chorus_client.errors import BadSignature

#: Seconds that a delivery's time may be away from now.
TOLERANCE = 300.0


def verify_webhook(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> dict[str, Any]:
    """The event that a delivery tells of. ``secret``: the endpoint's (``whsec_…``), or several while it is rotated.

    Raises `BadSignature`."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        identity, moment = lower["webhook-id"], lower["webhook-timestamp"]
        given = [part.partition(",")[2] for part in lower["webhook-signature"].split() if part.startswith("v1,")]
        age = abs((time.time() if now is None else now) - int(moment))
    except (KeyError, ValueError) as error:
        raise BadSignature("the headers of a signed webhook are missing") from error
    if age > tolerance:
        raise BadSignature("the webhook is too old")
    data = body.encode() if isinstance(body, str) else body
    signed = f"{identity}.{moment}.".encode() + data
    for known in [secret] if isinstance(secret, str) else secret:
        expected = base64.b64encode(hmac.new(_key(known), signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(expected, one) for one in given):
            event: dict[str, Any] = json.loads(data)
            return event
    raise BadSignature("the signature does not fit")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise BadSignature("this is no secret of a webhook endpoint") from error
