"""The documents say what is there."""

from __future__ import annotations

import re

import pytest

from core.settings import Settings
from tests.shared_data import ROOT


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`CHORUS_{name.upper()}`" in (ROOT / "docs/settings.md").read_text()
    assert Settings.model_fields[name].description


def test_links_between_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_code_of_the_error_tree_is_in_the_drawing() -> None:
    from core import errors

    def tree(kind: type[errors.ChorusError]) -> list[type[errors.ChorusError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    drawing = errors.__doc__ or ""
    for kind in tree(errors.ChorusError):
        if kind.__module__ == errors.__name__:
            assert kind.__name__ in drawing, kind.code


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text()
    files = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", page)
    assert len(named) > 30
    missing = [
        f"{file}::{name}"
        for file, name in named
        if f"def {name}" not in files.get(file, "") and (name or file not in files)
    ]
    assert missing == []
