"""The model families: found by folder, checked when a process starts.

A family is a folder with an ``__init__.py`` that exposes ``FAMILY``, or several types in a tuple ``FAMILIES``. The
folders of models/ are searched, then those of ``CHORUS_FAMILIES``. The latter are imported as ``models.NAME`` too, so a
family can move into models/ unchanged.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import models
from core.errors import ConfigurationError
from core.settings import settings
from core.yamlfile import YamlFile
from models.base import Family

FOLDER = Path(__file__).resolve().parent


def read_families(folders: Sequence[Path] = ()) -> Mapping[str, Family]:
    """All families by type, of models/ and of ``folders``. Imports no model runtime.

    Raises `core.errors.ConfigurationError` for a missing folder, a family that cannot be imported or whose ``FAMILY``
    is invalid, and a duplicate name or type.
    """
    found: dict[str, Family] = {}
    where: dict[str, Path] = {}
    for folder in (FOLDER, *folders):
        for path in _packages(folder):
            for family in _import(path):
                if family.type in found:
                    raise ConfigurationError(
                        f"Two families have the type {family.type!r}: {where[family.type]} and {path}."
                    )
                found[family.type], where[family.type] = family, path
    return found


@lru_cache(maxsize=1)
def load_families() -> Mapping[str, Family]:
    """The families of this process, read once."""
    return read_families([Path(p) for p in settings().families.split(os.pathsep) if p])


def family_of(model_type: str) -> Family:
    """The family of a type. Raises `core.errors.ConfigurationError` naming the known types."""
    families = load_families()
    if model_type not in families:
        raise ConfigurationError(f"The model type {model_type!r} does not exist. Available: {', '.join(families)}.")
    return families[model_type]


def family_at(yaml: YamlFile, where: tuple[str | int, ...], model_type: str) -> Family:
    """The family that a YAML file names at ``where``. Raises `core.errors.ConfigurationError` with file and line."""
    try:
        return family_of(model_type)
    except ConfigurationError as error:
        raise yaml.error(where, f"{'.'.join(map(str, where))}: {error.message}") from error


def _packages(folder: Path) -> Iterator[Path]:
    folder = folder.expanduser().resolve()
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigurationError(f"CHORUS_FAMILIES: {folder} cannot be read: {error}") from error
    if str(folder) not in models.__path__ and folder != FOLDER:
        models.__path__.append(str(folder))
    yield from (path for path in inside if path.name.isidentifier() and (path / "__init__.py").is_file())


def _import(path: Path) -> tuple[Family, ...]:
    """Import the families of a folder: ``FAMILY`` or ``FAMILIES``, or none if it exposes neither."""
    try:
        module = importlib.import_module(f"models.{path.name}")
    except Exception as error:  # whatever a module raises
        raise ConfigurationError(f"The family {path} cannot be imported: {type(error).__name__}: {error}") from error
    if Path(module.__file__ or "").resolve().parent != path.resolve():
        raise ConfigurationError(f"The family {path} needs another name: {module.__file__} has it already.")
    family = getattr(module, "FAMILY", None)
    if family is not None and not isinstance(family, Family):
        raise ConfigurationError(f"The family {path}: FAMILY is not a models.base.Family.")
    several = getattr(module, "FAMILIES", ())
    if not isinstance(several, tuple) or not all(isinstance(one, Family) for one in several):
        raise ConfigurationError(f"The family {path}: FAMILIES is not a tuple of models.base.Family.")
    return (*((family,) if family else ()), *several)
