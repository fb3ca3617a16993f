"""An item's options as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import ModelFailed
from models.base import Option


def numbers(declared: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, float]:
    """Those of the ``declared`` options that are ``given``. Raises `core.errors.ModelFailed` for what lies outside its
    bounds: planning refuses that of a job, but not every item comes from one."""
    found: dict[str, float] = {}
    for name in declared.keys() & given.keys():
        value, low, high = given[name], declared[name].minimum, declared[name].maximum
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not (low is None or value >= low) or not (high is None or value <= high):
            raise ModelFailed(f"{name} lies between {low} and {high}")
        found[name] = float(value)
    return found
