"""MeloTTS's French: the phones of upstream, and any text without a crash."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import InvalidText
from models.melo.languages.french import spell
from tests.melo_words import check, phones_of, rows, seconds_for, tokenize
from text.marks import inline

#: Sentences after A. Dumas (*Le Comte de Monte-Cristo*, chapter 10), upstream's phones (melotts-plus 0.1.2,
#: gruut 2.2.3), ours where they differ.
ROWS = rows("melo_french.tsv")


@pytest.mark.parametrize(("sentence", "upstream", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_sentences_have_upstreams_phones_or_known_others(sentence: str, upstream: str, ours: str) -> None:
    spelling = spell(sentence, tokenize)
    check(spelling)
    assert " ".join(spelling.phones[1:-1]) == (ours or upstream)


def test_nearly_all_sentences_have_upstreams_phones() -> None:
    assert len(ROWS) >= 100
    assert sum(not ours for _, _, ours in ROWS) >= 0.95 * len(ROWS)


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("L’homme", "ˈɛlˈɔm."),
        ("L'homme", "ˈɛlˈɔm."),
        ("Un bon vin blanc", "œ̃nbˈɔ̃vˈɛ̃blˈɑ̃."),
        ("la fille de ma sœur", "la-fˈijdˈə-mˈa-sˈœʁ."),
        ("Magnifique panier", "maɲifˈikpanjˈe."),
        ("immense", "immˈɑ̃s."),
        ("des adversaires", "dˈe-advɛʁsˈɛʁz."),
        ("peut-être", "pˈøˈɛtʁ."),
        ("« Ça » (oui)…", "sawˌi."),
        ("garc\u0327on", "ɡaʁsˈɔ̃."),
        ("tôt", "tˈoː."),
        ("lui", "lyi."),
    ],
)
def test_phones(text: str, phones: str) -> None:
    assert phones_of(spell, text) == phones


def test_numbers_and_signs_that_are_left_are_read() -> None:
    assert phones_of(spell, "25 %").endswith("puʁsˈɑ̃.")


def test_a_word_shares_its_phones_out_among_its_pieces() -> None:
    spelling = spell("L'homme.", lambda word: {"homme": ["hom", "##me"]}.get(word, [word]))
    assert spelling.phones == tuple("_ˈɛlˈɔm._")
    assert spelling.pieces == ("[CLS]", "L", "'", "hom", "##me", ".", "[SEP]")
    assert spelling.word2ph == (1, 3, 0, 2, 1, 1, 1)


@pytest.mark.parametrize("pieces", [["[UNK]"], []])
def test_a_word_that_bert_does_not_know_is_spoken(pieces: list[str]) -> None:
    spelling = spell("table", lambda word: pieces)
    assert spelling.phones == tuple("_tˈabl._")
    assert spelling.pieces == ("[CLS]", "[UNK]", "[UNK]", "[SEP]")
    assert spelling.word2ph == (1, 5, 1, 1)


def test_inline_phonemes_are_spoken_as_a_word_that_bert_does_not_know() -> None:
    spelling = spell(f"la {inline('ʃˈɔ̃')} fille", tokenize)
    assert "".join(spelling.phones) == "_la-ʃˈɔ̃fˈij._"
    assert spelling.pieces[2] == "[UNK]"
    assert spelling.word2ph[2] == 4


@pytest.mark.parametrize("text", ["", " ", "...", "¡!", "—", "😀", "\u0301", "\ue000\ue001"])
def test_a_text_without_speech_is_refused(text: str) -> None:
    with pytest.raises(InvalidText):
        spell(text, tokenize)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("aéçœhnlgty '’?!.,-&%19", max_size=60))
@example("ɲ̃ ẽ _ªº½ x² h hh")
@example(f"{inline('ʘ')} a")
@example("Здравствуйте 你好")
def test_any_text_is_spelt_or_refused(text: str) -> None:
    try:
        check(spell(text, tokenize))
    except InvalidText:
        return


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidText) as found:
        spell("table " * 5000, tokenize)
    assert found.value.code == "text_too_long"


def test_time_is_linear_in_the_length() -> None:
    assert seconds_for(spell, "ma", 800) < 2.5 * 8 * seconds_for(spell, "ma", 100)
