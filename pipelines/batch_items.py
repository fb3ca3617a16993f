"""The items of a batch: what the API counts before they are validated, and how they are merged with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import RequestError
from core.validation import parse_json

#: Fields of a job that are merged with the batch's defaults key by key.
_MERGED = ("options", "output", "metadata", "models")


def merge_defaults(defaults: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """An item's job merged over the batch's defaults; the default priority is ``bulk``."""
    merged = {"priority": "bulk", **defaults, **job}
    for name in _MERGED:
        below, above = defaults.get(name), job.get(name)
        if isinstance(below, dict) and isinstance(above, dict):
            merged[name] = {**below, **above}
    return merged


def characters_of(path: Path, defaults: Mapping[str, Any]) -> int:
    """The characters of all texts in a file of items (JSON Lines), markup included; a line that is no item has none.

    What the jobs of the items come to is known once they are created.
    """
    with path.open("rb") as file:
        return sum(_characters(line, defaults) for line in file if line.strip())


def _characters(line: bytes, defaults: Mapping[str, Any]) -> int:
    try:
        job = parse_json(line, bounded=False).get("job")
    except RequestError:
        return 0
    if not isinstance(job, dict):
        return 0
    merged = {**defaults, **job}
    chapters = merged.get("chapters")
    texts = [merged.get("text")]
    if isinstance(chapters, list):
        texts += [chapter.get("text") for chapter in chapters if isinstance(chapter, dict)]
    return sum(len(text) for text in texts if isinstance(text, str))
