"""Validation of a request's bytes and fields."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

from pydantic import ValidationError

from core.errors import FieldError, InvalidRequest, Malformed
from core.json_shape import check_shape

#: Maximum number of fields that an error names, and of errors that are listed.
_MOST, _TOLD = 50, 1000

#: Digits that an integer may have.
MAX_DIGITS = 18


def from_validation(error: ValidationError) -> InvalidRequest:
    """Convert pydantic's errors to `InvalidRequest`, with a code for each field. If there are too many errors, no field
    is named."""
    if error.error_count() > _TOLD:
        return InvalidRequest(f"The body has {error.error_count()} errors.", code="invalid_value")
    fields = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"])[:200]
        code = {"extra_forbidden": "unknown_field", "missing": "missing_field"}.get(item["type"], "invalid_value")
        detail = "There is no such field." if code == "unknown_field" else item["msg"][:500]
        fields.append(FieldError(name or "body", code, detail))
    first = fields[0]
    return InvalidRequest(f"{first.field}: {first.detail}", code=first.code, fields=fields[:_MOST])


def parse_json(data: bytes, *, bounded: bool = True) -> dict[str, Any]:
    """Parse a request's JSON object, ignoring a byte order mark.

    The shape is limited before parsing (`check_shape`), and so are numbers: integers have at most `MAX_DIGITS`
    digits, all others must be finite. If ``bounded`` is False, a larger number becomes infinite instead of raising,
    for callers that validate the parts of the body one by one. Raises `Malformed`, or `TooLarge`
    (``json_too_large``).
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    check_shape(data)
    try:
        value = json.loads(data.decode("utf-8"), **(_BOUNDED if bounded else _UNBOUNDED))
        if b"\\ud" in data.lower():  # an escaped half of a character is no text that could be written down
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise Malformed("The body is not UTF-8.", code="not_json") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The body is not JSON: {str(error)[:200]}.", code="not_json") from error
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.", code="not_json")
    return value


def _refuse(constant: str) -> None:
    raise Malformed(f"{constant} is not a valid JSON number.", code="not_json")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise Malformed(f"A number has {len(text)} digits; the maximum is {MAX_DIGITS}.", code="number_out_of_range")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Malformed(f"The number {text[:40]} is too large.", code="number_out_of_range")
    return value


def _integer_or_infinite(text: str) -> float:
    return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else math.inf


_BOUNDED: dict[str, Any] = {"parse_constant": _refuse, "parse_int": _integer, "parse_float": _finite}
_UNBOUNDED: dict[str, Any] = {"parse_constant": _refuse, "parse_int": _integer_or_infinite}
