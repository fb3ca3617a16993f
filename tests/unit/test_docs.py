"""The documents say what is there."""

from __future__ import annotations

import itertools
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


_SECURITY = (ROOT / "docs/security.md").read_text()
_NAMED = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    files: dict[str, str] = {}  # several folders may have a file of one name
    for path in (ROOT / "tests").rglob("test_*.py"):
        files[path.name] = files.get(path.name, "") + path.read_text()
    named = _NAMED.findall(_SECURITY)
    assert len(named) > 100
    missing = [
        f"{file}::{name}"
        for file, name in named
        if file not in files or (name and not re.search(rf"^def {name}\(", files[file], re.MULTILINE))
    ]
    assert missing == []


def test_every_row_on_security_names_a_test() -> None:
    rows = [line for line in _SECURITY.splitlines() if line.lstrip().startswith("|")]
    heads = [row for row, below in itertools.pairwise(rows) if re.fullmatch(r"[|\s:-]+", below)]
    assert len(heads) >= 12 and all(head.rstrip().endswith("| test |") for head in heads)
    told = [row for row in rows if row not in heads and not re.fullmatch(r"[|\s:-]+", row)]
    assert len(told) > 100
    assert [row for row in told if not _NAMED.search(row.rstrip(" |").rsplit(" | ", 1)[-1])] == []
