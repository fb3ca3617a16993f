"""Libraries of front ends, which extras install."""

from __future__ import annotations

import importlib
from types import ModuleType

from core.errors import ConfigurationError

MISSING = "missing_library"  #: code of the error


def library(name: str, reader: str, extra: str) -> ModuleType:
    """The module ``name``. Raises `core.errors.ConfigurationError` (`MISSING`) if it is not installed: for ``reader``,
    with what installs it, ``extra``."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"{reader} needs {name}, which is not installed: pip install 'chorus-speech[{extra}]'.", code=MISSING
        ) from error
