"""Names of files in a batch's ZIP."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.objects.file_names import file_name


def test_a_file_gets_a_name_that_every_file_system_takes() -> None:
    taken: dict[str, int] = {}
    assert file_name("a/b\\c:d", taken) == "a_b_c_d"
    assert file_name("A_B_c_d", taken) == "A_B_c_d-2"
    assert file_name("a_b_c_d-2", taken) == "a_b_c_d-2-2"
    assert file_name("...", taken) == "item"
    assert len(file_name("x" * 128, taken)) == 100


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("CON", "CON_"),
        ("nul.tar", "nul_.tar"),
        ("COM1", "COM1_"),
        ("lpt\u00b3", "lpt\u00b3_"),
        ("console", "console"),
        ("a.", "a"),
        ("a ", "a_"),
        ("..a..", "a"),
        ("x" * 99 + ".y", "x" * 99),
        ("12:30", "12_30"),
        ("a\x00b\nc\x7f", "a_b_c_"),
        ("Grüße", "Grüße"),
        ("Gru\u0308ße", "Grüße"),
        ("日本語", "日本語"),
        ("Привет", "Привет"),
        ("हिन्दी", "हिन्दी"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a\uff0fb\uff1ac", "a_b_c"),  # folded to / and : by some
        ("\ud800", "_"),
    ],
)
def test_what_windows_reserves_is_changed_and_letters_are_kept(asked: str, name: str) -> None:
    assert file_name(asked, {}) == name


def test_names_that_differ_by_case_or_form_alone_are_told_apart() -> None:
    taken: dict[str, int] = {}
    names = [file_name(asked, taken) for asked in ("É", "é", "E\u0301", "STRASSE", "straße", "ΑΣ", "ας")]
    assert names == ["É", "é-2", "É-3", "STRASSE", "straße-2", "ΑΣ", "ας-2"]


@given(st.lists(st.text(max_size=128), max_size=30))
def test_any_names(asked: list[str]) -> None:
    taken: dict[str, int] = {}
    names = [file_name(one, taken) for one in asked]
    assert len({unicodedata.normalize("NFC", name.lower()) for name in names}) == len(asked)
    for name in names:
        assert 0 < len(name.encode()) < 230
        assert not any(unicodedata.category(c)[0] in "CZ" or c in '/\\:*?"<>|' for c in name)
        assert name.strip(". ") == name


def test_many_names_that_become_one_take_no_long_time() -> None:
    taken: dict[str, int] = {}
    began = time.process_time()
    names = {file_name("?" + "!" * (n % 3), taken) for n in range(20_000)}
    assert len(names) == 20_000
    assert time.process_time() - began < 5
