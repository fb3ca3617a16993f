"""Pages of a sorted set, newest first. The last entry of a page is the cursor of the next."""

from __future__ import annotations

import redis

from core.errors import FieldError, InvalidRequest
from core.redis import redis_errors


def newest(client: redis.Redis, key: str, behind: str | None, limit: int) -> list[str]:
    """Up to ``limit`` entries with the highest scores, starting after ``behind``.

    Raises `InvalidRequest` if ``behind`` is not an entry, `LedgerUnavailable`.
    """
    first = 0
    with redis_errors():
        if behind is not None:
            place = client.zrevrank(key, behind)
            if place is None:
                detail = "Invalid cursor."
                fields = [FieldError("cursor", "invalid_value", detail)]
                raise InvalidRequest(detail, code="invalid_value", fields=fields)
            first = int(place) + 1  # type: ignore[arg-type]
        entries = client.zrevrange(key, first, first + limit - 1)
    return [entry.decode() for entry in entries]  # type: ignore[union-attr]
