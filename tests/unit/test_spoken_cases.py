"""What people complain about in public trackers is said right, as text; and how the proof compares what is heard."""

from __future__ import annotations

import re

import pytest

from tests.hearing import heard_right
from tests.spoken_cases import cases, utterances


def test_what_people_complain_about_is_said_right() -> None:
    found = cases()
    assert len(found) >= 100
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", case.source) for case in found)
    wrong = [(case, said) for case in found if (said := " ".join(utterances(case.written))) != case.said]
    assert not wrong


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("It cost five hundred dollars.", "It cost $500."),
        ("Built in nineteen oh eight.", "Built in 1908."),
        ("Two four five.", "245"),
        ("The mail came at eight oh five.", "The male came at 8.05."),
        ("one thousand two hundred thirty four point five", "1,234.5"),
    ],
)
def test_the_same_is_heard_in_other_writing(said: str, heard: str) -> None:
    assert heard_right(said, heard)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("It cost five hundred dollars.", "It cost £500."),
        ("It cost five hundred dollars.", "It cost $5,000."),
        ("World War two ended.", "World War Roman two ended."),
        ("one half of it", "one slash two of it"),
        ("Built in nineteen oh eight.", "Built in 1980."),
    ],
)
def test_something_else_is_not(said: str, heard: str) -> None:
    assert not heard_right(said, heard)
