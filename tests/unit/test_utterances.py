"""`text`: no word lost, whatever the text; sentences where a reader sees them; time in proportion."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import data_path
from text.speakable import MAX_MARKS, clean, has_word
from text.utterances import (
    CHAPTER_PAUSE,
    CLAUSE_PAUSE,
    LINE_PAUSE,
    NO_PAUSE,
    PARAGRAPH_PAUSE,
    SENTENCE_PAUSE,
    Utterance,
    split,
    split_chapters,
)

PIECES = st.sampled_from(
    [
        *"aZé9 \n\r\t.!?,;:…。、“”\"'()—-😀",
        "\n\n",
        "Mr. ",
        "你好",
        "सत्य",
        "e\u0301",
        "\u200d",
        "\ud800",
        "\x00",
        "hello ",
    ]
)
TEXTS = st.one_of(st.text(st.characters()), st.lists(PIECES, max_size=80).map("".join))


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(1, 60))
def test_every_letter_is_in_exactly_one_utterance(text: str, limit: int) -> None:
    utterances = split(text, "en", limit)
    assert letters("".join(text[u.start : u.end] for u in utterances)) == letters(text)
    ends = [0]
    for u in utterances:
        assert ends[-1] <= u.start < u.end <= u.start + limit
        assert u.text == " ".join(text[u.start : u.end].split())
        assert has_word(u.text)
        ends.append(u.end)
    assert [u.pause for u in utterances[-1:]] == [NO_PAUSE] * bool(utterances)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_clean_text_is_utf8_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not {unicodedata.category(c) for c in cleaned if c != "\n"} & {"Cc", "Cs", "Co"}
    cleaned.encode()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("a\u2029b", "a\n\nb"),
        ("e\u0301\ufeff\u200b!", "é!"),
        ("so\u00adft\x00 \x1b[0m\u202e", "soft [0m"),
        ("pa\u200dss", "pass"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\ud800a\ue000\ufffe", "a"),
        ("a\tb", "a b"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_marks_in_a_row_are_bounded() -> None:
    text = "a" + "\u0301\u0323" * 500_000 + "b"
    started = time.perf_counter()
    cleaned = clean(text)
    assert time.perf_counter() - started < 5
    assert cleaned.startswith("ạ")
    assert cleaned.endswith("b")
    assert len(cleaned) <= MAX_MARKS + 2


@pytest.mark.parametrize(
    ("text", "known"),
    [("a", True), ("٣", True), ("你", True), ("½", True), ("", False), ("… — !", False), ("_😀_", False)],
)
def test_has_word(text: str, known: bool) -> None:
    assert has_word(text) is known


def test_sentences_paragraphs_and_their_pauses() -> None:
    text = "Hello Mr. Smith.  How are\nyou?\n \nFine — thanks!\r\n\r\n* * *\n\nBye."
    assert split(text, "en", 300) == [
        Utterance("Hello Mr. Smith.", SENTENCE_PAUSE, 0, 16),
        Utterance("How are you?", PARAGRAPH_PAUSE, 18, 30),
        Utterance("Fine — thanks!", PARAGRAPH_PAUSE, 33, 47),
        Utterance("Bye.", NO_PAUSE, 58, 62),
    ]


def test_a_long_sentence_is_cut_at_clauses_then_spaces_then_anywhere() -> None:
    clauses = "When the long day had ended, and all had gone home, the lamps went out."
    assert [(u.text, u.pause) for u in split(clauses, "en", 40)] == [
        ("When the long day had ended,", CLAUSE_PAUSE),
        ("and all had gone home,", CLAUSE_PAUSE),
        ("the lamps went out.", NO_PAUSE),
    ]
    assert [u.text for u in split("one two three four", "en", 10)] == ["one two", "three four"]
    assert [u.text for u in split("abcdefghij", "en", 4)] == ["abcd", "efgh", "ij"]
    assert [u.text for u in split("abce\u0323fg", "en", 4)] == ["abc", "e\u0323fg"]


def test_a_long_quotation_is_cut_at_its_sentences() -> None:
    text = "“I saw the sea. It was grey.” “Was it cold?” he asked."
    assert [u.text for u in split(text, "en", 20)] == [
        "“I saw the sea.",
        "It was grey.”",
        "“Was it cold?”",
        "he asked.",
    ]


def test_marks_without_a_word_go_with_a_neighbour_or_nowhere() -> None:
    assert split("... !!! — “”", "en", 300) == []
    assert split("", "en", 300) == []
    assert [u.text for u in split("Yes. … No.", "en", 300)] in (["Yes. …", "No."], ["Yes.", "… No."])


@pytest.mark.parametrize("language", ["xx", "", "en-US", "zh_Hant_TW", "\x00", "x" * 1000, "tlh"])
def test_any_language_is_taken(language: str) -> None:
    assert [u.text for u in split("Hello Mr. Smith. Bye.", language, 300)] == ["Hello Mr. Smith.", "Bye."]


def test_the_golden_rules_of_english() -> None:
    rules = json.loads(data_path("sentences/pysbd_golden_rules.json").read_text(encoding="utf-8"))
    english = [rule for rule in rules if rule["lang"] == "en"]
    right = [
        [u.text for u in split(rule["text"], "en", 1000)] == [" ".join(s.split()) for s in rule["sentences"]]
        for rule in english
    ]
    assert len(right) == 32
    assert sum(right) >= 30  # the two others are numbered lists on one line


def test_hostile_strings() -> None:
    for text in json.loads(data_path("sentences/blns.json").read_text(encoding="utf-8")):
        for given_text in (text, clean(text)):
            utterances = split(given_text, "en", 100)
            assert letters("".join(given_text[u.start : u.end] for u in utterances)) == letters(given_text)


def test_a_book() -> None:
    text = clean(data_path("texts/gutenberg_35-0_the-time-machine.txt").read_text(encoding="utf-8"))
    utterances = split(text, "en", 300)
    assert letters("".join(u.text for u in utterances)) == letters(text)
    assert 1500 < len(utterances) < 2600
    cut = sum(u.pause in (CLAUSE_PAUSE, NO_PAUSE) for u in utterances)
    assert cut < 0.1 * len(utterances)


@pytest.mark.parametrize("unit", ["a", "你好。", "“你好”。", "Hi there. ", "a\n\n", "“", "'", " ", "e\u0301"])
def test_two_million_characters_take_seconds(unit: str) -> None:
    text = unit * (2_000_000 // len(unit))
    started = time.process_time()
    utterances = split(text, "en", 300)
    assert time.process_time() - started < 20
    assert sum(len(letters(u.text)) for u in utterances) == len(letters(text))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Chapter One\nIt was a dark night. It rained.", [("Chapter One", LINE_PAUSE), ("It was a dark night.", 0.25)]),
        ("THE RAVEN\n\nOnce upon a midnight.", [("THE RAVEN", PARAGRAPH_PAUSE)]),
        ("To buy:\n- apples\n- pears\n\nDone.", [("To buy:", 0.45), ("- apples", 0.45), ("- pears", PARAGRAPH_PAUSE)]),
        ("The title\n=========\nthe text.", [("The title", LINE_PAUSE), ("the text.", NO_PAUSE)]),
        ("It ended so\n* * *\nand began.", [("It ended so", LINE_PAUSE), ("and began.", NO_PAUSE)]),
        ("Roses are red\nViolets are blue\nAnd so on", [("Roses are red", 0.45), ("Violets are blue", 0.45)]),
    ],
)
def test_lines_that_were_ended_on_purpose_have_a_pause(text: str, parts: list[tuple[str, float]]) -> None:
    assert [(u.text, u.pause) for u in split(text, "en", 300)][: len(parts)] == parts


@pytest.mark.parametrize(
    "text",
    [
        "This line was wrapped by hand at forty\ncolumns and then went on to\nLondon, where it was\nwrapped again",
        "We went to see the old town of\nLondon and then we walked\nback home again",
        "Yesterday I met Mr.\nBrown at the gate of\nHampton Court, with\nMary",
        "The Time Traveller (for so it will be convenient to speak of him) was\nExpounding a matter to us",
    ],
)
def test_lines_that_were_wrapped_have_none(text: str) -> None:
    assert [u.text for u in split(text, "en", 300)] == [" ".join(text.split())]


def test_chapters_are_parted_by_more_than_paragraphs_and_sentences() -> None:
    found = split_chapters(["One. Two.\n\nThree.", "---", "Four.", ""], "en", 300)
    assert [[(u.text, u.pause) for u in chapter] for chapter in found] == [
        [("One.", SENTENCE_PAUSE), ("Two.", PARAGRAPH_PAUSE), ("Three.", CHAPTER_PAUSE)],
        [],
        [("Four.", NO_PAUSE)],
        [],
    ]
    assert CHAPTER_PAUSE > PARAGRAPH_PAUSE > LINE_PAUSE > SENTENCE_PAUSE
