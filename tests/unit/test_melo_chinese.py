"""MeloTTS's Chinese with English words: the phones of upstream, numbers, and any text without a crash."""

from __future__ import annotations

import csv
import importlib
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidText
from models.melo.languages.chinese import spell
from models.melo.languages.mandarin.numbers import in_words
from models.melo.languages.mandarin.pinyin import syllable
from models.melo.languages.mandarin.tone_sandhi import Word, spoken_tones
from models.melo.languages.spelling import Spelling
from tests.pieces_of_bert import word_pieces

#: What the front end of melotts-plus 0.1.2 makes of these sentences, with jieba 0.42.1 and pypinyin 0.55.0.
UPSTREAM = Path(__file__).resolve().parents[1] / "melo_chinese.tsv"
INITIALS = {*"bpmfdtnlgkhjqxrzcsyw", "zh", "ch", "sh", "AA", "EE", "OO"}
tokenize = word_pieces(["你", "好", "我", "的", "天", *"abcdefghijklmnoprstuvwxyz,.!?'-"])


def spoken(text: str) -> str:
    """The pinyin of ``text`` in MeloTTS's finals, with tones, and marks."""
    spelling = spell(text, tokenize)
    written = [
        phone if phone in INITIALS or not tone else f"{phone}{tone} "
        for phone, tone in zip(spelling.phones[1:-1], spelling.tones[1:-1], strict=True)
    ]
    return "".join(written).strip()


def is_sound(spelling: Spelling) -> bool:
    """Whether all tones are those of the voice: 0 of marks, 1 to 5 of Chinese, 7 to 10 of English."""
    return all(
        tone == 0 if phone in "!?…,.'-_" else tone in {1, 2, 3, 4, 5, 7, 8, 9, 10}
        for phone, tone in zip(spelling.phones, spelling.tones, strict=True)
    )


def test_phones_and_tones_are_those_of_upstream() -> None:
    with UPSTREAM.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) >= 100
    different = []
    for row in rows:
        spelling = spell(row["text"], tokenize)
        assert is_sound(spelling), row["text"]
        assert " ".join(spelling.phones) == row["phones"]
        if " ".join(map(str, spelling.tones)) != row["tones"]:
            different.append(row["text"])
    # jieba.posseg makes other words of these
    assert different == ["她唱歌唱得比我好听多了。", "老李买了五把好雨伞。"]


def test_each_character_is_a_piece_and_english_words_share_theirs_out() -> None:
    spelling = spell("你好，cat。", tokenize)
    assert spelling.phones == ("_", "n", "i", "h", "ao", ",", "k", "ae", "t", ".", "_")
    assert spelling.tones == (0, 2, 2, 3, 3, 0, 7, 9, 7, 0, 0)
    assert spelling.pieces == ("[CLS]", "你", "好", ",", "c", "##a", "##t", ".", "[SEP]")
    assert spelling.word2ph == (1, 2, 2, 1, 1, 1, 1, 1, 1)


def test_characters_that_bert_does_not_know_are_spoken() -> None:
    assert spell("龘", tokenize).pieces == ("[CLS]", "[UNK]", "[SEP]")
    assert spell("龘", tokenize).phones == ("_", "d", "a", "_")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("不是", "bu2 shir4"),
        ("不好", "bu4 hao3"),
        ("看不懂", "kan4 bu5 dong3"),
        ("一天", "yi4 tian1"),
        ("一段", "yi2 duan4"),
        ("第一", "di4 yi1"),
        ("看一看", "kan4 yi5 kan4"),
        ("二一零", "EEer4 yi1 ling2"),
        ("奶奶", "nai3 nai5"),
        ("朋友", "peng2 you5"),
        ("我们", "wo3 men5"),
        ("人人", "ren2 ren2"),
        ("家里", "jia1 li5"),
        ("三个", "san1 ge5"),
        ("你好", "ni2 hao3"),
        ("纸老虎", "zhir3 lao2 hu3"),
        ("蒙古包", "meng2 gu3 bao1"),
        ("这儿", "zhe4 EEer2"),
        ("女人", "nv3 ren2"),
        ("试试", "shir4 shir5"),
        ("〇", "ling2"),
        ("人々", "ren2 ren2"),
        ("嗯", "EEen1"),
        ("“好”（好）……", "'hao3 ''hao3 '…"),
    ],
)
def test_tones_change_in_speech(text: str, said: str) -> None:
    assert spoken(text) == said


