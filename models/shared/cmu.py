"""The CMU pronouncing dictionary (BSD), as the package eng-to-ipa ships it. The package names no licence of its own;
none of its code is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from core.errors import ConfigurationError

_FILE = Path("resources", "CMU_dict.json")


def read_cmu(reader: str, extra: str) -> Mapping[str, Sequence[str]]:
    """125,000 words in lower case, each with its pronunciations, such as ``k ah0 n uw1``; reads the file at each call.

    Raises `core.errors.ConfigurationError` if it is not installed: for ``reader``, with what installs it, ``extra``."""
    package = find_spec("eng_to_ipa")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError(
            f"{reader} needs the CMU dictionary, which is not installed: pip install 'chorus-speech[{extra}]'."
        )
    path = Path(package.submodule_search_locations[0]) / _FILE
    try:
        entries: dict[str, list[str]] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.name} of eng_to_ipa cannot be read: {error}.") from error
    return entries
