"""Kokoro's voices, mixes and tokens, without its weights."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidRequest, InvalidText, WeightsError
from models.catalog import load_catalog
from models.kokoro import MAX_MIXED, mixed_voice, parse_voice, written_voice
from models.kokoro.frontend import KokoroFrontend, read_vocabulary
from models.kokoro.languages.espeak import respelled
from models.kokoro.languages.table import reader_of
from models.kokoro.voices import VOICES
from text.marks import inline

KNOWN = ("jf_alpha", "jf_nezumi", "jm_kumo")
SYMBOLS = " .,?!" + "ˈˌ" + "abdfhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθAIOTWY"


def test_a_name_is_a_voice() -> None:
    assert parse_voice("jf_alpha", KNOWN) == {"jf_alpha": 1.0}
    assert parse_voice(" jf_alpha : 5 ", KNOWN) == {"jf_alpha": 1.0}


def test_weights_of_a_mix_sum_to_one() -> None:
    assert parse_voice("jf_alpha:0.6+jm_kumo:0.4", KNOWN) == pytest.approx({"jf_alpha": 0.6, "jm_kumo": 0.4})
    assert parse_voice("jm_kumo:3 + jf_alpha", KNOWN) == pytest.approx({"jf_alpha": 0.25, "jm_kumo": 0.75})


@pytest.mark.parametrize("voice", ["nobody", "jf_alpha+nobody", "nobody:0.5+jf_alpha:0.5", "JF_ALPHA"])
def test_unknown_voices_are_named(voice: str) -> None:
    with pytest.raises(InvalidRequest, match=re.compile("nobody|JF_ALPHA")) as caught:
        parse_voice(voice, KNOWN)
    assert caught.value.code == "unknown_voice"


@pytest.mark.parametrize(
    "voice",
    [
        "",
        "+",
        "jf_alpha+",
        "jf_alpha:",
        "jf_alpha:0",
        "jf_alpha:0.0+jm_kumo:1",
        "jf_alpha:-1",
        "jf_alpha:1e3",
        "jf_alpha:nan",
        "jf_alpha:inf",
        "jf_alpha:1001",
        "jf_alpha:0.5:0.5",
        "jf_alpha+jf_alpha",
        "jf_alpha jm_kumo",
        "../../etc/passwd",
        "+".join(["jf_alpha"] * (MAX_MIXED + 1)),
        "jf_alpha:" + "9" * 2000,
    ],
)
def test_what_is_no_mix_is_refused(voice: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_voice(voice, KNOWN)
    assert caught.value.code == "invalid_voice_mix"


@example({"jf_alpha": 63, "jf_nezumi": 577})
@given(st.dictionaries(st.sampled_from(KNOWN), st.integers(1, 1000), min_size=1))
def test_equal_mixes_have_one_spelling(weights: dict[str, int]) -> None:
    plain = "+".join(f"{name}:{weight}" for name, weight in weights.items())
    scaled = "+".join(f"{name}:{weight / 1000:.3f}" for name, weight in reversed(weights.items()))
    written = written_voice(parse_voice(plain, KNOWN))
    assert written == written_voice(parse_voice(scaled, KNOWN))
    assert parse_voice(written, KNOWN) == pytest.approx(parse_voice(plain, KNOWN), abs=2e-6)


@given(st.text(max_size=60))
def test_any_text_is_a_voice_or_a_clear_error(voice: str) -> None:
    try:
        assert sum(parse_voice(voice, KNOWN).values()) == pytest.approx(1)
    except InvalidRequest as error:
        assert error.code in ("unknown_voice", "invalid_voice_mix")


def test_the_catalog_resolves_mixes_alone() -> None:
    spec = load_catalog().get("kokoro")
    mixed = mixed_voice(spec, "jm_kumo:0.4+jf_alpha:0.6")
    assert mixed is not None
    assert (mixed.name, mixed.language) == ("jf_alpha:0.6+jm_kumo:0.4", "en-US")
    assert mixed_voice(spec, "nobody") is None


def test_phonemes_are_spelled_as_kokoro_was_trained() -> None:
    assert respelled("haɪ eɪ oʊ aʊ ɔɪ dʒ tʃ", "en-us") == "hI A O W Y ʤ ʧ"
    assert respelled("bˈɜːɹd rɛd bˈɛɾɚ ɐbˈaʊt fˈɑːðɚ", "en-us") == "bˈɜɹd ɹɛd bˈɛTəɹ əbˈWt fˈɑðəɹ"
    assert respelled("«[x]»", "en-us") == "“(k)”"


@pytest.fixture
def frontend(tmp_path: Path) -> KokoroFrontend:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({"vocab": {symbol: i + 1 for i, symbol in enumerate(SYMBOLS)}}))
    spec = dataclasses.replace(load_catalog().get("kokoro"), weights={})
    return KokoroFrontend(spec, lambda name: path)


def test_text_becomes_ids(frontend: KokoroFrontend) -> None:
    inputs = frontend.inputs("Hello there!", "jm_kumo:1+jf_alpha:1", "en-US")
    assert inputs["voice"] == "jf_alpha:0.5+jm_kumo:0.5"
    assert "".join(SYMBOLS[i - 1] for i in inputs["tokens"]) == "həlˈO ðˈɛɹ!"


@pytest.mark.parametrize("text", ["", "...", "!?", "\u200b"])
def test_nothing_to_speak_is_invalid_text(frontend: KokoroFrontend, text: str) -> None:
    with pytest.raises(InvalidText) as caught:
        frontend.inputs(text, "jf_alpha", "en-US")
    assert caught.value.code == "invalid_text"


def test_an_overlong_utterance_is_refused(frontend: KokoroFrontend) -> None:
    with pytest.raises(InvalidText) as caught:
        frontend.inputs("The birch canoe slid on the smooth planks. " * 20, "jf_alpha", "en-US")
    assert caught.value.code == "text_too_long"


def test_other_languages_are_refused(frontend: KokoroFrontend) -> None:
    with pytest.raises(InvalidRequest) as caught:
        frontend.inputs("Guten Tag", "jf_alpha", "de")
    assert caught.value.code == "unknown_language"


@pytest.mark.parametrize("content", ["", "[]", '{"vocab": {"ab": 1}}', '{"vocab": {"a": 0}}', '{"vocab": {"a": "x"}}'])
def test_a_bad_vocabulary_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(content)
    with pytest.raises(WeightsError):
        read_vocabulary(path)


# -- languages


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("en-US", "The bird goes there, Joe.", "ðə bˈɜɹd ɡOz ðˈɛɹ, ʤˈO."),
        ("en-GB", "There goes the bird, Joe.", "ðɛː ɡQz ðə bˈɜːd, ʤˈQ."),
        ("es", "El niño chico llegó a la casa, ¿verdad?", "el nˈiɲo ʧˈiko ʎeɣˈo a la kˈasa, beɾðˈad?"),
        ("fr-FR", "Un bon vin blanc, s'il vous plaît.", "œ̃ bˈɔ̃ vˈɛ̃ blˈɑ̃, sil vu plˈɛ."),
        ("hi", "नमस्ते, आप कैसे हैं?", "nəmˈʌsteː, ˌaːp kˈɛːseː hɛ̃?"),
        ("it", "Il ragazzo mangia la pizza.", "il raɡˈaʦːo mˈanʤa la pˈiʦːa."),
        ("pt-BR", "O coração não tem razão!", "ʊ kˌoɾasˈɐ̃ʊ̃ nˌɐ̃ʊ̃ tAŋ xazˈɐ̃ʊ̃!"),
        ("ja", "今日は東京へ行きます。", "kʲoː βa toːkʲoː e ikʲi masɨ."),
        ("ja", "ちょっと待って、「スーパー」で三個買った！", "ʨoʔto maʔte, “sɨːpaː” de saɴ ko kaʔta!"),
        ("zh", "你好，世界！我有3个苹果。", "ni↓xau↓, ʂɨ↘ʨje↘! wo↓ jou↓ sa→nkɤ↘ pʰi↗ŋkwo↓."),
        ("zh-CN", "知识，hello。", "ꭧɨ→ʂɨ↗, həlˈO."),
    ],
)
def test_each_language_is_spelled_as_in_training(language: str, text: str, phonemes: str) -> None:
    assert reader_of(language, "kokoro")(text) == phonemes


@pytest.mark.parametrize("language", ["ja", "zh"])
def test_phonemes_of_markup_are_spoken_in_any_language(language: str) -> None:
    assert "ʤˈO" in reader_of(language, "kokoro")(f"{inline('dʒˈoʊ')}。")


@pytest.mark.parametrize(("language", "text"), [("ja", "한"), ("zh", "한"), ("zh", "\U00020000")])
def test_a_letter_without_a_reading_is_an_error(language: str, text: str) -> None:
    with pytest.raises(InvalidText):
        reader_of(language, "kokoro")(text)


@given(st.sampled_from(["ja", "zh"]), st.text(max_size=40))
def test_any_text_has_phonemes_or_a_clear_error(language: str, text: str) -> None:
    with contextlib.suppress(InvalidText, InvalidRequest):
        assert isinstance(reader_of(language, "kokoro")(text), str)


@pytest.mark.parametrize(
    ("language", "module", "extra"), [("ja", "pyopenjtalk", "kokoro-ja"), ("zh", "rjieba", "kokoro-zh")]
)
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, language: str, module: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=extra):
        reader_of(language, "kokoro")("世界")


def test_the_published_voices_have_languages_that_are_read() -> None:
    assert len(VOICES) == 54
    assert VOICES["af_heart"] == "en-US" and VOICES["zm_yunyang"] == "zh"
    assert all(reader_of(language, "kokoro") for language in VOICES.values())
