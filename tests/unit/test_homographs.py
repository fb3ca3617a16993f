"""Words that are spelled alike and said differently, each in a sentence that decides."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from text.marks import inline_parts
from text.normalization.english.homographs import _TABLE, homographs

CASES = [
    line.partition(" | ")
    for line in (Path(__file__).parents[1] / "homograph_cases.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_the_words_around_decide() -> None:
    """A reading is the one that is meant, or it is left to espeak-ng, which is right then or has to be."""
    wrong, decided = [], 0
    for meant, _, sentence in CASES:
        before, word, after = sentence.split("*")
        noun, verb, _default = _TABLE.get(word.lower(), ("", "", ""))
        expected = {"n": noun, "v": verb}.get(meant, meant)
        end = len(before) + len(word)
        reading = next((r for r in homographs(before + word + after) if r.end == end), None)
        decided += reading is not None
        if reading is not None and inline_parts(reading.text)[0][0].split()[-1] != expected:
            wrong.append((sentence, expected, reading.text))
    assert not wrong
    assert decided > 0.9 * len(CASES)


def test_weak_words_before_a_reading_stay_weak() -> None:
    (found,) = homographs("He took a bow.")
    assert (found.start, found.end) == (8, 13) and inline_parts(found.text) == [("ɐ bˈaʊ", True)]


def test_other_words_are_left_alone() -> None:
    assert homographs("Nothing here is spelled as something else. Leader, winding, liver!") == []


_PIECES = st.sampled_from(
    [
        "the",
        "to",
        "a",
        "I",
        "he",
        "read",
        "live",
        "lead",
        "wind",
        "close",
        "content",
        "bow",
        "of",
        "and",
        "'s",
        ".",
        ",",
        "(",
        "Reading",
        "12",
        "é",
        " ",
    ]
)


@given(st.lists(_PIECES, max_size=30).map(" ".join))
def test_any_text_keeps_its_places(text: str) -> None:
    at = 0
    for rewrite in homographs(text):
        assert (
            at <= rewrite.start < rewrite.end <= len(text)
            and text[rewrite.start : rewrite.end].replace(" ", "").isalpha()
        )
        at = rewrite.end


def test_time_is_linear() -> None:
    def took(piece: str, count: int) -> float:
        text = piece * count
        began = time.process_time()
        homographs(text)
        return time.process_time() - began

    for piece in ("read ", "the lead.. ", "bow", "wind'"):
        assert min(took(piece, 4000) for _ in range(2)) < 8 * min(took(piece, 1000) for _ in range(3)) + 0.05
