"""MeloTTS's Spanish: the phones of upstream, and any text without a crash."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import InvalidText
from models.melo.languages.spanish import spell
from tests.melo_words import check, phones_of, rows, seconds_for, tokenize
from text.marks import inline

#: Sentences of Common Voice (CC0), upstream's phones (melotts-plus 0.1.2, gruut 2.2.3), ours where they differ.
ROWS = rows("melo_spanish.tsv")


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
        ("perro", "pˈeɾɾo."),
        ("El rey", "elɾɾˈeɪ."),
        ("alrededor", "ˌalreðeðˈoɾ."),
        ("¿Muy bien?", "¿mˈujjbjˈen?"),
        ("enfermo", "emfˈeɾmo."),
        ("mayo, yo", "mˈajjo,ʝˈo."),
        ("de la casa", "delakˈasa."),
        ("— «Sí» (no)…", "sˈinˈo."),
        ("A\u0301rbol", "ˈaɾβol."),
        ("¡Cien; mil: más!", "¡θjˈen,mˈil,mˈas!"),
        ("teórico-práctico", "teˈoɾikopɾˈaktiko."),
    ],
)
def test_phones(text: str, phones: str) -> None:
    assert phones_of(spell, text) == phones


def test_numbers_and_signs_that_are_left_are_read() -> None:
    assert phones_of(spell, "123") == "θjˈentoβˌeɪntitɾˈes."
    assert phones_of(spell, "25 %").endswith("poɾθjˈɛnto.")


def test_a_word_shares_its_phones_out_among_its_pieces() -> None:
    spelling = spell("Casa, dos.", lambda word: {"casa": ["ca", "##sa"]}.get(word, [word]))
    assert spelling.phones == tuple("_kˈasa,dˈos._")
    assert spelling.pieces == ("[CLS]", "ca", "##sa", ",", "dos", ".", "[SEP]")
    assert spelling.word2ph == (1, 3, 2, 1, 4, 1, 1)


@pytest.mark.parametrize("pieces", [["[UNK]"], []])
def test_a_word_that_bert_does_not_know_is_spoken(pieces: list[str]) -> None:
    spelling = spell("casa", lambda word: pieces)
    assert spelling.phones == tuple("_kˈasa._")
    assert spelling.pieces == ("[CLS]", "[UNK]", "[UNK]", "[SEP]")
    assert spelling.word2ph == (1, 5, 1, 1)


def test_inline_phonemes_are_spoken_as_a_word_that_bert_does_not_know() -> None:
    spelling = spell(f"la {inline('kˈoro')} es", tokenize)
    assert "".join(spelling.phones) in {"_lakˈoɾoˈes._", "_lakˈoɾɾoˈes._"}
    assert spelling.pieces[2:4] == ("[UNK]", "es")
    assert spelling.word2ph[2] in {5, 6}


@pytest.mark.parametrize("text", ["", " ", "...", "¡!", "—", "😀", "\u0301", "\ue000\ue001"])
def test_a_text_without_speech_is_refused(text: str) -> None:
    with pytest.raises(InvalidText):
        spell(text, tokenize)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("añüóbcrry ¿?¡!.,'’-&%19", max_size=60))
@example("ñ̃ ẽ _ªº½ x²")
@example(f"{inline('ʘ')} a")
@example("Здравствуйте 你好")
def test_any_text_is_spelt_or_refused(text: str) -> None:
    try:
        check(spell(text, tokenize))
    except InvalidText:
        return


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidText) as found:
        spell("casa " * 5000, tokenize)
    assert found.value.code == "text_too_long"


def test_time_is_linear_in_the_length() -> None:
    assert seconds_for(spell, "ma", 800) < 2.5 * 8 * seconds_for(spell, "ma", 100)
