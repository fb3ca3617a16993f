"""Files of JSON beside weights."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import WeightsError

Read = TypeVar("Read")


def read_json(path: Path, shape: type[Read], what: str) -> Read:
    """The contents of a file as ``shape``. Raises `core.errors.WeightsError` if it is not ``what``."""
    try:
        return TypeAdapter(shape).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsError(f"{path.name} is not {what}: {error}") from error
