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

    drawing = errors.__doc__ or ""
    for code, kind in errors._BY_CODE.items():
        assert kind.__name__ in drawing, code
