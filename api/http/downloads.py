"""Downloads of finished files and archives.

A body larger than the server's buffer for slow clients occupies a thread while it is sent. Such responses have their
own threads (``api_downloads``), of which each owner may use a part. They end once their API key is revoked or expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from flask import Response, request

from api.context import context, key_check, owner
from api.http.capacity import Places
from api.http.parser import MAX_UNSENT
from api.streaming.streams import RECHECK, StreamCut
from core.errors import LedgerUnavailable

PLACES = Places("downloads")


def send(make: Callable[[], Iterable[bytes]], size: int | None, **answer: object) -> Response:
    """The response whose body of ``size`` bytes (None: unknown) ``make`` starts to read; ``answer`` is the rest of the
    response.

    Raises `Overloaded` (``too_many_downloads``).
    """
    if request.method == "HEAD" or (size is not None and size <= MAX_UNSENT):
        return Response(make(), **answer)  # type: ignore[arg-type]
    settings = context().settings
    place = PLACES.take(owner(), settings.api_downloads, settings.api_downloads_per_owner)
    try:
        made = make()
        found = Response(_while_valid(made, key_check()), **answer)  # type: ignore[arg-type]
        found.call_on_close(getattr(made, "close", lambda: None))
        found.call_on_close(place.leave)
    except BaseException:
        place.leave()
        raise
    return found


def _while_valid(made: Iterable[bytes], valid: Callable[[], bool]) -> Iterator[bytes]:
    """What was made, as long as the key is valid. Raises `StreamCut`, which closes the connection early."""
    checked = time.monotonic()
    for data in made:
        if time.monotonic() - checked > RECHECK:
            checked = time.monotonic()
            try:
                if not valid():
                    raise StreamCut("the key was revoked or has expired")
            except LedgerUnavailable:
                pass  # the download was let in, and needs the ledger no more
        yield data
