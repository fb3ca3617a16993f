"""Wheel and image hold every package, with its data."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.shared_data import ROOT

SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = [name.rstrip("*") for name in SETUPTOOLS["packages"]["find"]["include"]]
FOLDERS = [ROOT / ("client" if name == "chorus_client" else "") / name for name in PACKAGES]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_of_a_package_is_one_and_its_data_ships(folder: Path) -> None:
    shipped = SETUPTOOLS["package-data"]["*"]
    for path in folder.rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        package = next(parent for parent in path.parents if (parent / "__init__.py").is_file())
        inside = str(path.relative_to(package))
        if path.suffix == ".py":
            assert path.parent == package, f"{path} lies in a folder without __init__.py"
        else:
            assert any(fnmatch(inside, pattern) for pattern in shipped), f"{path} is not in package-data"


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "chorus_client"])
def test_the_image_is_built_from_every_package(name: str) -> None:
    assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()
