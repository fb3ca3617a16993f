"""``chorus weights check`` on the real weights, and on what can be wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from click.testing import CliRunner, Result

from cli.commands.weights import weights
from core.settings import load_settings
from models import catalog
from models.catalog import DEFAULT_FILE, read_catalog
from models.shared import devices
from models.weights import MAX_BYTES, WeightsCache, files_of
from tests.checkpoints.openvoice import openvoice_converter

Tensors = dict[str, Any]


SHIPPED, CACHE = read_catalog(DEFAULT_FILE), WeightsCache(load_settings().cache)


def real(model: str, weights: str = "model") -> Path:
    """One of the shipped weights files."""
    return files_of(SHIPPED.get(model), CACHE)(weights)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(weights, ["check", *arguments])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Entries:
    """A models.yaml of the test's own, whose weights are files in a folder, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Any] = {}
        self._known = yaml.safe_load(DEFAULT_FILE.read_text())["models"]

    def add(self, name: str, /, *, digest: str | None = None, entry: Tensors | None = None, **files: Path) -> str:
        """The entry ``name`` as it ships, with changes and with ``files`` by the name of their weights."""
        return self.describe(name, self._known[name] | (entry or {}), digest, **files)

    def describe(self, name: str, entry: Tensors, /, digest: str | None = None, **files: Path) -> str:
        """An entry with ``files``, of which ``digest`` is the sha256, or else their own."""
        weights = {
            key: {"source": f"file:{path.parent}", "file": path.name, "sha256": digest or sha256(path)}
            for key, path in files.items()
        }
        self.models[name] = entry | {"weights": weights}
        return name

    def read(self) -> catalog.Catalog:
        path = self.folder / "models.yaml"
        path.write_text(yaml.safe_dump({"models": self.models}, sort_keys=False))
        return read_catalog(path)


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entries:
    found = Entries(tmp_path)
    monkeypatch.setenv("CHORUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalog, "load_catalog", found.read)
    return found


# -- sound weights


def test_sound_models_pass(tmp_path: Path) -> None:
    result = check("piper-joe", "silero", "campplus")
    assert result.exit_code == 0, result.output
    for line in (
        "ok       piper-joe/en_US-joe-medium.onnx: 63.2 MB",
        "ok       piper-joe: loaded on cpu with onnx in ",
        "licence  piper-joe: weights CC0-1.0 data, MIT",
        "licence  silero: MIT",
        "ok       campplus: gave an embedding of 192 finite numbers",
    ):
        assert line in result.stdout
    assert "; 815 tensors, unused: head.bn1.num_batches_tracked" in result.stdout
    assert "num_batches_tracked and 119 more" in result.stdout
    assert "WRONG" not in result.output


def test_a_synthesizer_speaks_what_it_is_told(tmp_path: Path) -> None:
    output = tmp_path / "spoken.wav"
    result = check("piper-joe", "--text", "Dr. Smith has 3 cats. Really?", "--output", str(output), "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["models"]
    samples, rate = soundfile.read(output, dtype="float32")
    assert rate == found["trial"]["sample_rate"] == 22050
    assert len(samples) / rate == pytest.approx(found["trial"]["audio_seconds"], abs=0.001)
    assert 1.5 < len(samples) / rate < 5
    assert np.abs(samples).max() == pytest.approx(found["trial"]["peak"], abs=1e-3)
    assert found["trial"]["finite"] and found["device"] == "cpu" and found["error"] is None
    assert {file["sha256"] for file in found["files"]} == {file["expected_sha256"] for file in found["files"]}
    assert check("piper-joe", "--text", "...").exit_code == 1


def test_what_listens_hears_the_recording() -> None:
    result = check("silero", "ge2e", "whisper-tiny.en", "--json")
    assert result.exit_code == 0, result.output
    silero, ge2e, whisper = (found["trial"] for found in json.loads(result.stdout)["models"])
    (segment,) = silero["segments"]
    assert segment["start"] == pytest.approx(0.25, abs=0.1) and segment["end"] == pytest.approx(2.2, abs=0.1)
    assert ge2e["dimensions"] == 256
    assert whisper["text"] == "The boy was there when the sun rose."


# -- a torch checkpoint that is wrong


def without(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name != "xvector.dense.linear.weight"}


def with_nan(tensors: Tensors) -> Tensors:
    tensors["head.bn1.weight"][3] = float("nan")
    return tensors


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without, "These are not CAM++ weights: missing: xvector.dense.linear.weight."),
        (lambda t: t | {"surplus.weight": t["head.conv1.weight"]}, "unexpected: surplus.weight."),
        (
            lambda t: t | {"xvector.dense.linear.weight": t["head.conv1.weight"]},
            "wrong shape: xvector.dense.linear.weight [32, 1, 3, 3] instead of [192, 1024, 1].",
        ),
        (with_nan, "not finite: head.bn1.weight."),
        (lambda t: {}, "and 805 more."),
        (lambda t: {"state_dict": t}, "contains no state dict."),
    ],
)
def test_a_changed_checkpoint_is_named(entries: Entries, change: Callable[[Tensors], Tensors], reason: str) -> None:
    import torch

    path = entries.folder / "changed.pt"
    torch.save(change(torch.load(real("campplus"), weights_only=True)), path)
    result = check(entries.add("campplus", model=path))
    assert result.exit_code == 1
    assert "ok       campplus/changed.pt" in result.stdout, "the file is the one that the entry asks for"
    assert "WRONG    campplus: " in result.stdout and reason in result.stdout
    assert "embedding of" not in result.stdout, "nothing is run with other weights"


