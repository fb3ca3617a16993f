"""`text.source`: positions go from the source to the edited text and back."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from text.cleaning import clean_up
from text.cleaning.characters import plain_characters
from text.marks import inline, inline_parts
from text.source import Rewrite, SourceText
from text.speakable import clean

TEXT = "Dr. Lee paid $5 in May."


def test_a_replacement_counts_as_a_whole() -> None:
    text = SourceText.of(TEXT).rewritten([Rewrite(0, 3, "Doctor"), Rewrite(13, 15, "five dollars")], apart=True)
    assert text.text == "Doctor Lee paid five dollars in May."
    assert text.source(0, 6) == (0, 3) and text.source(8, 9) == (5, 6)
    start = text.text.index("dollars")
    assert text.source(start, start + 7) == (13, 15)
    assert text.text[slice(*text.place(14, 15))] == "five dollars"
    assert text.text[slice(*text.place(19, 22))] == "May"


def test_positions_survive_several_edits() -> None:
    text = SourceText.of(TEXT, at=100).rewritten([Rewrite(4, 7, "")]).rewritten([Rewrite(0, 3, "Doc")])
    assert text.text == "Doc  paid $5 in May."
    assert text.place(104, 107) == (4, 4)
    assert text.text[slice(*text.place(119, 122))] == "May" and text.source(16, 19) == (119, 122)
    assert text.part(10, 15).source(0, 2) == (113, 115)


def test_replacements_stand_apart() -> None:
    text = SourceText.of("a1b").rewritten([Rewrite(1, 2, "one")], apart=True)
    assert text.text == "a one b"
    assert text.source(6, 7) == (2, 3)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, SourceText]:
    source = draw(st.text("ab \n", max_size=30))
    text = SourceText.of(source)
    for _ in range(draw(st.integers(0, 3))):
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        rewrites = [Rewrite(a, b, draw(st.text("xy", max_size=3))) for a, b in pairs]
        text = text.rewritten(rewrites, apart=draw(st.booleans()))
    return source, text


@given(edited())
@example(("\n\n", SourceText.of("\n\n").rewritten([Rewrite(0, 2, "xyy")]).rewritten([Rewrite(1, 2, "y")], apart=True)))
@example((" \n", SourceText.of(" \n").rewritten([Rewrite(0, 2, "xxx")]).rewritten([Rewrite(0, 1, "xy")])))
def test_what_was_kept_is_where_it_says(case: tuple[str, SourceText]) -> None:
    source, text = case
    for at, character in enumerate(text.text):
        start, end = text.source(at, at + 1)
        assert 0 <= start <= end <= len(source)
        if character in "ab\n":
            assert source[start:end] == character
            assert text.place(start, end) == (at, at + 1)
    begins = [text.source(at, at + 1)[0] for at in range(len(text))]
    assert begins == sorted(begins)


@given(st.text(max_size=60))
def test_cleaning_with_the_source_kept_is_the_same_as_without(text: str) -> None:
    assert plain_characters(SourceText.of(text)).text == clean(text)


def test_composed_letters_keep_their_places() -> None:
    source = unicodedata.normalize("NFD", "né 한국 à la") + "\r\nq\u0323\u0307"
    text = clean_up(SourceText.of(source), "en")
    assert text.text == clean(source)
    at = text.text.index("la")
    assert source[slice(*text.source(at, at + 2))] == "la"


@given(st.lists(st.tuples(st.text("abc ,.", min_size=1, max_size=8), st.booleans()), max_size=6))
def test_phonemes_are_written_into_text_and_read_again(parts: list[tuple[str, bool]]) -> None:
    text = "".join(inline(part) if is_ipa else part for part, is_ipa in parts)
    found = inline_parts(text)
    assert [" ".join(p.split()) for p, ipa in found if ipa] == [" ".join(p.split()) for p, ipa in parts if ipa]
    assert "".join(p for p, ipa in found if not ipa) == "".join(p for p, ipa in parts if not ipa)


def test_phonemes_that_are_not_closed_are_text() -> None:
    assert inline_parts("a\ue000bc") == [("a", False), ("bc", False)]
