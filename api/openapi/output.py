"""The rules of a job's ``output`` as JSON Schema: what each audio format can have (see `audio.formats`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audio.cover import COVER_FORMATS
from audio.formats import ENCODINGS, RATES, TAG_NAMES, TAGS, all_bit_rates, bit_rates
from core.names import AudioFormat

_NULL: dict[str, Any] = {"type": "null"}


def output_rules() -> list[dict[str, Any]]:
    """One rule for each format, and one for each of its sample rates that has fewer bit rates than others."""
    return [rule for format in AudioFormat for rule in _rules(format)]


def _rules(format: AudioFormat) -> Iterator[dict[str, Any]]:
    every = {"format": {"const": format.value}}
    allowed: dict[str, Any] = {
        "encoding": _or_null(list(ENCODINGS.get(format, ()))),
        "bit_rate": _or_null(all_bit_rates(format)),
    }
    if format in RATES:
        allowed["sample_rate"] = _or_null(RATES[format])
    if format not in COVER_FORMATS:
        allowed["cover"] = _NULL
    lacking = [name for name in TAG_NAMES if name not in TAGS.get(format, TAG_NAMES)]
    if lacking:
        allowed["tags"] = {"properties": dict.fromkeys(lacking, _NULL)}
    yield _rule(every, allowed, default=format is AudioFormat.WAV)
    for rate in RATES.get(format, ()):
        fewer = bit_rates(format, rate)
        if fewer != all_bit_rates(format):
            yield _rule({**every, "sample_rate": {"const": rate}}, {"bit_rate": _or_null(fewer)})


def _rule(known: dict[str, Any], allowed: dict[str, Any], *, default: bool = False) -> dict[str, Any]:
    """``default``: it also holds where nothing of ``known`` is given."""
    condition: dict[str, Any] = {"properties": known}
    return {"if": condition if default else {**condition, "required": list(known)}, "then": {"properties": allowed}}


def _or_null(values: Any) -> dict[str, Any]:
    """Null, or one of ``values``."""
    if not values:
        return _NULL
    bounds = {"type": "integer", "minimum": values[0], "maximum": values[-1]}
    return {"anyOf": [bounds if isinstance(values, range) else {"enum": list(values)}, _NULL]}
