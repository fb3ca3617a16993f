"""Finished files and archives on their way to a client.

What is larger than the server keeps for a client that reads slowly holds a thread while it is sent. So such answers
have threads of their own (``api_downloads``), of which one owner gets a share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Response, request

from api.context import context, owner
from api.http.capacity import Places
from api.http.parser import MAX_UNSENT

PLACES = Places("downloads")


def send(make: Callable[[], Iterable[bytes]], size: int | None, **answer: object) -> Response:
    """The answer whose body of ``size`` bytes (None: nobody knows) ``make`` begins to read; ``answer``: its rest.

    Raises `Overloaded` (``too_many_downloads``)."""
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
