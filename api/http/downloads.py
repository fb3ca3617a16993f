"""Downloads of finished files and archives.

A body larger than the server's buffer for slow clients occupies a thread while it is sent. Such responses have their
own threads (``api_downloads``), of which each owner may use a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Response, request

from api.context import context, owner
from api.http.capacity import Places
from api.http.parser import MAX_UNSENT

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
        found = Response(make(), **answer)  # type: ignore[arg-type]
        found.call_on_close(place.leave)
    except BaseException:
        place.leave()
        raise
    return found
