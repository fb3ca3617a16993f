"""Piper's tokens, on small configurations made here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigurationError, InvalidRequest, InvalidText, WeightsError
from core.names import Role
from models.base import Bounds, ModelSpec, Voice
from models.piper import FAMILY
from models.piper.config import read_config
from models.piper.frontend import PiperFrontend
from tests.shared_data import ROOT
from text.marks import inline
from text.phonemes import phonemize

#: a few phonemes of Piper's own map
IDS = {"_": [0], "^": [1], "$": [2], " ": [3], "!": [4], ",": [8], ".": [10], "h": [20], "ə": [59], "l": [24]}
IDS |= {"ˈ": [120], "o": [27], "ʊ": [100], "a": [14], "\u0303": [141], "b": [15], "ä": [30]}


def frontend(tmp_path: Path, **changes: Any) -> PiperFrontend:
    config = {
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": IDS,
        "num_symbols": 256,
        **changes,
    }
    path = tmp_path / "voice.onnx.json"
    path.write_text(json.dumps(config))
    spec = ModelSpec(
        name="voice",
        type="piper",
        role=Role.SYNTHESIZE,
        weights={},
        languages=("en-US",),
        voices={"one": Voice(name="one", language="en-US"), "nine": Voice(name="nine", language="en-US", speaker=9)},
        options=FAMILY.options,
        sample_rate=22050,
        batch={"cpu": Bounds(items=1, cost=1)},
        batch_timeout=1,
    )
    return PiperFrontend(spec, lambda name: {"config": path}[name])


def test_tokens_are_those_of_piper(tmp_path: Path) -> None:
    # həlˈoʊ! with a pad after the start and after each phoneme, none after the end
    tokens = [1, 0, 20, 0, 59, 0, 24, 0, 120, 0, 27, 0, 100, 0, 4, 0, 2]
    assert frontend(tmp_path).inputs("Hello!", "one", "en-US") == {"tokens": tokens, "speaker": 0}


def test_unknown_phonemes_are_left_out(tmp_path: Path) -> None:
    tokens = frontend(tmp_path).inputs("hello sky", "one", "en-US")["tokens"]  # no s, k or aɪ but for its a
    assert tokens == [1, 0, 20, 0, 59, 0, 24, 0, 120, 0, 27, 0, 100, 0, 3, 0, 120, 0, 14, 0, 2]


def test_marks_that_no_voice_has_heard_become_those_it_has(tmp_path: Path) -> None:
    plain = frontend(tmp_path).inputs("hello, hello.", "one", "en-US")
    assert frontend(tmp_path).inputs("“hello— «hello»…", "one", "en-US") == plain


def test_phonemes_are_shown_as_the_voice_gets_them_and_worked_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(text: str, voice: str) -> str:
        asked.append(text)
        return phonemize(text, voice)

    monkeypatch.setattr("models.piper.frontend.phonemize", counted)
    voice = frontend(tmp_path)
    voice.inputs("Hello, sky!", "one", "en-US")
    assert voice.phonemes("Hello, sky!", "one", "en-US") == "həlˈoʊ, ˈa!"
    assert asked == ["Hello, sky!"]
    assert frontend(tmp_path, phoneme_type="text").phonemes("Hello", "one", "en-US") is None


def test_phonemes_are_decomposed(tmp_path: Path) -> None:
    assert 141 in frontend(tmp_path, espeak={"voice": "fr"}).inputs("bon", "one", "fr")["tokens"]


def test_a_voice_of_text(tmp_path: Path) -> None:
    built = frontend(tmp_path, phoneme_type="text")
    assert built.inputs("HÄ ab^_$", "one", "en-US")["tokens"] == [1, 0, 20, 0, 14, 0, 3, 0, 14, 0, 15, 0, 2]


def test_a_voice_of_text_takes_no_phonemes(tmp_path: Path) -> None:
    built = frontend(tmp_path, phoneme_type="text")
    with pytest.raises(InvalidText) as caught:
        built.inputs(f"h {inline('ab')}", "one", "en-US")
    assert caught.value.code == "no_phonemes" and not built.takes_phonemes


def test_the_map_of_phonemes(tmp_path: Path) -> None:
    built = frontend(tmp_path, phoneme_type="text", phoneme_map={"x": ["h", "a"]})
    assert built.inputs("x", "one", "en-US")["tokens"] == [1, 0, 20, 0, 14, 0, 2]


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "—", "\u200b", "\x00", "ˈ"])
def test_nothing_to_speak(tmp_path: Path, text: str) -> None:
    for kind in ("espeak", "text"):
        with pytest.raises(InvalidText):
            frontend(tmp_path, phoneme_type=kind).inputs(text, "one", "en-US")


def test_too_much_to_speak(tmp_path: Path) -> None:
    with pytest.raises(InvalidText) as caught:
        frontend(tmp_path).inputs("hello " * 800, "one", "en-US")
    assert caught.value.code == "text_too_long"


def test_speakers(tmp_path: Path) -> None:
    built = frontend(tmp_path, num_speakers=10, speaker_id_map={"p9": 9, "p3": 3})
    assert built.inputs("hello", "nine", "en-US")["speaker"] == 9
    assert built.inputs("hello", "p3", "en-US")["speaker"] == 3
    with pytest.raises(InvalidRequest) as caught:
        built.inputs("hello", "nobody", "en-US")
    assert caught.value.code == "unknown_voice"
    with pytest.raises(ConfigurationError, match="1 speakers"):
        frontend(tmp_path).inputs("hello", "nine", "en-US")


@pytest.mark.parametrize(
    "changes",
    [
        {"audio": {}},
        {"phoneme_type": "pinyin"},
        {"phoneme_id_map": {"a": [-1]}},
        {"num_symbols": 0},
        {"inference": {"length_scale": 0}},
        {"num_speakers": "many"},
    ],
)
def test_a_wrong_configuration(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=r"voice\.onnx\.json"):
        _ = frontend(tmp_path, **changes).config


def test_a_file_that_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    for name in ("x.json", "missing.json"):
        with pytest.raises(WeightsError):
            read_config(tmp_path / name)


def test_the_family_and_its_frontend_are_light() -> None:
    program = "import sys, models.piper, models.piper.frontend, models.piper.model\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"onnx", "onnxruntime", "torch", "phonemizer"} & set(done.stdout.split())
