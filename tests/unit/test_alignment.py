"""Each word of a text gets a time, from what was heard of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.captions.alignment import TimedWord, align, words_of


def heard(text: str, pace: float = 1.0) -> list[TimedWord]:
    """One word a second, said for a half."""
    return [TimedWord(n * pace, (n + 0.5) * pace, word) for n, word in enumerate(text.split())]


def spans(found: list[TimedWord]) -> dict[str, tuple[float, float]]:
    return {one.word: (round(one.start, 3), round(one.end, 3)) for one in found}


def test_words_in_common_have_the_times_that_were_heard() -> None:
    found = align("“Hello, world!” she said.", heard("hello world she said"), 5.0)
    assert spans(found) == {"“Hello,": (0, 0.5), "world!”": (1, 1.5), "she": (2, 2.5), "said.": (3, 3.5)}


def test_a_misheard_word_has_the_time_of_what_was_heard_in_its_place() -> None:
    found = align("the riper should", heard("the writer should"), 3.0)
    assert spans(found)["riper"] == (1, 1.5)


def test_words_heard_as_others_share_their_time_by_letters() -> None:
    found = align("pay 25 to me", heard("pay twenty five dollars to me"), 6.0)
    assert spans(found)["25"] == (1, 3.5)
    found = align("I am ready now", heard("I'm ready now"), 3.0)
    assert spans(found)["I"] == (0, pytest.approx(0.167, abs=0.001))
    assert spans(found)["am"] == (pytest.approx(0.167, abs=0.001), 0.5)


def test_words_that_were_not_heard_lie_between_their_neighbours() -> None:
    found = align("one — two three four", [TimedWord(1, 2, "one"), TimedWord(5, 6, "four")], 6.0)
    assert spans(found)["—"][0] == 2 and spans(found)["three"][1] == 5
    assert spans(found)["two"][1] - spans(found)["two"][0] == pytest.approx(3 * 3 / 9, abs=0.01)


def test_nothing_heard() -> None:
    assert spans(align("a bcd", [], 4.0)) == {"a": (0, 1), "bcd": (1, 4)}
    assert align(" ", heard("what is this"), 3.0) == []


def test_of_repeated_words_each_has_its_own_time() -> None:
    found = align("that that is is that that is not", heard("that that is is that that is not"), 8.0)
    assert [one.start for one in found] == list(range(8))


def test_scripts_without_spaces_are_timed_by_the_letter() -> None:
    assert words_of("你好，世界。 ok") == ["你", "好，", "世", "界。", "ok"]
    found = align("你好，世界。", [TimedWord(0, 1, "你好"), TimedWord(2, 3, "世界")], 4.0)
    assert [(one.start, one.end) for one in found] == [(0, 0.5), (0.5, 1), (2, 2.5), (2.5, 3)]


_TEXTS = st.lists(
    st.sampled_from(["a", "the", "The,", "cat", "25", "—", "naïve", "你好", "!", "don't"]) | st.text(max_size=4)
)
_TIMES = st.floats(-1, 12)


@given(_TEXTS.map(" ".join), st.lists(st.tuples(_TIMES, _TIMES, _TEXTS.map(" ".join)), max_size=12), st.floats(0, 10))
def test_every_word_once_in_order_within_the_duration(
    text: str, given_words: list[tuple[float, float, str]], duration: float
) -> None:
    starts = sorted(start for start, _, _ in given_words)
    them = [TimedWord(start, end, word) for start, (_, end, word) in zip(starts, given_words, strict=True)]
    found = align(text, them, duration)
    assert [one.word for one in found] == words_of(text)
    assert "".join(one.word for one in found) == "".join(text.split())
    at = 0.0
    for one in found:
        assert at <= one.start <= one.end <= duration
        at = one.end


def test_five_thousand_words_take_time_by_the_product() -> None:
    began = time.process_time()
    align("a " * 500, heard("a " * 500), 500.0)
    small = time.process_time() - began
    began = time.process_time()
    found = align("a " * 5000, heard("a " * 5000), 5000.0)
    assert len(found) == 5000 and time.process_time() - began < 100 * max(small, 0.02)
