"""Text to the tokens of OpenVoice's base speakers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.errors import ConfigurationError, InvalidRequest, InvalidText
from models.openvoice.chinese import read_chinese
from models.openvoice.dictionary import dictionary, written
from models.openvoice.english import english_symbols, read_english
from models.openvoice.frontend import OpenVoiceFrontend
from models.vits.rows import MAX_TOKENS
from tests.checkpoints.openvoice import SYMBOLS, openvoice_base
from tests.integration.vits_models import spec_of
from tests.placed_words import words_heard
from tests.shared_data import ROOT, data_path
from text.marks import inline
from text.phonemes import phonemize


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> OpenVoiceFrontend:
    folder = openvoice_base(tmp_path_factory.mktemp("base"), size="small")
    files = {"model": folder / "checkpoint.pth", "config": folder / "config.json"}
    return OpenVoiceFrontend(spec_of("openvoice_v1", files), lambda name: files[name])


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> OpenVoiceFrontend:
    folder = openvoice_base(tmp_path_factory.mktemp("chinese"), size="small", chinese=True)
    files = {"model": folder / "checkpoint.pth", "config": folder / "config.json"}
    return OpenVoiceFrontend(spec_of("openvoice_v1", files, languages=("zh",)), lambda name: files[name])


#: Language, text, and the symbols of the ids that ``text_to_sequence(f"[EN]{text}[EN]", symbols, ["cjke_cleaners2"])``
#: of myshell-ai/OpenVoice (commit 74a1d14, MIT) gave: eng_to_ipa 0.0.2, jieba 0.42.1, pypinyin 0.55.0, cn2an 0.5.24.
CASES = [
    tuple(line.split("\t"))
    for line in (ROOT / "tests" / "openvoice_cases.tsv").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(("language", "text", "symbols"), CASES)
def test_ids_are_those_of_upstream(
    frontend: OpenVoiceFrontend, chinese: OpenVoiceFrontend, language: str, text: str, symbols: str
) -> None:
    ids = [SYMBOLS.index(symbol) for symbol in symbols]
    ours = frontend if language == "en" else chinese
    tokens = ours.inputs(text, "default", language)["tokens"]
    assert tokens[1::2] == ids and tokens[::2] == [0] * (len(ids) + 1)


@pytest.mark.parametrize(
    ("entry", "ipa"),
    [
        # As eng_to_ipa writes them; where a stressed syllable begins differs.
        ("k ah0 n uw1", "kəˈnu"),
        ("ih0 k s t r iy1 m", "ɪkˈstrim"),
        ("ah0 s p eh1 k t", "əˈspɛkt"),
        ("ah0 f r ey1 d", "əˈfreɪd"),
        ("k r iy0 ey1 t", "kriˈeɪt"),
        ("p iy0 ae1 n ow0", "piˈænoʊ"),
        ("f er1 dh er0", "ˈfərðər"),
        ("ih0 n t er1 p r ah0 t", "ɪnˈtərprət"),
        ("r iy0 er1", "riər"),
        ("m ae2 n ah0 f ae1 k ch er0", "ˌmænəˈfækʧər"),
        ("d ao1 g", "dɔg"),
    ],
)
def test_the_dictionary_in_ipa(entry: str, ipa: str) -> None:
    assert written(entry) == ipa


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("a well-lit plumule", "ə wɛɫ lɪt ˈplumjuɫ."),  # not in the dictionary: part by part, then espeak-ng
        ("Wait — what?", "weɪt, wət?"),
        ("they gave us it", "ðeɪ geɪv ˈjuˈɛs ɪt."),  # eng_to_ipa's choice, and so that of the training texts
        ("“Quoted,” she said.", "kˈwoʊtɪd, ʃi sɛd."),
        ("café", "kæˈfeɪ."),
        ("R&D at 50%", "ɑɹ ænd di æt ˈfɪfti pəɹˈsɛnt."),
        ("salt & pepper 🙂", "sɔɫt ænd ˈpɛpəɹ."),
        (f"he {inline('ɹˈɛd')} it, {inline('bˈoʊt')}s", "hi ɹɛd ɪt, boʊts."),
    ],
)
def test_english(text: str, symbols: str) -> None:
    assert read_english(text) == symbols


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("2024年", "二零二四年"),
        ("50%", "百分之五十"),
        ("3.14", "三点一四"),
        ("１２", "十二"),
        ("12345678901234567890", "一二三四五六七八九零一二三四五六七八九零"),
        ("一；二：三、四", "一，二，三，四"),
    ],
)
def test_chinese_numbers_and_marks(text: str, like: str) -> None:
    assert read_chinese(text) == read_chinese(like)


def test_what_chinese_voices_do_not_read(chinese: OpenVoiceFrontend, frontend: OpenVoiceFrontend) -> None:
    assert frontend.takes_phonemes and not chinese.takes_phonemes
    for text in ("你好 안녕", "𪚥"):
        with pytest.raises(InvalidText, match="no sound"):
            chinese.inputs(text, "default", "zh")
    with pytest.raises(InvalidText) as found:
        chinese.inputs(f"你好{inline('nˈi')}", "default", "zh-CN")
    assert found.value.code == "no_phonemes"
    with pytest.raises(InvalidRequest, match="does not speak"):
        chinese.inputs("Hello.", "default", "en")


def test_seconds(chinese: OpenVoiceFrontend, frontend: OpenVoiceFrontend) -> None:
    english = frontend.inputs("The birch canoe slid on the smooth planks.", "default", "en")
    mandarin = chinese.inputs("今天天气真好，我们去公园散步吧。", "default", "zh")  # 14 syllables
    assert 1.5 < frontend.seconds(english, {}) < 5 and 2 < chinese.seconds(mandarin, {}) < 5
    assert chinese.seconds(mandarin, {"speed": 0.5}) == 2 * chinese.seconds(mandarin, {})


def test_without_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary.cache_clear()
    monkeypatch.setattr("models.shared.cmu.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'chorus-speech\[openvoice\]'"):
        read_english("Hello.")
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    with pytest.raises(ConfigurationError, match="pypinyin"):
        read_chinese("你好")


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        # As eng_to_ipa writes the CMU dictionary's entries of these words.
        ("The birch canoe slid.", "ðə bəɹtʃ kəˈnu slɪd."),
        ("A nurse heard the button.", "ə nəɹs həɹd ðə ˈbətən."),
        ("Judges explained television.", "ˈdʒədʒɪz ɛkˈspleɪnd ˈtɛlɪˌvɪʒən."),
        ("a little bell", "ə ˈlɪtəɫ bɛɫ"),
    ],
)
def test_espeak_in_the_spelling_of_the_dictionary(text: str, symbols: str) -> None:
    assert english_symbols(phonemize(text, "en-us")) == symbols


def test_tokens_with_blanks(frontend: OpenVoiceFrontend) -> None:
    inputs = frontend.inputs("The birch.", "whispering", "en")
    assert inputs["speaker"] == 2
    assert inputs["tokens"][::2] == [0] * (len(inputs["tokens"]) // 2 + 1)
    assert "".join(SYMBOLS[token] for token in inputs["tokens"][1::2]) == "ðə bəɹtʃ."
    assert frontend.phonemes("The birch.", "whispering", "en") == "ðə bəɹtʃ."


def test_every_sentence_can_be_spoken(frontend: OpenVoiceFrontend) -> None:
    lines = Path(data_path("sentences/harvard.txt")).read_text(encoding="utf-8").splitlines()
    spoken = [frontend.inputs(line, "default", "en") for line in lines if line.strip()]
    assert len(spoken) >= 100
    # 4 to 20 sounds a second is how people speak; every other token is a blank.
    assert all(0.2 < frontend.seconds(inputs, {}) / (len(inputs["tokens"]) / 2 / 14) < 5 for inputs in spoken)


HOSTILE = (
    "", " ", "...", "—", "\x00\x01", "\u200b", "🙂🙂", "\ud800", "word " * 2000, "x" * 10_000, "\u0301" * 3000,
    "!?" * 2000,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_spoken_is_an_error(
    frontend: OpenVoiceFrontend, chinese: OpenVoiceFrontend, text: str, language: str
) -> None:
    with pytest.raises(InvalidText):
        (frontend if language == "en" else chinese).inputs(text, "default", language)


def test_bounds(frontend: OpenVoiceFrontend) -> None:
    with pytest.raises(InvalidText) as found:
        frontend.inputs("banana " * 600, "default", "en")
    assert found.value.code == "text_too_long"
    assert len(frontend.inputs("banana " * 100, "default", "en")["tokens"]) <= MAX_TOKENS
    with pytest.raises(InvalidRequest, match="no voice"):
        frontend.inputs("Hello.", "nobody", "en")
    with pytest.raises(InvalidRequest, match="does not speak"):
        frontend.inputs("Hello.", "default", "zh")


def test_words_are_found_by_their_symbols(frontend: OpenVoiceFrontend, chinese: OpenVoiceFrontend) -> None:
    assert words_heard("It costs $5, of the best.", frontend, "default", "en") == [
        ("It", "ɪt"),
        ("costs", "kɔsts"),
        ("$5,", "faɪv ˈdɔləɹz"),
        ("of", "əv"),
        ("the", "ðə"),
        ("best.", "bɛst"),
    ]
    found = words_heard("今天天气很好。", chinese, "default", "zh")
    assert [word for word, _ in found] == ["今", "天", "天", "气", "很", "好。"]
    assert all(symbols for _, symbols in found)
