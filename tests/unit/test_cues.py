"""Cues of subtitles: readable, in order, and of all words, whatever these are."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from text.captions.cues import GAP, LINE, LINES, LONGEST, SHORTEST, CueWord, cues_of, width


def spoken(text: str, start: float = 0.0, pace: float = 0.06) -> list[CueWord]:
    """Words that follow each other, each as long as its letters take."""
    found = []
    for word in text.split():
        found.append(CueWord(start, start + pace * len(word), word))
        start += pace * (len(word) + 1)
    return found


def test_a_short_sentence_is_one_cue_with_time_to_read_it() -> None:
    (cue,) = cues_of([spoken("Yes, you may.", start=2.0)], 60.0)
    assert (cue.start, cue.end, cue.text) == (2.0, 2.0 + SHORTEST, "Yes, you may.")


def test_a_cue_ends_before_the_next_one_and_with_the_audio() -> None:
    fast = [spoken("This is said so very very fast indeed.", 0.0, 0.03), spoken("And so is this.", 1.8, 0.01)]
    first, second = cues_of(fast, 2.2)
    assert (first.end, second.end) == (1.8 - GAP, 2.2)


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    text = (
        "When the first snow fell on the town in November, the children ran outside, and their mothers, who had seen"
        " many winters, let them go."
    )
    cues = cues_of([spoken(text)], 60.0)
    assert [cue.text for cue in cues] == [
        "When the first snow fell on the town\nin November, the children ran outside,",
        "and their mothers, who had\nseen many winters, let them go.",
    ]


def test_sentences_share_a_cue_only_where_they_are_too_short() -> None:
    quick = [spoken("No!", 0.0), spoken("Yes!", 0.4), spoken("This one is long enough to be read by itself.", 5.0)]
    assert [cue.text for cue in cues_of(quick, 20.0)] == ["No! Yes!", "This one is long enough\nto be read by itself."]


def test_scripts_without_spaces() -> None:
    words = [CueWord(i * 0.2, i * 0.2 + 0.2, c, spaced=False) for i, c in enumerate("我们今天去公园，" * 9)]
    cues = cues_of([words], 60.0)
    assert "".join(cue.text.replace("\n", "") for cue in cues) == "我们今天去公园，" * 9
    assert all(width(line) <= LINE for cue in cues for line in cue.text.split("\n"))
    assert all(cue.text.endswith("，") for cue in cues)


_WORDS = st.lists(
    st.tuples(
        st.one_of(st.text(min_size=1, max_size=100), st.sampled_from(["-->", "<b>", "&", "word,", "end.", "公园"])),
        st.floats(0, 3),
        st.floats(0, 2),
        st.booleans(),
    ),
    max_size=30,
)


@given(st.lists(_WORDS, max_size=5))
def test_all_words_are_shown_in_order_and_in_time(drawn: list[list[tuple[str, float, float, bool]]]) -> None:
    now, utterances = 0.0, []
    for shapes in drawn:
        words = []
        for text, lasts, pause, spaced in shapes:
            words.append(CueWord(now, now + lasts, text, spaced))
            now += lasts + pause
        utterances.append(words)
    cues = cues_of(utterances, now)
    said = re.sub(r"\s", "", "".join(word.text for words in utterances for word in words))
    assert re.sub(r"\s", "", "".join(cue.text for cue in cues)) == said
    for one, other in itertools.pairwise(cues):
        assert one.start <= one.end <= other.start + 1e-9
    for cue in cues:
        assert cue.text.count("\n") < LINES and all(width(line) <= LINE for line in cue.text.split("\n"))
        assert cue.end <= max(now, cue.start) + 1e-9
        assert cue.end - cue.start <= max(LONGEST, 3.0) + 1e-9
