"""`text.reading`: a chapter portion by portion, with the pauses and styles of its markup, and nothing lost."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import text.portions as portions_of_text
from core.names import Clean, Markup, Normalize
from text.marks import MarkedText, inline
from text.markup import parse
from text.portions import FIRST, PORTION, portion_end
from text.reading import Manner, ReadUtterance, read_portion, said
from text.source import Rewrite, SourceText
from text.speakable import clean
from text.utterances import CHAPTER_PAUSE, CLAUSE_PAUSE, ELLIPSIS_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE

MANNER = Manner(language="en-US", limit=300, clean=Clean.NONE)


def portions(chapter: MarkedText, manner: Manner = MANNER) -> Iterator[list[ReadUtterance]]:
    place: int | None = 0
    while place is not None:
        portion = read_portion(chapter, place, manner)
        assert portion.next is None or portion.next > place
        yield list(portion.utterances)
        place = portion.next


def read(text: str, markup: Markup = Markup.NONE, manner: Manner = MANNER) -> list[ReadUtterance]:
    return [one for portion in portions(parse(text, markup), manner) for one in portion]


def pauses(text: str, markup: Markup) -> list[tuple[str, float]]:
    return [(one.written.text, round(one.utterance.pause, 3)) for one in read(text, markup)]


PARAGRAPH = "The quick brown fox jumps over the lazy dog. It was late, and nobody had seen it.\n\n"


def test_a_long_text_is_read_in_portions_that_end_at_paragraphs() -> None:
    text = PARAGRAPH * 2000
    found = list(portions(MarkedText(SourceText.of(text))))
    assert len(found) == 2 + len(text) // (PORTION + len(PARAGRAPH))
    assert 20 < len(found[0]) < 60, "the first one is short"
    whole = [one for portion in found for one in portion]
    assert [one.written.text for one in whole] == [
        "The quick brown fox jumps over the lazy dog.",
        "It was late, and nobody had seen it.",
    ] * 2000
    assert [text[slice(*one.source)] for one in whole] == [one.written.text for one in whole]
    assert {one.utterance.pause for one in whole[:-1:2]} == {SENTENCE_PAUSE}
    assert {one.utterance.pause for one in whole[1:-1:2]} == {PARAGRAPH_PAUSE}
    assert whole[-1].utterance.pause == CHAPTER_PAUSE


def test_a_paragraph_that_is_longer_than_a_portion_is_cut_between_sentences() -> None:
    text = " ".join(f"Sentence number {n} is about nothing." for n in range(4000))
    whole = read(text)
    assert [one.written.text for one in whole] == [f"Sentence number {n} is about nothing." for n in range(4000)]
    assert {one.utterance.pause for one in whole[:-1]} == {SENTENCE_PAUSE}


def test_five_megabytes_on_one_line_take_bounded_memory() -> None:
    chapter = MarkedText(SourceText.of("word " * 1_000_000))
    tracemalloc.start()
    words, began = 0, time.process_time()
    for portion in portions(chapter):
        words += sum(len(one.written.text.split()) for one in portion)
        if time.process_time() - began > 3:  # traced, it is slow: a part shows as much
            break
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert words > 50_000
    assert peak < 30e6


PIECES = st.sampled_from(["a", "bc", "7", " ", " ", "\n", "\n\n", ". ", "é", "—", '"', "e\u0301", "語", "\r\n"])


@given(st.lists(PIECES, max_size=200).map("".join))
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_wherever_portions_end(text: str) -> None:
    def letters(written: str) -> str:
        return "".join(c for c in clean(written) if c.isalnum())

    with mock.patch.multiple(portions_of_text, FIRST=10, PORTION=25):
        whole = read(text)
    assert "".join(letters(one.written.text) for one in whole) == letters(text)
    places = [one.source for one in whole]
    assert places == sorted(places) and all(a < b for a, b in places)


def test_portions_end_where_they_ended_before() -> None:
    text = (PARAGRAPH * 30 + "x" * 9000 + "\n\n") * 5
    end, ends = 0, []
    while end < len(text):
        after, _ = portion_end(text, end)
        assert portion_end(text, end)[0] == after > end
        ends.append(after - end)
        end = after
    assert FIRST <= ends[0] <= 5 * FIRST and max(ends) <= 5 * PORTION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. [pause 2s] Two.", [("One.", 2.0), ("Two.", CHAPTER_PAUSE)]),
        ("One [pause 300ms] two. Three.", [("One", 0.3), ("two.", SENTENCE_PAUSE), ("Three.", CHAPTER_PAUSE)]),
        ("One.\n\n[pause 100ms]\n\nTwo.", [("One.", 0.1), ("Two.", CHAPTER_PAUSE)]),
        ("[pause 3s] One.", [("One.", CHAPTER_PAUSE)]),
        ("Very *good* news.", [("Very good news.", CHAPTER_PAUSE)]),
    ],
)
def test_pauses_of_light_markup(text: str, expected: list[tuple[str, float]]) -> None:
    assert pauses(text, Markup.LIGHT) == expected


def test_styles_part_utterances_and_are_nested() -> None:
    text = 'He said <voice name="ann">come <prosody rate="fast">now. Go.</prosody> Yes</voice> and left.'
    found = [(one.written.text, one.style and (one.style.voice, one.style.speed)) for one in read(text, Markup.SSML)]
    assert [words for words, _ in found] == ["He said", "come", "now.", "Go.", "Yes", "and left."]
    speed = found[2][1][1] if found[2][1] else None
    assert speed and speed > 1
    assert [style for _, style in found] == [None, ("ann", None), ("ann", speed), ("ann", speed), ("ann", None), None]


def test_many_styles_take_linear_time() -> None:
    def took(count: int) -> float:
        chapter = parse('<prosody rate="fast">a b</prosody> ' * count, Markup.SSML)
        began = time.process_time()
        assert sum(len(portion) for portion in portions(chapter)) == count
        return time.process_time() - began

    assert min(took(8000) for _ in range(2)) < 8 * min(took(2000) for _ in range(2)) + 0.1


def test_phonemes_of_markup_are_kept_through_it_all() -> None:
    [one] = read("Call [[Joe 5|dʒˈoʊ fˈaɪv]] at 5.", Markup.LIGHT)
    assert said(one.written, MANNER).text == f"Call {inline('dʒˈoʊ fˈaɪv')} at five."
    assert said(one.written, Manner(language="en", limit=300, normalize=Normalize.NONE)).text.endswith("at 5.")


def test_a_lexicon_is_applied_before_sentences_are_found() -> None:
    def lexicon(text: str) -> list[Rewrite]:
        at = text.find("Dr. No")
        return [Rewrite(at, at + 6, "Doctor No")] if at >= 0 else []

    [one] = read("See Dr. No today.", manner=Manner(language="en", limit=300, lexicon=lexicon))
    assert one.written.text == "See Doctor No today."
    assert one.source == (0, 17)


def test_an_ellipsis_has_a_pause_of_its_own() -> None:
    def parts(text: str) -> list[tuple[str, float]]:
        return [(one.written.text, one.utterance.pause) for one in read(text)]

    text = 'He waited at the door... and "then… he" left… at last. No... Wait. 3... 2'
    assert parts(text) == [
        ("He waited at the door...", ELLIPSIS_PAUSE),
        ('and "then…', ELLIPSIS_PAUSE),
        ('he" left…', ELLIPSIS_PAUSE),
        ("at last.", SENTENCE_PAUSE),
        ("No...", SENTENCE_PAUSE),
        ("Wait.", SENTENCE_PAUSE),
        ("3... 2", CHAPTER_PAUSE),
    ]


def test_a_cut_clause_keeps_its_short_pause() -> None:
    text = ("one two three four five, " * 30).rstrip(", ") + "."
    found = read(text)
    assert len(found) > 2 and {one.utterance.pause for one in found[:-1]} == {CLAUSE_PAUSE}
