"""The shape of JSON, told from its bytes: as exact as a parser's, and cheap whatever the bytes are."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ChorusError, Malformed, TooLarge
from core.json_shape import MAX_DEPTH, MAX_VALUES, check_shape, check_shapes

TEXT = st.text(st.sampled_from('{}[],:"\\/ aé\n'))
VALUES = st.recursive(
    st.none() | TEXT | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


def marks(value: Any) -> int:
    if isinstance(value, dict):
        return 2 + sum(1 + marks(inner) for inner in value.values()) + max(0, len(value) - 1)
    if isinstance(value, list):
        return 2 + sum(map(marks, value)) + max(0, len(value) - 1)
    return 0


@given(VALUES, st.booleans())
def test_marks_in_strings_do_not_count(value: Any, ascii_only: bool) -> None:
    assert check_shape(json.dumps(value, ensure_ascii=ascii_only).encode()) == marks(value)


SIZE = 4 * 2**20
BOMBS = {
    "objects": b'{"a": [' + b"{}," * (SIZE // 3),
    "empty strings": b'{"a": [' + b'"",' * (SIZE // 3),
    "keys": b"{" + b'"":0,' * (SIZE // 5),
    "strings apart": b'"" , ' * (SIZE // 5),
    "nested lists": b"[" * SIZE,
    "nested objects": b'{"":' * (SIZE // 4),
    "quotes": b'"' * SIZE,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_body_costs_more_than_its_own_size_some_times(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as error:
            check_shape(BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (error.value.code, error.value.status) == ("json_too_large", 413)
    assert peak < 4 * SIZE


@pytest.mark.parametrize("piece", [b'\\"', b"\\\\", b'\\\\"', b'"\\', b"\\u005c", b'"a\\"'])
def test_escapes_take_linear_time(piece: bytes) -> None:
    def took(count: int) -> float:
        data, began = b'{"a": "' + piece * count, time.process_time()
        with contextlib.suppress(ChorusError):
            check_shape(data)
        return time.process_time() - began

    assert took(400_000) < 40 * max(took(40_000), 0.001)


def test_depth_is_bounded() -> None:
    assert check_shape(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == 2 * MAX_DEPTH
    with pytest.raises(Malformed, match="nested"):
        check_shape(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_parts_count_together() -> None:
    part = b"[" + b"," * (MAX_VALUES // 2) + b"]"
    check_shapes([part])
    with pytest.raises(TooLarge):
        check_shapes([part, part])
