"""Words of a source text among the tokens of what is spoken of it: each once, in order, whatever the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidText
from core.names import Markup
from core.work import UtteranceWork, WordPlaces
from models.base import Frontend
from models.catalog import load_catalog
from tests.placed_words import placed, words_heard
from text.captions.token_places import token_places
from text.marks import inline_parts
from text.speakable import has_word
from workers.timing.timeline import word_samples


class Letters(Frontend):
    """A token for each letter of a text with a pad behind it, as Piper has them for phonemes."""

    def __init__(self) -> None:
        super().__init__(load_catalog().get("piper-joe"), Path)

    @property
    def takes_phonemes(self) -> bool:
        return True

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        letters = "".join(part for part, _ in inline_parts(text)).lower()
        if not has_word(letters):
            raise InvalidText
        return {"tokens": [token for letter in f"\x02{letters}\x03" for token in (ord(letter), 0)]}

    def symbols(self, inputs: Mapping[str, Any]) -> Sequence[str] | None:
        return [chr(token) if token > 3 else "" for token in inputs["tokens"]]


class Unknown(Letters):
    """One whose tokens are no symbols."""

    def symbols(self, inputs: Mapping[str, Any]) -> None:
        return None


def test_words_are_those_of_the_source() -> None:
    text = "Dr. Smith paid $5 for 3 kg — *well*, some[1]."
    assert words_heard(text, Letters()) == [
        ("Dr.", "doctor"),
        ("Smith", "smith"),
        ("paid", "paid"),
        ("$5", "five dollars"),
        ("for", "for"),
        ("3", "three"),
        ("kg", "kilograms"),
        ("—", ""),
        ("well*,", "well"),
        ("some[1].", "some"),
    ]


def test_subtitles_show_words_without_what_is_cleaned() -> None:
    text = "Be **bold**, an exam-\nple of it[1], at <b>$5</b>."
    [(_, places)] = placed(text, Letters())
    shown = [places.shown.get(n, text[o : o + length]) for n, (o, length, *_) in enumerate(places.words)]
    assert shown == ["Be", "bold,", "an", "example", "", "of", "it,", "at", "$5."]


def test_markup_is_no_word() -> None:
    text = (
        '<speak>A <sub alias="World Wide Web">WWW</sub> of <phoneme ph="tɛst">words</phoneme> &amp; <s/>more.</speak>'
    )
    assert words_heard(text, Letters(), markup=Markup.SSML) == [
        ("A", "a"),
        ("WWW", "world wide web"),
        ("of", "of"),
        ("words", "tɛst"),
        ("&amp;", "and"),
        ("more.", "more"),
    ]


def test_tokens_that_are_no_symbols_leave_characters() -> None:
    text = "It costs $5 now."
    [(one, places)] = placed(text, Unknown())
    assert (places.units, places.tokens) == (len(one.words), False)
    assert [one.words[int(first) : int(last)] for *_, first, last in places.words] == [
        "It",
        "costs",
        "five dollars",
        "now.",
    ]


def test_words_that_sound_otherwise_in_a_sentence() -> None:
    """The front end joins two words, and reads one in another way than alone."""
    symbols = list("ðə ˈɛnd ʌvðə bʊk.")
    alone = [list("ðiː"), list("ˈɛnd"), list("ʌv"), list("ðiː"), list("bˈʊk")]
    places = token_places(symbols, alone, [3, 3, 2, 3, 4])
    heard = ["".join(symbols[round(first) : round(last)]) for first, last in places]
    assert heard == ["ðə", "ˈɛnd", "ʌv", "ðə", "bʊk"]


def test_words_without_a_border_share_their_tokens_by_letters() -> None:
    places = token_places(list("xxxxxx yyy"), [list("aaa"), list("bbb"), list("yyy")], [4, 2, 3])
    assert places == [(0, 4), (4, 6), (7, 10)]


def test_a_mark_before_foreign_letters_comes_before_them() -> None:
    [(_, places)] = placed(":ก", Letters())
    (_, _, first, last), (_, _, begin, _) = places.words
    assert first == last <= begin


def test_packed_with_the_utterance() -> None:
    places = WordPlaces(9, True, ((0, 2, 0, 4), (3, 5, 4.5, 9)), {1: "shown"})
    work = UtteranceWork.single(artifact="a", inputs={}, options={}, seed=0, pause=0.25)
    work = UtteranceWork(stages=work.stages, pause=0.25, source=(1, 2, 3), words=places)
    assert UtteranceWork.unpack(work.pack()) == work
    assert UtteranceWork.unpack(UtteranceWork(stages=work.stages, pause=0.0).pack()).words is None


_PLAIN = st.sampled_from(
    [
        "the",
        "Dr.",
        "$5.50",
        "3/4/2025",
        "kg",
        "3",
        "R&D",
        "&",
        "well,",
        "“so”",
        "no.",
        "It's",
        "No. 7",
        "—",
        "1st",
        "5 kg",
    ]
)


@given(st.lists(_PLAIN, min_size=1, max_size=40))
def test_each_word_is_found_once(drawn: list[str]) -> None:
    text = " ".join(drawn)
    found = [word for word, _ in words_heard(text, Letters())]
    assert [word for word in found if has_word(word)] == [word for word in text.split() if has_word(word)]


_ANY = st.one_of(
    st.text(max_size=12),
    _PLAIN,
    st.sampled_from(
        ["<b>x</b>", "公园", "สวัสดี", "Привет", "\n\n", "exam-\nple", "[[joe|dʒoʊ]]", "*a*", "😀", "...", "x" * 400]
    ),
)


@given(st.lists(_ANY, max_size=12), st.sampled_from(Markup), st.sampled_from([Letters, Unknown]), st.booleans())
def test_places_are_in_order_whatever_the_text(
    drawn: list[str], markup: Markup, frontend: type[Frontend], spaced: bool
) -> None:
    text = (" " if spaced else "").join(drawn)
    try:
        found = placed(text, frontend(), markup=markup)  # type: ignore[call-arg]
    except InvalidText:  # markup that is none
        return
    before = 0
    for one, places in found:
        at: float = 0
        for offset, length, first, last in places.words:
            begin = one.source[0] + offset
            assert length > 0 and before <= begin and begin + length <= one.source[1]
            assert not text[begin].isspace()
            before = begin + length
            assert at <= first <= last <= places.units
            at = last


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), max_size=20),
    st.integers(0, 40_000),
    st.booleans(),
)
def test_words_are_within_the_sound_of_their_utterance(
    durations: list[float], bounds: list[float], size: int, known: bool
) -> None:
    samples = np.zeros(size, np.float32)
    samples[size // 4 : size // 2] = 0.5
    units = len(durations)
    ordered = sorted(bound * units for bound in bounds)
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    places = WordPlaces(units, True, tuple((0, 1, first, last) for first, last in pairs))
    found = word_samples(places, np.asarray(durations) if known else None, samples, 8000).tolist()
    assert len(found) == 2 * len(places.words)
    assert all(one <= other for one, other in pairwise(found))
    if size > 3:
        assert all(size // 4 <= sample <= size // 2 for sample in found)


@pytest.mark.parametrize("peak", [1.0, 3e-5])
def test_durations_say_where_words_are(peak: float) -> None:
    samples = np.full(8000, peak, np.float32)
    places = WordPlaces(4, True, ((0, 1, 0, 1), (2, 1, 1.5, 4)))
    assert word_samples(places, np.asarray([0.1, 0.2, 0.3, 0.4]), samples, 8000).tolist() == [0, 800, 1600, 8000]
    assert word_samples(places, None, samples, 8000).tolist() == [0, 2000, 3000, 8000]
