from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidText
from text.ipa import MAX_IPA_CHARACTERS, check_ipa


@pytest.mark.parametrize(
    "ipa",
    [
        "dʒˈoʊ",
        "d͡ʒoʊ",
        "həlˈoʊ wˈɜːld",
        "tɪˈmɑː.tʰəʊ",
        "ʃɐ̃sɔ̃",
        "français".replace("ai", "ɛ"),
        "ãõũ",
        "ǃʼa ⁿd ɚ˞ ɫ ᵻ",
        "ma˥˩ ma˧˥",
        "lez‿ami | wi ‖",
        "x",
    ],
)
def test_ipa_is_accepted(ipa: str) -> None:
    check_ipa(ipa)


@pytest.mark.parametrize(
    ("ipa", "says"),
    [
        ("", "at least one letter"),
        ("   ", "at least one letter"),
        ("ˈː", "at least one letter"),
        ("\u0303a", "must follow a letter"),
        ("dʒ'oʊ", "U+02C8"),
        ("bi:t", "U+02D0"),
        ("/dʒoʊ/", "without slashes"),
        ("JH OW1", "ARPAbet"),
        ("a\n", "U+000A"),
        ("a\ue000b", "U+E000"),
        ("a\ue001", "U+E001"),
        ("a\x00", "U+0000"),
        ("a\ud800", "U+D800"),
        ("привет", "not in the IPA"),
        ("田", "not in the IPA"),
        ("a😀", "not in the IPA"),
        ("a<b", "not in the IPA"),
        ("a" + "\u0300" * 5, "at most 4 diacritics"),
        ("a" * (MAX_IPA_CHARACTERS + 1), "at most 500 characters"),
    ],
)
def test_other_text_is_refused(ipa: str, says: str) -> None:
    with pytest.raises(InvalidText, match=says.replace("+", r"\+")) as raised:
        check_ipa(ipa)
    assert raised.value.code == "invalid_ipa"


@given(st.text())
def test_any_text_is_accepted_or_refused(ipa: str) -> None:
    try:
        check_ipa(ipa)
    except InvalidText as error:
        assert error.code == "invalid_ipa"
        error.message.encode()
    else:
        assert not any("\ue000" <= character <= "\uf8ff" for character in ipa)


def test_a_huge_text_is_refused_at_once() -> None:
    marks = "\u0300\u0323"  # to put n pairs in their order takes n² steps
    started = time.process_time()
    unicodedata.normalize("NFD", "a" + marks * 10_000)
    normalized = time.process_time() - started
    text = "a" + marks * 5_000_000
    started = time.process_time()
    with pytest.raises(InvalidText):
        check_ipa(text)
    assert time.process_time() - started < normalized
