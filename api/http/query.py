"""Query parameters and pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from flask import Response, jsonify, request

from core.errors import FieldError, InvalidRequest

#: Query values that mean yes and no.
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Listed = TypeVar("Listed", bound=_Named)


def invalid(name: str, code: str, detail: str) -> InvalidRequest:
    """The error of one field of the query."""
    name = name[:100]
    return InvalidRequest(f"{name}: {detail}", code=code, fields=[FieldError(name, code, detail)])


def only(names: Collection[str], prefix: str | None = None) -> None:
    """Reject all parameters except ``names`` and those that start with ``prefix``. Raises `InvalidRequest`."""
    for name in request.args:
        if name not in names and not (prefix and name.startswith(prefix)):
            raise invalid(name, "unknown_field", "Unknown filter.")


def page_number(name: str, default: int, least: int, most: int) -> int:
    """A number of the query, from ``least`` to ``most``. Raises `InvalidRequest`."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise invalid(name, "invalid_value", f"The value must be an integer from {least} to {most}.")
    return int(text)


def flag(name: str) -> bool:
    """A yes or no of the query. Raises `InvalidRequest`."""
    value = request.args.get(name, "0")
    if value not in _FLAGS:
        raise invalid(name, "invalid_value", "The value must be 1 or 0.")
    return _FLAGS[value]


def page(ask: Callable[[str | None, int], Sequence[Listed]], view: Callable[[Listed], Mapping[str, Any]]) -> Response:
    """The page that ``limit`` and ``cursor`` select. ``ask`` receives the cursor and the number of entries to fetch,
    one more than are shown. The id of the last one shown is the cursor of the next page."""
    limit = page_number("limit", 20, 1, 100)
    found = ask(request.args.get("cursor"), limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return jsonify({"object": "list", "data": [view(entry) for entry in found[:limit]], "next": following})
