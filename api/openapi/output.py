"""The rules of a job's ``output`` as JSON Schema: what each audio format can have (see `audio.formats`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from audio.cover import COVER_FORMATS
from audio.formats import ENCODINGS, RATES, TAG_NAMES, TAGS, all_bit_rates, bit_rates
from core.names import AudioFormat

_NULL: dict[str, Any] = {"type": "null"}


def output_rules() -> list[dict[str, Any]]:
    """One rule for the formats that are alike. Few of them: generators of requests combine each with all others."""
    alike: dict[str, list[AudioFormat]] = {}
    for format in AudioFormat:
        alike.setdefault(json.dumps(_allowed(format)), []).append(format)
    return [_rule(formats, json.loads(allowed)) for allowed, formats in alike.items()]


def _rule(formats: Sequence[AudioFormat], allowed: dict[str, Any]) -> dict[str, Any]:
    """The default format also has its rule where none is given."""
    condition: dict[str, Any] = {"properties": {"format": {"enum": [format.value for format in formats]}}}
    return {"if": condition if AudioFormat.WAV in formats else {**condition, "required": ["format"]}, "then": allowed}


def _allowed(format: AudioFormat) -> dict[str, Any]:
    """The schema of an output in this format."""
    properties: dict[str, Any] = {
        "encoding": _or_null(list(ENCODINGS.get(format, ()))),
        "bit_rate": _or_null(all_bit_rates(format)),
    }
    if format in RATES:
        properties["sample_rate"] = _or_null(RATES[format])
    if format not in COVER_FORMATS:
        properties["cover"] = _NULL
    lacking = [name for name in TAG_NAMES if name not in TAGS.get(format, TAG_NAMES)]
    if lacking:
        properties["tags"] = {"properties": dict.fromkeys(lacking, _NULL)}
    combined = _rates_with_bit_rates(format)
    return {"properties": properties, **({"anyOf": combined} if len(combined) > 1 else {})}


def _rates_with_bit_rates(format: AudioFormat) -> list[dict[str, Any]]:
    """The sample rates with the bit rates that each has: first those with all, or if none is given."""
    by_bit_rates: dict[str, list[int]] = {}
    for rate in RATES.get(format, ()):
        by_bit_rates.setdefault(json.dumps(_or_null(bit_rates(format, rate))), []).append(rate)
    free = by_bit_rates.pop(json.dumps(_or_null(all_bit_rates(format))), [])
    fewer = [
        {"properties": {"sample_rate": {"enum": rates}, "bit_rate": json.loads(found)}}
        for found, rates in by_bit_rates.items()
    ]
    return [{"properties": {"sample_rate": {"enum": [None, *free]}}}, *fewer]


def _or_null(values: Any) -> dict[str, Any]:
    """Null, or one of ``values``."""
    if not values:
        return _NULL
    bounds = {"type": "integer", "minimum": values[0], "maximum": values[-1]}
    return {"anyOf": [bounds if isinstance(values, range) else {"enum": list(values)}, _NULL]}