@pytest.mark.parametrize(
    ("word", "tones", "parts", "said"),
    [
        ("蒙古包", [3, 3, 3], ["蒙古", "包"], [2, 2, 3]),
        ("所有人", [3, 3, 2], ["所有", "人"], [2, 3, 2]),
        ("好喜欢", [3, 3, 1], ["好", "喜欢"], [2, 3, 5]),
        ("买雨伞", [3, 3, 3], ["买", "雨伞"], [3, 2, 3]),
        ("岂有此理", [3, 3, 3, 3], ["岂有此理"], [2, 3, 2, 3]),
    ],
)
def test_third_tones_meet_within_words(word: str, tones: list[int], parts: list[str], said: list[int]) -> None:
    assert spoken_tones(Word(word, "n"), tones, lambda text: parts) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024年", "二零二四年"),
        ("2024-05-01", "二零二四年五月一日"),
        ("10:30", "十点三十分"),
        ("2:05", "两点零五分"),
        ("3.5%", "百分之三点五"),
        ("2/3", "三分之二"),
        ("¥1,234.50", "一千二百三十四点五零元"),
        ("$5百万", "五百万美元"),
        ("气温-5℃", "气温负五摄氏度"),
        ("100-200元", "一百到二百元"),
        ("比分3-2", "比分三-二"),
        ("2个人，第2次", "两个人，第二次"),
        ("13812345678", "一三八一二三四五六七八"),
        ("010-12345678", "零一零-一二三四五六七八"),
        ("007", "零零七"),
        ("9" * 40, "九" * 40),
        ("1.2.3", "一点二.三"),
        ("没有", "没有"),
    ],
)
def test_numbers_are_words(text: str, said: str) -> None:
    cn2an = importlib.import_module("cn2an")
    assert in_words(text, cn2an.an2cn) == said


@pytest.mark.parametrize(
    ("written", "phones"),
    [
        ("lv4", ("l", "v", 4)),
        ("yuan2", ("y", "van", 2)),
        ("yan2", ("y", "En", 2)),
        ("ye3", ("y", "E", 3)),
        ("zhi1", ("zh", "ir", 1)),
        ("si4", ("s", "i0", 4)),
        ("er2", ("EE", "er", 2)),
        ("ang2", ("AA", "ang", 2)),
        ("xu5", ("x", "v", 5)),
        ("ng4", ("EE", "en", 4)),
        ("龨5", None),
        ("", None),
    ],
)
def test_a_syllable_is_an_initial_and_a_final(written: str, phones: tuple[str, str, int] | None) -> None:
    assert syllable(written) == phones


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("A股", "ey g u"),
        ("IT", "ay t iy"),
        ("café", "k ae f ey"),
        ("C++", "s iy j ia j ia"),
        ("don't", "d aa n ' t iy"),
        ("他們說臺灣話", "t a m en sh uo t ai w an h ua"),
    ],
)
def test_english_signs_and_traditional_characters(text: str, phones: str) -> None:
    assert " ".join(spell(text, tokenize).phones[1:-1]) == phones


@pytest.mark.parametrize("text", ["", " ", "。", "……！", "《》", "😀"])
def test_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(InvalidText):
        spell(text, tokenize)


def test_a_character_without_a_reading_is_named() -> None:
    with pytest.raises(InvalidText, match="龨"):
        spell("你龨好", tokenize)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match=r"rjieba.*chorus-speech\[melo-zh\]"):
        spell("你好", tokenize)


@settings(deadline=None, max_examples=150)
@given(
    st.text("一不个儿子们上来了很好雨伞的哈哈，。！“》1２3.-:/%¥年月 Aab'é々〇の😀龨", max_size=60)
    | st.text(max_size=40)
)
@example("哈" * 3000)
@example("一" * 500)
@example("1,000," * 100)
@example("1-1/1:11" * 50)
def test_any_text_is_spelled_or_refused(text: str) -> None:
    try:
        spelling = spell(text, tokenize)
    except InvalidText:
        return
    assert is_sound(spelling)


@pytest.mark.parametrize("text", ["我有3个好朋友，hello！", "哈", "1,2-", "a  "])
def test_time_is_linear_in_the_length(text: str) -> None:
    def seconds(times: int) -> float:
        start = time.process_time()
        spell(text * times + "好", tokenize)
        return time.process_time() - start

    seconds(10)
    short = min(seconds(200) for _ in range(5))
    assert min(seconds(2000) for _ in range(3)) < 40 * short