def truncated(path: Path) -> None:
    path.write_bytes(real("campplus").read_bytes()[:1_000_000])


def code(path: Path) -> None:
    import torch

    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(path.with_name("made")),)

    torch.save({"a": Code()}, path)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (truncated, "it is damaged or incomplete"),
        (lambda path: shutil.copy(real("ge2e"), path), "contains no state dict"),
        (lambda path: shutil.copy(real("silero"), path), "cannot be read"),
        (lambda path: path.write_text("<!DOCTYPE html>"), "it is no checkpoint of torch"),
        (lambda path: path.write_bytes(b""), "it is damaged or incomplete"),
        (code, "it asks for code (posix.mkdir), which is never run"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(entries: Entries, write: Callable[[Path], Any], reason: str) -> None:
    path = entries.folder / "other.pt"
    write(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = check(entries.add("campplus", model=path))
    assert result.exit_code == 1
    assert re.search(rf"^WRONG    campplus: .*other\.pt .*{re.escape(reason)}", result.stdout, re.MULTILINE), (
        result.stdout
    )
    assert not (entries.folder / "made").exists()


# -- an ONNX file that is wrong


def graph_without(path: Path, model: str, position: int) -> str:
    """Copy a shipped graph without one of its tensors, and return the tensor's name."""
    import onnx

    graph = onnx.load(real(model))
    name = graph.graph.initializer[position].name
    del graph.graph.initializer[position]
    path.write_bytes(graph.SerializeToString())
    return str(name)


def test_a_voice_without_a_tensor(entries: Entries) -> None:
    path = entries.folder / "voice.onnx"
    name = graph_without(path, "piper-joe", 0)
    result = check(entries.add("piper-joe", model=path, config=real("piper-joe", "config")))
    assert result.exit_code == 1
    assert "WRONG    piper-joe: " in result.stdout and name in result.stdout


def test_a_graph_with_a_tensor_too_few_and_one_too_many(entries: Entries) -> None:
    import onnx

    path = entries.folder / "vad.onnx"
    name = graph_without(path, "silero", 2)
    result = check(entries.add("silero", model=path))
    assert result.exit_code == 1 and f"missing: {name}." in result.stdout
    graph = onnx.load(real("silero"))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(3, np.float32), "surplus"))
    path.write_bytes(graph.SerializeToString())
    result = check(entries.add("silero", model=path))
    assert result.exit_code == 1 and "unexpected: surplus." in result.stdout


def test_files_that_are_swapped_or_cut(entries: Entries) -> None:
    cut, config = entries.folder / "cut.onnx", real("piper-joe", "config")
    cut.write_bytes(real("piper-joe").read_bytes()[:1_000_000])
    result = check(entries.add("piper-joe", model=cut, config=config))
    assert result.exit_code == 1 and "the ONNX file cut.onnx cannot be read" in result.stdout
    result = check(entries.add("piper-joe", model=real("silero"), config=config))
    assert result.exit_code == 1 and "WRONG    piper-joe: " in result.stdout
    swapped = entries.folder / "swapped.json"
    swapped.write_bytes(real("piper-joe").read_bytes())
    result = check(entries.add("piper-joe", model=real("piper-joe"), config=swapped))
    assert result.exit_code == 1 and "swapped.json" in result.stdout


# -- an entry that does not fit its weights


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"sample_rate": 16000}, "22050 Hz"),
        ({"voices": {"joe": {"language": "en-US"}, "ann": {"language": "en-US", "speaker": 7}}}, "ann"),
    ],
)
def test_an_entry_that_says_something_else(entries: Entries, entry: Tensors, reason: str) -> None:
    name = entries.add("piper-joe", model=real("piper-joe"), config=real("piper-joe", "config"), entry=entry)
    result = check(name)
    assert result.exit_code == 1
    assert reason in next(line for line in result.stdout.splitlines() if line.startswith("WRONG"))


