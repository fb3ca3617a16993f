"""`text.abbreviations`: stops of abbreviations go, those of sentences stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.abbreviations import without_stops
from text.phonemes import phonemize


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "Yesterday Mr. Brown met Mrs. Green and Dr. Long at the gate.",
            "Yesterday Mr Brown met Mrs Green and Dr Long at the gate.",
        ),
        (
            "At 5 p.m. on Monday. We left at 5 p.m. Then it rained.",
            "At 5 p.m on Monday. We left at 5 p.m. Then it rained.",
        ),
        ("At 10 a.m. Eastern, 9 a.m. 5 May.", "At 10 a.m Eastern, 9 a.m 5 May."),
        ("The U.S. Senate. The U.S. The end.", "The U.S Senate. The U.S. The end."),
        ("J. K. Rowling and George W. Bush.", "J K Rowling and George W Bush."),
        ("Plan B. Then we. It was I. Who?", "Plan B. Then we. It was I. Who?"),
        ("See Fig. 3 and No. 5. No. That is it. On Jan. 5.", "See Fig 3 and No 5. No. That is it. On Jan 5."),
        ("Pears, etc., and plums, etc. Then nuts, e.g. hazel.", "Pears, etc, and plums, etc. Then nuts, e.g hazel."),
        (
            "Acme Inc. in Paris. Acme Inc. They sold it. St. Paul.",
            "Acme Inc in Paris. Acme Inc. They sold it. St Paul.",
        ),
        ("“I saw Mr. Smith. He left.” She had a Ph.D. in art.", "“I saw Mr Smith. He left.” She had a Ph.D in art."),
        ("At St. Mary's on Main St. He lives 5 ft. away.", "At St Mary's on Main St. He lives 5 ft away."),
        ("He works for Acme Inc.", "He works for Acme Inc."),
        ("The sea. It was grey. 3.5 or example.com. Go.", "The sea. It was grey. 3.5 or example.com. Go."),
        ("", ""),
    ],
)
def test_stops(text: str, left: str) -> None:
    assert without_stops(text, "en-us") == left


def test_other_languages_have_initials_alone() -> None:
    assert (
        without_stops("Herr J. Braun. No. 5. Das Co. ist z.B. gut.", "de")
        == "Herr J Braun. No. 5. Das Co. ist z.B gut."
    )


@given(st.text(st.sampled_from("MrDp.amUS JKT 5,“”\n"), max_size=60))
def test_nothing_but_stops_goes(text: str) -> None:
    left = without_stops(text, "en")
    assert left.replace(".", "") == text.replace(".", "")
    assert left.endswith(".") == text.endswith(".")


def test_a_voice_hears_no_stop_inside_a_sentence() -> None:
    ipa = phonemize("Yesterday Mr. Brown met Mrs. Green and Dr. Long of the U.S. Army at 5 p.m. sharp.", "en-us")
    assert ipa.count(".") == 1 and ipa.endswith(".")
    assert phonemize("He came at 5 p.m. Then he left.", "en-us").count(".") == 2
