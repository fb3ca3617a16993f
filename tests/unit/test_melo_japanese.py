"""Japanese for MeloTTS, against what upstream's front end gives for the sentences of ``tests/melo_japanese.tsv``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidText
from models.melo.languages import japanese
from models.melo.languages.japanese import reading, spell
from models.melo.languages.kana import katakana, phones_of_kana
from models.melo.languages.spelling import UNKNOWN_PIECE, Spelling
from tests.pieces_of_bert import word_pieces

#: Sentence, upstream's phones (melotts-plus 0.1.2 with pykakasi 2.3.0), ours where they differ.
ROWS = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "melo_japanese.tsv").read_text(encoding="utf-8").splitlines()
]
#: MeloTTS's phones of Japanese, and the comma of the middle dot.
PHONES = {*"_,Nabdefghijkmnopqrstuwyz", *(f"{vowel}:" for vowel in "aiueo")} | {
    *("by", "ch", "dy", "gy", "hy", "ky", "my", "ny", "py", "ry", "sh", "ts", "ty", "zy")
}
tokenize = word_pieces("アイカキコシスタトナニノハマルン東京")


def phones(text: str) -> str:
    return " ".join(spell(text, tokenize).phones[1:-1])


def check(spelling: Spelling) -> None:
    """What the constructor of `Spelling` does not check."""
    assert set(spelling.phones) <= PHONES
    assert set(spelling.tones) == {0}
    assert spelling.word2ph[0] == spelling.word2ph[-1] == 1


@pytest.mark.parametrize(("sentence", "upstream", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_sentences_have_upstreams_phones_or_a_known_better_reading(sentence: str, upstream: str, ours: str) -> None:
    assert phones(sentence) == (ours or upstream)


def test_most_sentences_have_upstreams_phones() -> None:
    assert len(ROWS) >= 100
    assert sum(not ours for _, _, ours in ROWS) >= 90


def test_pieces_are_those_of_the_words_that_mecab_cuts() -> None:
    asked: list[str] = []

    def listen(word: str) -> list[str]:
        asked.append(word)
        return tokenize(word)

    spelling = spell("こんにちは・世界のうた。", listen)
    assert asked == ["コンニチハ", "・", "セカイ", "ノ", "ウタ"]
    assert list(spelling.pieces[1:-1]) == [piece for word in asked for piece in tokenize(word)]


def test_phones_are_spread_over_the_pieces_of_their_word() -> None:
    spelling = spell("学校", lambda word: ["ガ", "##ッコ", "##ウ"])
    assert spelling.phones == ("_", "g", "a", "q", "k", "o", "u", "_")
    assert spelling.word2ph == (1, 2, 2, 2, 1)
    assert spell("学校", lambda word: ["ガ", "##ッ", "##コ", "##ウ"]).word2ph == (1, 2, 2, 1, 1, 1)


@pytest.mark.parametrize("pieces", [[UNKNOWN_PIECE], []])
def test_a_word_that_bert_does_not_know_is_spoken(pieces: list[str]) -> None:
    spelling = spell("学校", lambda word: pieces)
    assert spelling.pieces == ("[CLS]", UNKNOWN_PIECE, "[SEP]")
    assert spelling.word2ph == (1, 6, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("人々、「はい」。", "ヒトビトハイ"),
        ("三本と3本", "サンボントサンボン"),
        ("2026年", "ニセンニジュウロクネン"),
        ("Helloとé", "ハロートイー"),
        ("かゝみ、つゞく", "カカミツヅク"),
        ("ﾊﾝｶｸか\u3099", "ハンカクガ"),
        ("コーヒー・ショップ", "コーヒー・ショップ"),
        ("髙橋さん👍", "タカハシサン"),
        ("私は京都へ本を", "ワタシハキョウトヘホンヲ"),
        ("\ud800あ\0い", "アイ"),
    ],
)
def test_readings(text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("kana", "expected"),
    [
        ("きゃっきゃ", "ky a q ky a"),
        ("コーヒー", "k o h i"),
        ("カァカア", "k a: k a a"),
        ("ファッションショー", "f a q sh o N sh o"),
        ("ヴュルツブャ", "by u r u ts u by a"),
        ("エー・ビー", "e , b i"),
        ("ヷㇰヿ", "b a k u k o t o"),
    ],
)
def test_kana(kana: str, expected: str) -> None:
    assert " ".join(phones_of_kana(katakana(kana))) == expected


@pytest.mark.parametrize("text", ["", " ", "。、！", "ー", "っ", "ゝ", "👍", "\ud800", "・・・"])
def test_a_text_without_speech_is_refused(text: str) -> None:
    with pytest.raises(InvalidText, match="nothing that can be spoken"):
        spell(text, tokenize)


@pytest.mark.parametrize(("text", "letter"), [("これはПですか", "П"), ("한국", "한"), ("们です", "们")])
def test_a_letter_without_a_reading_is_named(text: str, letter: str) -> None:
    with pytest.raises(InvalidText, match=f"'{letter}' has no Japanese reading"):
        spell(text, tokenize)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("東京人々私はがっゝヴァー・、。3aé ", max_size=60))
def test_any_text_is_spelt_or_refused(text: str) -> None:
    try:
        check(spell(text, tokenize))
    except InvalidText:
        return


def test_time_is_linear_in_the_length() -> None:
    def seconds(count: int) -> float:
        text = "私は学校に十二時に行くと言いました、そして風が吹いた。" * count
        start = time.process_time()
        check(spell(text, tokenize))
        return time.process_time() - start

    seconds(1)
    short, long = min(seconds(20) for _ in range(3)), min(seconds(160) for _ in range(2))
    assert long < 8 * short * 2.5


@pytest.fixture
def without_libraries() -> Iterator[None]:
    caches = (japanese._open_jtalk, japanese._mecab)
    for cache in caches:
        cache.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyopenjtalk", None)
        patch.setitem(sys.modules, "fugashi", None)
        yield
    for cache in caches:
        cache.cache_clear()


def test_missing_libraries_are_named_with_their_extra(without_libraries: None) -> None:
    with pytest.raises(ConfigurationError, match=r"pip install 'chorus-speech\[melo-ja\]'"):
        spell("東京", tokenize)
    with pytest.raises(ConfigurationError, match=r"fugashi and unidic-lite"):
        japanese._mecab()
