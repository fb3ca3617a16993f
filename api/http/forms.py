"""Fields of multipart bodies. An error names its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from core.errors import FieldError, InvalidRequest, Malformed
from core.json_shape import check_shape, check_shapes
from core.validation import parse_json
from pipelines.intake import of_field


def check_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Check the size of the JSON in fields (name, value), each and in total. Raises `Malformed` or `TooLarge`."""

    def parts() -> Iterator[bytes]:
        for name, value in fields:
            part = value.encode()
            with of_field(name[:100]):
                check_shape(part)
            yield part

    check_shapes(parts())


def json_object(name: str, value: str) -> dict[str, Any]:
    """Parse the JSON object in a field. Raises `Malformed`."""
    with of_field(name[:100]):
        return parse_json(value.encode())


def json_value(name: str, value: str) -> Any:
    """Parse any JSON value in a field. Raises `Malformed`."""
    with of_field(name[:100]):
        found = parse_json(b'{"value": %s}' % value.encode())
        if len(found) != 1:
            raise Malformed("The value is not valid JSON.", code="not_json")
        return found["value"]


def no_such_file(name: str) -> InvalidRequest:
    """The error of a file under a name that takes none."""
    detail = "Unknown file field."
    fields = [FieldError(name[:100], "unknown_field", detail)]
    return InvalidRequest(f"{name[:100]}: {detail}", code="unknown_field", fields=fields)
