"""What a folder or a hub has of a model, as entries of a models.yaml; and what licences and names are taken for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import ChorusError, InvalidRequest, WeightsError
from models.catalog import DEFAULT_FILE, read_catalog
from models.hub.adding import FolderOrigins, asked, described, specs_of, unused_weights
from models.hub.licences import Licence, Use
from models.hub.origin import is_path, plain
from models.hub.recipes import load_recipes
from models.hub.recipes.names import entry_name, short_language, speakers
from models.own_file import OwnFile
from tests.checkpoints.melo import SPEAKERS, write_configuration, write_vocabulary

GIVEN = read_catalog(DEFAULT_FILE)


def write(folder: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def entry_of(folder: Path, *words: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """The one entry of what a command asks for, from a folder, if the catalog takes it."""
    given = {"kind": None, "revision": None, "file": None, **more}
    addition = described(asked(words, **given), FolderOrigins(folder))
    specs_of(addition, OwnFile(folder / "own.yaml"), GIVEN)
    ((name, entry),) = addition.entries.items()
    return name, dict(entry)


def test_melo_has_its_accents_and_its_bert(tmp_path: Path) -> None:
    voice = write_configuration(tmp_path / "MeloTTS-English", SPEAKERS)
    (voice / "checkpoint.pth").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"bert-base-uncased has no file config\.json"):
        entry_of(tmp_path, "melo", "EN")
    bert = write_vocabulary(tmp_path / "bert-base-uncased", ["a"])
    (bert / "pytorch_model.bin").write_bytes(b"y")
    write(bert, {"README.md": "---\nlanguage: en\nlicense: apache-2.0\n---\n# BERT\nlicense: wrong\n"})
    name, entry = entry_of(tmp_path, "melo", "EN")
    assert name == "melo-en" and entry["licence"] == "not stated; BERT: apache-2.0"
    assert entry["weights"].keys() == {"model", "config", "bert", "bert_config", "bert_vocab"}
    assert entry["weights"]["bert"]["source"] == f"file:{bert}"
    assert entry["weights"]["config"]["sha256"] != entry["weights"]["bert_config"]["sha256"]
    assert entry["voices"]["EN-BR"] == {"language": "en-GB", "speaker": 1, "source": "en_br"}
    assert entry["voices"]["EN_INDIA"] == {"language": "en-IN", "speaker": 2, "source": "en_india"}
    assert entry["languages"] == ["en-US", "en-GB", "en-IN", "en-AU", "en"] and entry["sample_rate"] == 44100


def test_whisper_hears_the_languages_that_it_has_tokens_of(tmp_path: Path) -> None:
    files = {"model.bin": "x", "tokenizer.json": "{}", "vocabulary.json": "[]", "preprocessor_config.json": "{}"}
    write(tmp_path, {**files, "config.json": {"lang_ids": list(range(50259, 50359))}})
    name, entry = entry_of(tmp_path, "whisper", "large-v3-turbo")
    assert name == "whisper-large-v3-turbo" and entry["languages"][:2] == ["en", "zh"]
    assert len(entry["languages"]) == 100 and entry["languages"][-1] == "yue"
    assert entry["weights"]["preprocessor"]["file"] == "preprocessor_config.json"
    assert entry["weights"]["vad"]["sha256"] == GIVEN.get("silero").weights["model"].sha256
    (tmp_path / "preprocessor_config.json").unlink()
    name, entry = entry_of(tmp_path, "whisper", "base.en")
    assert entry["languages"] == ["en"] and "preprocessor" not in entry["weights"]
    with pytest.raises(InvalidRequest, match="no size of Whisper"):
        entry_of(tmp_path, "whisper", "enormous")


def test_kokoro_has_a_file_and_a_language_for_each_voice(tmp_path: Path) -> None:
    voices = ("af_heart", "bm_george", "jf_alpha", "pm_santa", "xx_none", "af_../x")
    files = {"kokoro-v1_0.pth": "x", "config.json": {"vocab": {"a": 1}}}
    write(tmp_path, {**files, **{f"voices/{voice}.pt": voice for voice in voices}})
    what = asked(("kokoro",), None, None, None)
    ((name, entry),) = described(what, FolderOrigins(tmp_path)).entries.items()
    assert name == "kokoro-82m" and entry["languages"] == ["en-US", "en-GB", "ja", "pt-BR"]
    assert entry["voices"]["bm_george"] == {"language": "en-GB", "description": "Male"}
    assert {key for key in entry["weights"] if key.startswith("voice_")} == {f"voice_{voice}" for voice in voices[:4]}
    assert entry["weights"]["voice_af_heart"]["file"] == "voices/af_heart.pt"


def test_mms_speaks_the_language_of_its_code(tmp_path: Path) -> None:
    files = {"model.safetensors": "x", "vocab.json": {}, "tokenizer_config.json": {"language": "deu"}}
    write(tmp_path, {**files, "config.json": {"model_type": "vits", "sampling_rate": 16000}})
    assert entry_of(tmp_path, "mms", "deu")[1]["languages"] == ["de"]
    name, entry = entry_of(tmp_path, "hf:ann/my-voice@v1", kind="mms")
    assert (name, entry["languages"]) == ("my-voice", ["de"])
    write(tmp_path, {"tokenizer_config.json": {"is_uroman": True}})
    with pytest.raises(WeightsError, match="romanized"):
        entry_of(tmp_path, "mms", "kor")
    write(tmp_path, {"tokenizer_config.json": {}, "config.json": {"model_type": "bert"}})
    with pytest.raises(WeightsError, match="type 'bert' instead of 'vits'"):
        entry_of(tmp_path, "mms", "deu")


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (("piper",), None, "chorus models add piper en_GB-alba-medium"),
        (("piper", "a", "b"), None, "Name one model"),
        (("piper", "alba"), None, "no voice of Piper"),
        (("kokoro", "v2"), None, "Kokoro has one model"),
        (("melo", "XX"), None, "does not speak 'XX'. It speaks EN, EN_V2"),
        (("mms", "de"), None, "three letters"),
        (("hf:a",), "piper", "no repository"),
        (("hf:../x@y",), "piper", "no repository"),
        (("hf:a/b@c d",), "piper", "no repository"),
        (("hf:a/b",), None, "--type: piper, kokoro, openvoice-v2, melo, mms, whisper"),
        (("hf:a/b",), "bark", "no family"),
        (("piper", "x"), "piper", "--type and --file are for"),
        (("\x1b[31m\n",), None, "no family"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, words: tuple[str, ...], kind: str | None, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as error:
        described(asked(words, kind, None, None), FolderOrigins(tmp_path))
    assert "\x1b" not in error.value.message and "\n" not in error.value.message


def test_each_family_says_which_files_it_needs() -> None:
    recipes = load_recipes()
    for name, recipe in recipes.items():
        what = asked((name, *([recipe.usage] if recipe.usage else [])), None, None, None)
        needs = what.recipe.needs(what.wish)
        assert "config.json" in needs or ".onnx.json" in needs
        assert "/" in needs, "and of which repository"


def test_folders_that_are_none(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", write(tmp_path / "odd\nname", {"x": ""})):
        with pytest.raises(WeightsError, match=r"does not exist|line break"):
            entry_of(folder, "kokoro")


# -- licences and names


@pytest.mark.parametrize(
    ("text", "use"),
    [
        *[(text, Use.FREE) for text in ("mit", "MIT", "apache-2.0", "Apache License 2.0", "CC BY 4.0", "cc-by-sa-4.0")],
        *[(text, Use.FREE) for text in ("cc0-1.0", "Public Domain", "BSD-3-Clause", "gpl-3.0", "AGPL-3.0-only")],
        *[(text, Use.FORBIDDEN) for text in ("cc-by-nc-4.0", "CC BY-NC-SA 4.0", "other (coqui-public-model-license)")],
        *[(text, Use.FORBIDDEN) for text in ("Non-commercial", "CPML", "research only")],
        *[(text, Use.UNCLEAR) for text in ("other", "", "unknown", "See URL", "https://example.org/nc", "llama3")],
        ("mit, other", Use.UNCLEAR),
    ],
)
def test_uses_of_licences(text: str, use: Use) -> None:
    licence = Licence("x", text)
    assert (licence.use, bool(licence.warning)) == (use, use is not Use.FREE)


def test_texts_of_others_fit_a_line() -> None:
    assert plain("a\x1b[31m\n\tb\u202ec\x00\u200b d") == "a[31m bc d"
    assert plain("x" * 500, 10) == "x" * 9 + "…"
    assert is_path("en/en_GB/a+b.onnx.json") and is_path("x")
    for path in ("../x", "a/../b", "/x", "a//b", "a\\b", "a\nb", ".git/x", "a/.x", "", "x" * 301, 7, "a b", "ä"):
        assert not is_path(path)


def test_names_of_entries_voices_and_languages() -> None:
    assert entry_name("piper", "en_GB-alba-medium") == "piper-en_gb-alba-medium"
    assert entry_name("é: {", "") == "model" and len(entry_name("x" * 100)) == 63
    assert (short_language("deu"), short_language("swh"), short_language("quy")) == ("de", "sw", "quy")
    assert speakers({}, 1, "alba") == {"alba": 0}
    assert speakers({"p 1": 0, "p2": 1, "p3": 2}, 2, "x") == {"p_1": 0, "p2": 1}
    assert speakers({}, 2, "x") == {"x-0": 0, "x-1": 1}
    for odd in ({"a: b": 0, "c": 1}, {"\x1b": 0, "c": 1}, {"": 0, "c": 1}):
        with pytest.raises(ChorusError, match="name of a voice"):
            speakers(odd, 2, "x")


def test_weights_that_another_model_has_are_used() -> None:
    silero, whisper = GIVEN.get("silero"), GIVEN.get("whisper-tiny.en")
    assert unused_weights(whisper, [silero]) == ["model", "config", "tokenizer", "vocabulary"]
