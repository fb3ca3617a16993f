"""JSON bodies: bounded before anything is built of them."""

from __future__ import annotations

import json
import math
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ChorusError, Malformed, TooLarge
from core.json_shape import MAX_DEPTH, MAX_VALUES
from core.validation import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES), st.booleans(), st.booleans())
def test_what_is_json_is_read(value: dict[str, object], ascii_only: bool, marked: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse_json(b"\xef\xbb\xbf" + data if marked else data) == value


@given(st.binary())
def test_what_is_not_is_one_of_our_errors(data: bytes) -> None:
    for text in (data, b'{"a": ' + data + b"}", b'{"' + data):
        try:
            assert isinstance(parse_json(text), dict)
        except ChorusError as error:
            assert isinstance(error, Malformed | TooLarge)


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1" * 401, "-" + "9" * 30, "1" * 5000, "NaN", "Infinity", "-Infinity"]
)
def test_numbers_are_bounded_before_anything_computes_with_them(number: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_json(b'{"seed": %s}' % number.encode())
    assert error.value.code == ("number_out_of_range" if number[-1].isdigit() else "not_json")


def test_where_parts_are_looked_at_one_by_one_they_become_infinite() -> None:
    found = parse_json(b'{"a": [1e400, %s, 7]}' % (b"1" * 401), bounded=False)
    assert found == {"a": [math.inf, math.inf, 7]}
    with pytest.raises(Malformed):
        parse_json(json.dumps(found).encode())


def test_depth_and_values_are_bounded() -> None:
    deep = b'{"a": ' * (MAX_DEPTH - 1) + b"{}" + b"}" * (MAX_DEPTH - 1)
    assert parse_json(deep)
    with pytest.raises(Malformed, match="nested"):
        parse_json(b'{"a": ' + deep + b"}")
    for bomb in (b"[" * 100_000, b'{"a":' * 100_000, b'{"a": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}"):
        with pytest.raises(ChorusError):
            parse_json(bomb)
    assert parse_json(json.dumps({"text": "[{,:" * 100_000, 'q"\\': "\\"}).encode()), (
        "marks inside of strings do not count"
    )
    with pytest.raises(TooLarge) as error:
        parse_json(b'{"nope": [' + b"0," * MAX_VALUES + b"0]}")
    assert (error.value.code, error.value.status) == ("json_too_large", 413)


def test_a_body_of_many_values_costs_little() -> None:
    """Sixteen megabytes of empty objects: refused before one of them is made."""
    body = b'{"nope": [' + b"{}," * 5_500_000 + b"{}]}"
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(TooLarge):
        parse_json(body)
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(body)
    assert took < 3


@pytest.mark.parametrize("piece", [b'"', b'"\\', b'\\"', b'"a\\"', b'"" '])
def test_strings_without_an_end_take_linear_time(piece: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ChorusError):
        parse_json(b'{"a": ' + piece * 1_000_000)
    assert time.process_time() - began < 3
