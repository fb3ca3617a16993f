"""The size and depth of a JSON text, determined from its bytes before it is parsed."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import Malformed, TooLarge

#: How deep JSON may be nested, and how many values it may have.
MAX_DEPTH, MAX_VALUES = 32, 500_000

_MARKS = b"{}[],:"
_NEITHER = bytes(set(range(256)) - set(_MARKS + b'"'))


def check_shape(data: bytes) -> int:
    """Count the structural characters of ``data`` outside of strings: an upper bound of its values and keys, except for
    one.

    Takes linear time and a few times the memory of ``data``. Invalid JSON may be counted wrongly after its first
    error, where the parser stops anyway. Raises `TooLarge` (``json_too_large``) above `MAX_VALUES`, and `Malformed`
    above `MAX_DEPTH`.
    """
    if b"\\" in data:  # in JSON a backslash stands in strings alone, and a run of them begins with one that escapes
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    data = data.translate(None, delete=_NEITHER)
    if data.count(b'"') > 2 * MAX_VALUES + 2:  # each string has a mark in front of it
        raise _too_many()
    marks = b"".join(data.split(b'"')[::2])
    if len(marks) > MAX_VALUES:
        raise _too_many()
    depth = deepest = 0
    for mark in marks:
        if mark in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"}]":
            depth -= 1
    if deepest > MAX_DEPTH:
        raise Malformed(f"The JSON is nested more than {MAX_DEPTH} levels deep.", code="not_json")
    return len(marks)


def check_shapes(parts: Iterable[bytes]) -> None:
    """The same for JSON that comes in parts: together they are no more than one."""
    if sum(map(check_shape, parts)) > MAX_VALUES:
        raise _too_many()


def _too_many() -> TooLarge:
    return TooLarge(f"The JSON has more than {MAX_VALUES} values.", code="json_too_large")
