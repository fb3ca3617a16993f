"""`text.letters` and `text.scripts`: words in other letters stay words; what no voice reads is found."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.letters import plain_letters
from text.phonemes import phonemize
from text.scripts import is_readable, unreadable, without
from text.speakable import has_word


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The oﬃce staﬀ was eﬃcient.", "The office staff was efficient."),
        ("𝐁𝐨𝐥𝐝 𝒊𝒕𝒂𝒍𝒊𝒄 𝟏𝟐", "Bold italic 12"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ！", "Full width!"),
        ("Ⓗⓔⓛⓛⓞ 🅷🅸", "Hello HI"),
        ("①②❸", "1 2 3"),
        ("10² m² x³ word²", "10 squared m squared x cubed word 2"),
        ("10⁻¹²", "10 minus 12"),
        ("H₂O 1ˢᵗ Ⅳ", "H2O 1st IV"),
        ("2½ 2⅛", "2½ 2 1/8"),
        ("20℃ ㎏ №5 ™", "20°C kg №5 ™"),
        ("Nguyễn Ștefan ʜᴇʀ q̃", "Nguyen Stefan her q"),
        ("ñandú Łódź straße œuvre", "ñandú Łódź straße œuvre"),
        ("٣ १२", "3 12"),
        ("日本 Привет 한국", "日本 Привет 한국"),
    ],
)
def test_plain_letters(text: str, plain: str) -> None:
    assert plain_letters(unicodedata.normalize("NFC", text)) == plain


def test_a_language_keeps_its_own_letters() -> None:
    assert plain_letters("Nguyễn ﬁ", "vi") == "Nguyễn fi"
    assert plain_letters("10² m²", "fr") == "10 2 m 2"


@given(st.text(st.characters(), max_size=40))
def test_no_word_goes_and_none_comes(text: str) -> None:
    plain = plain_letters(text)
    assert has_word(plain) <= has_word(text)
    assert sum(c.isdecimal() for c in plain) >= sum(c.isdecimal() for c in text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("He said 日本, かな! and left", "He said  ! and left"),
        ("Привет, мир", " "),
        ("α and β", "α and β"),
        ("Καλημέρα, α", " , α"),
        ("한국어 नमस्ते გამარჯობა", "한국어 नमस्ते გამარჯობა"),
        ("ABC日本9", "ABC 9"),
        ("שלום ᚠᛇᚻ 😀 1½", "  😀 1½"),
        ("㈠ 〇 ﾊﾟ", " "),
    ],
)
def test_what_an_english_voice_cannot_read(text: str, left: str) -> None:
    assert without(text, unreadable(text, "en-US")) == left
    assert is_readable(text, "en-US") == has_word(left)


def test_a_language_reads_its_own_script() -> None:
    for text, language in (("日本 かな カナ", "ja"), ("Привет", "ru-RU"), ("Καλημέρα", "el"), ("中文", "zh_CN")):
        assert unreadable(text, language) == []
        assert is_readable(text, language)
        assert not is_readable(text, "en")


@given(st.text(st.sampled_from("ab1 ,日本αβя一ｱ़é😀"), max_size=30))
def test_stretches_are_apart_and_hold_words_alone(text: str) -> None:
    found = unreadable(text, "en")
    ends = [0]
    for stretch in found:
        assert ends[-1] <= stretch.start < stretch.end
        assert has_word(text[stretch.start]) and stretch.scripts
        ends.append(stretch.end)
    assert unreadable(without(text, found), "en") == []
    assert is_readable(text, "en") == has_word(without(text, found))


def test_nothing_is_read_by_the_names_of_its_letters() -> None:
    """Every Latin letter, in a word, and every letter that a compatibility decomposition makes Latin."""
    letters = [chr(c) for c in range(0x80, 0x20000) if unicodedata.category(chr(c))[0] == "L"]
    latin = [
        c
        for c in letters
        if re.match("[A-Za-z]", unicodedata.normalize("NFKD", c)) or "LATIN SMALL" in unicodedata.name(c, "")
    ]
    assert len(latin) > 1500
    words = [f"ma{c.lower()}ma" for c in latin]
    for at in range(0, len(words), 100):
        ipa = phonemize(", ".join(words[at : at + 100]), "en-us")
        assert not [sign for sign in ("ɛɾɚ", "sɪmbəl", "smˈɔːl", "stɹˈoʊk") if sign in ipa], ipa


def test_long_texts_take_seconds() -> None:
    text = "日本 abc é ﬁ² " * 100_000
    started = time.process_time()
    plain_letters(text)
    unreadable(text, "en")
    is_readable(text, "en")
    assert time.process_time() - started < 20
