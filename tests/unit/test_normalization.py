"""English as it is said: every rule with the cases that it is there for, and what must hold for any text."""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import data_path
from text.marks import inline
from text.normalization import normalize, rewrites
from text.normalization.european import french_ordinal, german_ordinal
from text.normalization.numbers import cardinal, decimal, ordinal, roman, to_roman, year
from text.normalization.tables import words

#: As it is written, and as it is said: a line for what each rule is there for.
CASES = (Path(__file__).parents[1] / "normalization_cases.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "case", [line for line in CASES.splitlines() if line], ids=lambda line: line.partition(" | ")[0]
)
def test_it_is_said(case: str) -> None:
    written, _, said = case.partition(" | ")
    assert normalize(written, "en-US") == said


def test_the_region_decides_which_is_the_month() -> None:
    assert normalize("12/05/2024", "en-US") == "December fifth twenty twenty four"
    assert normalize("12/05/2024", "en-GB") == "the twelfth of May twenty twenty four"
    assert normalize("25/12/2024", "en-US") == "the twenty fifth of December twenty twenty four"


def test_other_languages_are_left_alone() -> None:
    assert normalize("Rozdział IV: 500 €", "pl") == "Rozdział IV: 500 €"


def test_german_french_spanish_and_italian() -> None:
    lines = (Path(__file__).parents[1] / "european_cases.txt").read_text(encoding="utf-8").splitlines()
    cases = [line.split(" | ") for line in lines if not line.startswith("#")]
    wrong = [(written, said) for code, written, said in cases if normalize(written, code) != said]
    assert not wrong, [normalize(written, code) for code, written, said in cases if (written, said) in wrong]


def test_french_and_german_ordinals() -> None:
    assert [french_ordinal(n) for n in (2, 4, 5, 9, 11, 19, 21, 22, 30, 45)] == [
        w.replace("_", " ")
        for w in words(
            "deuxième quatrième cinquième neuvième onzième dix-neuvième vingt_et_unième vingt-deuxième trentième"
            " quarante-cinquième"
        )
    ]
    assert [german_ordinal(n, "r") for n in (1, 3, 7, 8, 19, 20, 31)] == words(
        "erster dritter siebter achter neunzehnter zwanzigster einunddreißigster"
    )


def test_words_that_are_spelled_alike_get_their_reading() -> None:
    assert [r.text for r in rewrites("She read it.", "en", readings=True)] == [inline("ɹˈɛd")]
    assert [r.text for r in rewrites("Vitamin A is good.", "en", readings=True)] == [f"Vitamin {inline('ˈeɪ')}"]
    assert normalize("She read it.", "en") == "She read it."


def test_numbers() -> None:
    assert cardinal(0) == "zero" and cardinal(-12) == "minus twelve"
    assert cardinal(1_000_204) == "one million two hundred four"
    assert ordinal(112) == "one hundred twelfth" and ordinal(90) == "ninetieth"
    assert decimal("1,204.50") == "one thousand two hundred four point five zero"
    assert [year(n) for n in (1905, 2000, 2006, 2014, 1900)] == [
        "nineteen oh five", "two thousand", "two thousand six", "twenty fourteen", "nineteen hundred"]  # fmt: skip
    assert roman("IIII") is None and roman("") is None


@given(st.integers(1, 3999))
def test_roman_numerals_go_there_and_back(number: int) -> None:
    assert roman(to_roman(number)) == number


#: What rules look at, so that random texts meet them.
PIECES = st.sampled_from(
    ["1", "23", "2024", "1,000", "3.5", "0", "$", "€", "%", "-", "–", "/", ":", ".", ",", " ", " ", "Mr.", "Jan", "May",
     "st", "th", "am", "p.m.", "km", "kg", "°C", "IV", "I", "Henry", "Chapter", "St.", "No.", "@", "#", "&", "x", "a.b",
     "www.", "http://", "(", ")", "'", '"', "½", "²", "₂", "é", "中", "word", "\n", "+", "=", "*", "CA", "US"]
)  # fmt: skip


@given(
    st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=40).map("".join),
    st.sampled_from(["en-US", "en-GB", "de", "fr", "es", "it"]),
)
@settings(max_examples=150)
def test_any_text_keeps_its_words(text: str, language: str) -> None:
    """Rewrites are in order and apart; letters outside of them stay, and no digit is left to be read by chance."""
    found = rewrites(text, language, readings=True)
    at = 0
    for rewrite in found:
        assert at <= rewrite.start < rewrite.end <= len(text)
        at = rewrite.end
        if re.search(r"[A-Za-z0-9]", text[rewrite.start : rewrite.end]):
            assert re.search(r"\w", rewrite.text), (text[rewrite.start : rewrite.end], rewrite.text)
    said = normalize(text, language)
    assert not language.startswith("en") or not re.search(r"[0-9]", said), said
    assert normalize("plain words only", language) == "plain words only"


@pytest.mark.parametrize(
    "piece",
    [
        "1,",
        "1-",
        "1.",
        "a.",
        "A.",
        "1/",
        "a@",
        "www.",
        "I V ",
        "1 000 ",
        "A s ",
        "$1-",
        "1x",
        "¼",
        "won 1-1 ",
        "AAAs",
        "read ",
    ],
)
def test_time_is_linear(piece: str) -> None:
    def took(count: int, language: str) -> float:
        text = piece * count
        began = time.process_time()
        normalize(text, language)
        return time.process_time() - began

    for language in ("en", "de"):
        whole = min(took(8000, language) for _ in range(2))
        assert whole < 8 * min(took(2000, language) for _ in range(3)) + 0.05


#: Kinds that must be right; of the others the reference reads some as no speaker would.
SURE = {"cardinal", "decimal", "ordinal", "money", "date", "time", "measure"}


def plain(text: str) -> str:
    """Without letter case, and without the "and" behind hundreds, which the reference says now and then."""
    text = re.sub(r"\b(hundred|thousand) and ", r"\1 ", text.lower().replace("’", "'"))
    return " ".join(text.split())


def test_the_cases_of_nemo() -> None:
    with data_path("textnorm/nemo_en.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    right = [plain(normalize(row["written"], "en-US")) == plain(row["spoken"]) for row in rows]
    sure = [ok for ok, row in zip(right, rows, strict=True) if row["category"] in SURE]
    assert sum(sure) / len(sure) >= 0.95
    assert sum(right) / len(right) >= 0.85
