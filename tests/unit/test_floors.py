"""The house: imports go down the floors, modules stay small, errors are ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_data import ROOT

FLOORS = {
    "core": 0,
    "storage": 1,
    "broker": 1,
    "text": 1,
    "audio": 1,
    "models": 2,
    "schemas": 2,
    "pipelines": 3,
    "workers": 4,
    "api": 5,
    "client": 5,
    "cli": 6,
}
LONGEST = 500
MOST_MODULES = 15
NOT_OURS = {"ValueError", "Exception", "RuntimeError", "TypeError", "KeyError", "AssertionError"}

MODULES = sorted(p for package in FLOORS for p in (ROOT / package).rglob("*.py"))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_the_floors(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for line, module in imports(ast.parse(path.read_text())):
        other = module.split(".")[0]
        if other in FLOORS and other != package:
            assert FLOORS[other] < FLOORS[package], f"{name_of(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_packages_stay_small() -> None:
    counts = Counter(name_of(path.parent) for path in MODULES)
    assert {package: count for package, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_errors_of_ours_are_raised(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raised, ast.Name):
                assert raised.id not in NOT_OURS, f"{name_of(path)}:{node.lineno} raises {raised.id}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_their_owners_name_keys_in_redis(path: Path) -> None:
    """The ledger's keys are named in ``storage`` alone, the broker's messages in ``broker``."""
    owners = {"storage": "ch:", "broker": "unacked"}
    strange = tuple(start for owner, start in owners.items() if owner != path.relative_to(ROOT).parts[0])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.startswith(strange), f"{name_of(path)}:{node.lineno} names {node.value!r}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_called_utils(path: Path) -> None:
    assert not {"utils", "util", "helpers", "misc", "common"} & {path.stem, path.parent.name}


def test_the_api_loads_nothing_heavy() -> None:
    heavy = {"torch", "torchaudio", "transformers", "onnxruntime", "ctranslate2", "faster_whisper", "workers"}
    code = f"import sys, api; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
