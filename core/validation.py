"""A request's bytes and fields, checked: what is wrong with them is one of our errors."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from core.errors import FieldError, InvalidRequest, Malformed
from core.json_shape import check_shape

#: Fields that an error names at most, and mistakes that are told one by one.
_MOST, _TOLD = 50, 1000


def from_validation(error: ValidationError) -> InvalidRequest:
    """What pydantic found, with a code for each field; no field is named where the mistakes are too many to tell."""
    if error.error_count() > _TOLD:
        return InvalidRequest(f"The body has {error.error_count()} mistakes.", code="invalid_value")
    fields = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"])[:200]
        code = {"extra_forbidden": "unknown_field", "missing": "missing_field"}.get(item["type"], "invalid_value")
        detail = "There is no such field." if code == "unknown_field" else item["msg"][:500]
        fields.append(FieldError(name or "body", code, detail))
    first = fields[0]
    return InvalidRequest(f"{first.field}: {first.detail}", code=first.code, fields=fields[:_MOST])


def parse_json(data: bytes) -> dict[str, Any]:
    """A request's JSON object, its shape bounded before anything is built of it (`check_shape`).

    Raises `Malformed`: no NaN, no Infinity, no nesting without end; or `TooLarge` (``json_too_large``)."""
    check_shape(data)

    def refuse(constant: str) -> None:
        raise Malformed(f"{constant} is not JSON.")

    try:
        value = json.loads(data.decode("utf-8"), parse_constant=refuse)
        if b"\\ud" in data.lower():  # an escaped half of a character is no text that could be written down
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise Malformed("The body is not UTF-8.", code="not_json") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The body is not JSON: {str(error)[:200]}.", code="not_json") from error
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.", code="not_json")
    return value
