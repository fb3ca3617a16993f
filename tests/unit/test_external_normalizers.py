"""Normalizers of other packages: chosen by a setting, their answers turned into replacements."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from text import normalization
from text.normalization import external, normalize
from text.source import SourceText


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    normalization._engine.cache_clear()
    external.engine.cache_clear()
    yield
    normalization._engine.cache_clear()
    external.engine.cache_clear()


@pytest.mark.parametrize(
    ("name", "package"), [("wetext", "wetext"), ("nemo", "nemo_text_processing"), ("kitten", "kitten_text_processing")]
)
def test_a_missing_package_is_told(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, cast(Any, None))
    monkeypatch.setenv("CHORUS_NORMALIZER", name)
    with pytest.raises(ConfigurationError, match=package):
        normalize("It cost $5.", "en-US")
    assert normalize("Es kostet 5.", "nl") == "Es kostet 5."


def test_its_answer_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Normalizer:
        def __init__(self, lang: str, operator: str) -> None:
            assert (lang, operator) == ("en", "tn")

        def normalize(self, text: str) -> str:
            if "fail" in text:
                raise RuntimeError
            return text.replace("$5", "five dollars").replace(",", " , ")

    monkeypatch.setitem(sys.modules, "wetext", cast(Any, SimpleNamespace(Normalizer=Normalizer)))
    monkeypatch.setenv("CHORUS_NORMALIZER", "wetext")
    assert normalize("Yes, it cost $5, once.", "en-US") == "Yes, it cost five dollars, once."
    assert normalize("It may fail for $5.", "en-US") == "It may fail for $5."


@given(*[st.lists(st.sampled_from(["a", "$5", "five", ",", ".", " ", "é", "\n"]), max_size=12).map("".join)] * 2)
def test_differences_make_one_text_of_the_other(text: str, said: str) -> None:
    def bare(line: str) -> str:
        return "".join(line.split())

    found = external.differences(text, said)
    made = SourceText.of(text).rewritten(found, apart=True).text
    assert bare(made) == bare(said) or not bare(text)
