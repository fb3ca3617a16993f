"""`workers.steps.utterances`: whatever the model takes, each word is in one utterance that fits it, or has an error."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidText
from core.names import Normalize
from models.base import Frontend
from models.catalog import load_catalog
from storage.ledger.documents import JobDocument
from text.speakable import clean
from workers.steps.utterances import Reader, Spoken, read_all, spoken

DOCUMENT = JobDocument(owner="ann", pipeline="narrow", language="en-US", normalize=Normalize.NONE)
VOICE = "one"


class Narrow(Frontend):
    """A token a character, ``most`` of them at most; it has no sound for ``mute``."""

    def __init__(self, most: int, mute: str = "", seconds: float = 0.0) -> None:
        super().__init__(dataclasses.replace(load_catalog().get("piper-joe"), weights={}), lambda _: None)  # type: ignore[arg-type,return-value]
        self.most, self.mute, self.seconds_each = most, mute, seconds

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        if self.mute and self.mute in text:
            raise InvalidText("the voice has no sound for this")
        if len(text) > self.most:
            raise InvalidText("too long", code="text_too_long")
        return {"tokens": list(text)}

    def seconds(self, inputs: Any, options: Any) -> float:
        return self.seconds_each * len(inputs["tokens"]) / float(options.get("speed", 1.0))


def spoken_by(frontend: Frontend, *chapters: str, document: JobDocument = DOCUMENT) -> list[Spoken]:
    return spoken(Reader(document, VOICE, frontend), chapters)


def warned(*chapters: str) -> list[dict[str, Any]]:
    portions = read_all(Reader(DOCUMENT, VOICE, Narrow(99)), chapters)
    return [warning for portion in portions for warning in portion.warnings]


def said(found: Spoken) -> str:
    return "".join(found.inputs.get("tokens", ()))


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@given(st.text(st.sampled_from("ab1 ,.-\n—é"), max_size=120), st.integers(1, 30))
def test_every_letter_is_in_one_utterance_that_fits(text: str, most: int) -> None:
    found = spoken_by(Narrow(most), text)
    assert not [f for f in found if f.error]
    assert "".join(letters(said(f)) for f in found) == letters(clean(text))
    assert all(1 <= len(f.inputs["tokens"]) <= most for f in found)
    assert all(letters(said(f)) for f in found)


def test_what_is_too_long_is_cut_at_clauses_then_between_words_then_in_a_word() -> None:
    def parts(text: str, most: int) -> list[str]:
        return [said(f) for f in spoken_by(Narrow(most), text)]

    assert parts("one two, three four", 12) == ["one two,", "three four"]
    assert parts("one two three four", 10) == ["one two", "three four"]
    assert parts("abcdefgh", 4) == ["abc", "de", "fgh"]


def test_what_would_last_too_long_is_cut_by_the_speed() -> None:
    def count(**options: float) -> int:
        document = replace(DOCUMENT, options=options)
        return len(spoken_by(Narrow(99, seconds=1.0), "one two three four", document=document))

    assert count() == 1
    assert count(speed=0.5) == 2
    assert count(speed=0.25) > 2


def test_what_has_a_word_and_no_sound_is_an_error_and_no_silence() -> None:
    found = spoken_by(Narrow(99, mute="#"), "One. Two # two. Three.\n\n---\n\nFour.")
    assert [f.utterance.text for f in found] == ["One.", "Two # two.", "Three.", "Four."]
    assert [f.error.to_dict() if f.error else None for f in found] == [
        None,
        {
            "code": "invalid_text",
            "message": "the voice has no sound for this",
            "step": "prepare",
            "retryable": False,
        },
        None,
        None,
    ]


def test_a_letter_that_never_fits_is_an_error() -> None:
    assert [f.error and f.error.code for f in spoken_by(Narrow(0), "ab")] == ["text_too_long"] * 2


@pytest.mark.parametrize("text", ["", "---", "…\n\n***"])
def test_without_a_word_there_is_nothing(text: str) -> None:
    assert spoken_by(Narrow(5), text) == []


def test_what_the_voice_cannot_read_is_left_out_and_told() -> None:
    text = "He\r\nsaid 日本, かな! Then left.\n\nПривет, мир.\n\nEnd."
    found = spoken_by(Narrow(99), text)
    assert [said(f) for f in found] == ["He said  !", "Then left.", "End."]
    told = warned("All is well.", text)
    assert [(w["code"], w["chapter"], text[w["start"] : w["end"]]) for w in told] == [
        ("unspeakable_text", 1, "日本, かな"),
        ("unspeakable_text", 1, "Привет, мир"),
    ]
    assert told[0]["message"] == "The voice cannot read Han, Hiragana: left out."


def test_text_is_put_into_words_unless_asked_not_to() -> None:
    def tokens(normalize: str) -> list[str]:
        document = replace(DOCUMENT, normalize=Normalize(normalize))
        return [said(f) for f in spoken_by(Narrow(200), "It cost $500 in 1999.", document=document)]

    assert tokens("auto") == ["It cost five hundred dollars in nineteen ninety nine."]
    assert tokens("none") == ["It cost $500 in 1999."]
    [found] = spoken_by(Narrow(200), "It cost $500.", document=replace(DOCUMENT, normalize=Normalize.AUTO))
    assert found.utterance.text == "It cost $500.", "the words of the source stay known"
