"""Verification of webhooks by Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
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
    """Verify a delivery and return its event. ``secret``: the endpoint's secret (``whsec_…``), or several during a
    rotation.

    Raises `BadSignature`.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        identity, moment = lower["webhook-id"], lower["webhook-timestamp"]
        given = [part[3:].encode() for part in lower["webhook-signature"].split() if part.startswith("v1,")]
        age = abs((time.time() if now is None else now) - int(moment))
        head = f"{identity}.{moment}.".encode()
    except (KeyError, ValueError) as error:
        raise BadSignature("The headers of a signed webhook are missing.") from error
    if age > tolerance:
        raise BadSignature("The webhook's timestamp is too far from the current time.")
    data = body.encode() if isinstance(body, str) else body
    for known in [secret] if isinstance(secret, str) else secret:
        expected = base64.b64encode(hmac.new(_key(known), head + data, hashlib.sha256).digest())
        if any(hmac.compare_digest(expected, one) for one in given):
            event: dict[str, Any] = json.loads(data)
            return event
    raise BadSignature("The signature does not match.")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise BadSignature("The secret is not that of a webhook endpoint.") from error
    if not key:  # with no key, anybody could sign
        raise BadSignature("The secret of the webhook endpoint is empty.")
    return key
