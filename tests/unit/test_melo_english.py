"""MeloTTS's English: the phones of upstream, and any text without a crash."""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from core.errors import ConfigurationError, InvalidText
from models.melo.languages.american import arpabet
from models.melo.languages.english import spell
from models.melo.languages.spelling import Spelling
from tests.shared_data import data_path
from text.marks import inline

#: What the front end of melotts-plus 0.1.2 makes of 60 sentences of the Harvard list and LJ Speech (public domain).
UPSTREAM = Path(__file__).resolve().parents[1] / "melo_english.tsv"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "it", "hello", "world", "##s", "##ing", *",.!?'-\";&"]
PIECES += [mark + letter for letter in "abcdefghijklmnoprstuvwxyz" for mark in ("", "##")]  # without q
BERT = BertWordPieceTokenizer(vocab={piece: place for place, piece in enumerate(PIECES)}, lowercase=True)
VOWELS = {"aa", "ae", "ah", "ao", "aw", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"}
CONSONANTS = {*"bdfgklmnprstVwyz", "ch", "dh", "hh", "jh", "ng", "sh", "th", "zh"}


def pieces(text: str) -> list[str]:
    return list(BERT.encode(text, add_special_tokens=False).tokens)


def phones(text: str) -> str:
    return " ".join(spell(text, pieces).phones[1:-1])


def is_sound(spelling: Spelling) -> bool:
    """Whether phones and tones are those that MeloTTS has; `Spelling` checks the lengths."""
    return all(
        (tone in {1, 2, 3}) if phone in VOWELS else tone == 0 and (phone in CONSONANTS or phone in "!?,.'-_")
        for phone, tone in zip(spelling.phones, spelling.tones, strict=True)
    )


def test_phones_and_tones_are_those_of_upstream() -> None:
    with UPSTREAM.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 60
    ours = [spell(row["text"], pieces) for row in rows]
    same_phones = [" ".join(s.phones) == row["phones"] for s, row in zip(ours, rows, strict=True)]
    same_tones = [" ".join(map(str, s.tones)) == row["tones"] for s, row in zip(ours, rows, strict=True)]
    assert sum(same_phones) >= 54
    assert sum(same_tones) >= 53


@pytest.mark.data
def test_all_sentences_of_the_shared_lists_are_spelled() -> None:
    lines = data_path("sentences/harvard.txt").read_text().splitlines()
    lines += data_path("sentences/tacotron_eval.txt").read_text().splitlines()
    sentences = [line for line in lines if line.strip()]
    assert len(sentences) > 350
    for sentence in sentences:
        spelling = spell(sentence, pieces)
        assert is_sound(spelling), sentence
        assert list(spelling.pieces[1:-1]) == pieces(sentence), sentence


def test_a_word_shares_its_phones_out_among_its_pieces() -> None:
    spelling = spell("Hello, worlds.", pieces)
    assert spelling.phones == ("_", "hh", "ah", "l", "ow", ",", "w", "er", "l", "d", "z", ".", "_")
    assert spelling.tones == (0, 0, 1, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0)
    assert spelling.pieces == ("[CLS]", "hello", ",", "world", "##s", ".", "[SEP]")
    assert spelling.word2ph == (1, 4, 1, 3, 2, 1, 1)


def test_words_that_bert_does_not_know_are_spoken() -> None:
    spelling = spell("quiz", pieces)
    assert spelling.pieces == ("[CLS]", "[UNK]", "[SEP]")
    assert spelling.phones == ("_", "k", "w", "ih", "z", "_")
    assert spell("word", lambda text: []).pieces == ("[CLS]", "[UNK]", "[SEP]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("don't", "d aa n ' t iy"),  # BERT parts it so, and upstream was trained so
        ("don’t", "d aa n ' t iy"),
        ("‘yes’", "y eh s"),
        ("well-known", "w eh l - n ow n"),
        ("yes; no: yes — no", "y eh s , n ow , y eh s , n ow"),
        ("yes… no", "y eh s . . . n ow"),
        ("“yes” (no)", "y eh s n ow"),
        ("café", "k ae f ey"),
        ("𝐁𝐨𝐥𝐝", "b ow l d"),
        ("R & D", "aa r ae n d d iy"),
        ("3.5", "th r iy p oy n t f ay V"),
        ("the US, with us", "dh ah y uw eh s , w ih dh ah s"),
        ("FOR US", "f ao r ah s"),
        ("Kubernetes", "k uw b er n eh t iy z"),
        ("blorptown's", "b l ao r p t aw n ' eh s"),
    ],
)
def test_words_signs_and_marks(text: str, said: str) -> None:
    assert phones(text) == said


def test_stress_is_a_tone_with_espeak_as_with_the_dictionary() -> None:
    assert arpabet.from_arpabet("p ah0 t ey1 t ow2").tones == (0, 1, 0, 2, 0, 3)
    said = arpabet.from_ipa("pətˈeɪɾˌoʊ")
    assert said.phones == ("p", "ah", "t", "ey", "t", "ow")
    assert said.tones == (0, 1, 0, 2, 0, 3)


@pytest.mark.data
def test_espeak_has_the_phones_of_the_dictionary_for_most_words() -> None:
    """So it can stand in for the words that the dictionary lacks. They differ in vowels without stress, above all."""
    words = set(re.findall(r"[a-z]{4,}", data_path("sentences/harvard.txt").read_text().casefold()))
    known = sorted(word for word in words if word in arpabet.dictionary())
    assert len(known) > 1000
    agreed = [arpabet.by_espeak(word).phones == arpabet.pronounced(word).phones for word in known]
    assert sum(agreed) > 0.85 * len(known)


def test_inline_phonemes_stand_for_words() -> None:
    spelling = spell(f"hello {inline('dʒˈoʊ')}.", pieces)
    assert spelling.phones == ("_", "hh", "ah", "l", "ow", "jh", "ow", ".", "_")
    assert spelling.tones[5:7] == (0, 2)
    assert spelling.pieces == ("[CLS]", "hello", "[UNK]", ".", "[SEP]")


@pytest.mark.parametrize("text", ["", " ", "...", "\"!?'", "-", "\u200d", "_"])
def test_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(InvalidText):
        spell(text, pieces)


def test_a_missing_dictionary_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.shared.cmu.find_spec", lambda name: None)
    arpabet.dictionary.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"chorus-speech\[melo-en\]"):
            spell("hello", pieces)
    finally:
        arpabet.dictionary.cache_clear()


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=60) | st.text("abc'’-. 1,5&%Ééшक你ー😀^~", max_size=60))
@example("a" * 6000)
@example("1,1,1,1," * 20)
def test_any_text_is_spelled_or_refused(text: str) -> None:
    try:
        spelling = spell(text, pieces)
    except InvalidText:
        return
    assert is_sound(spelling)


def test_time_is_linear_in_the_length() -> None:
    def seconds(words: int) -> float:
        text = "hello world, 1,5 blorptown " * words
        start = time.process_time()
        spell(text, pieces)
        return time.process_time() - start

    seconds(10)
    short = min(seconds(50) for _ in range(5))
    assert min(seconds(500) for _ in range(3)) < 40 * short