def test_a_wrong_sha256_is_told_with_the_right_one(entries: Entries) -> None:
    path = entries.folder / "vad.onnx"
    shutil.copy(real("silero"), path)
    result = check(entries.add("silero", model=path, digest="0" * 64))
    assert result.exit_code == 1
    assert f"vad.onnx has sha256 {sha256(path)} instead of {'0' * 64}" in result.stdout
    assert "The model is not loaded" in result.stdout
    assert not list((entries.folder / "cache").glob("weights/*/*"))
    assert check(entries.add("silero", model=path, digest=sha256(path))).exit_code == 0


def test_a_file_that_has_changed_in_the_cache(entries: Entries) -> None:
    path = entries.folder / "vad.onnx"
    shutil.copy(real("silero"), path)
    name = entries.add("silero", model=path)
    assert check(name).exit_code == 0
    (kept,) = (entries.folder / "cache").glob("weights/*/*")
    kept.write_bytes(b"tampered")
    for arguments in ([name], ["--files", name], ["--all"], []):
        result = check(*arguments)
        assert result.exit_code == 1
        assert f"has sha256 {sha256(kept)} instead of {sha256(path)}. Delete {kept} to" in result.stdout
        assert "loaded on" not in result.stdout


def test_what_is_no_file_and_what_is_huge(entries: Entries) -> None:
    pipe, huge = entries.folder / "pipe.onnx", entries.folder / "huge.onnx"
    os.mkfifo(pipe)
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    result = check(entries.add("silero", model=pipe, digest="1" * 64))
    assert result.exit_code == 1 and "is not a plain file" in result.stdout
    result = check(entries.add("silero", model=huge, digest="1" * 64))
    assert result.exit_code == 1 and f"is larger than {MAX_BYTES} bytes" in result.stdout


def test_every_file_and_every_model_is_told_of(entries: Entries) -> None:
    gone = entries.folder / "gone.json"
    entries.add("piper-joe", model=real("piper-joe"), config=gone, digest="2" * 64)
    entries.add("silero", model=real("silero"))
    result = check("--all", "--json")
    assert result.exit_code == 1
    shape = json.loads(result.stdout)
    piper, silero = shape["models"]
    assert (shape["ok"], piper["ok"], silero["ok"]) == (False, False, True)
    assert piper["files"][0]["error"].startswith("piper-joe/en_US-joe-medium.onnx has sha256")
    assert "gone.json" in piper["files"][1]["error"]
    assert piper["error"] == {
        "code": "weights",
        "message": "The model is not loaded: its weights model, config are wrong.",
    }
    assert silero["tensors"] == {"loaded": 15, "unused": []}


def test_a_device_that_there_is_not(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_devices", lambda: 0)
    monkeypatch.setattr(devices, "usable", lambda _: 0)
    name = entries.add("silero", model=real("silero"))
    result = check(name, "--device", "cuda")
    assert result.exit_code == 1 and "there is no CUDA device" in result.stdout
    assert "loaded on cpu" in check(name, "--device", "auto").stdout


def test_a_licence_that_is_not_stated(entries: Entries) -> None:
    result = check(entries.add("silero", model=real("silero"), entry={"licence": ""}))
    assert result.exit_code == 0 and "licence  silero: not stated" in result.stdout


# -- a converter


def test_an_encoder_and_a_converter_of_one_checkpoint(entries: Entries, tmp_path: Path) -> None:
    import torch

    folder = openvoice_converter(tmp_path / "v2", version="v2")
    files = {"model": folder / "checkpoint.pth", "config": folder / "config.json"}
    batch = {"cpu": {"items": 4, "cost": 4000}}
    for kind, rate in (("encoder", {}), ("converter", {"sample_rate": 22050})):
        entries.describe(f"tone-{kind}", {"type": f"openvoice_v2_tone_{kind}", "batch": batch, **rate}, **files)
    output = tmp_path / "converted.wav"
    result = check("tone-encoder", "tone-converter", "--json")
    assert result.exit_code == 0, result.output
    encoder, converter = json.loads(result.stdout)["models"]
    assert encoder["trial"]["dimensions"] == 256
    assert converter["trial"]["audio_seconds"] == pytest.approx(2.406, abs=0.02)
    assert check("tone-converter", "-o", str(output)).exit_code == 0
    assert soundfile.info(output).frames / 22050 == pytest.approx(2.406, abs=0.02)

    whole = torch.load(files["model"], weights_only=True)
    whole["model"]["dec.surplus.weight"] = torch.zeros(3)
    torch.save(whole, files["model"])
    entries.describe("tone-converter", {**entries.models["tone-converter"]}, **files)
    result = check("tone-converter")
    assert result.exit_code == 1 and "unexpected: dec.surplus.weight." in result.stdout
