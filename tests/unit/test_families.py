"""Model families: found by folder, one of each type, light."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.names import Precision, Role, Runtime
from models.catalog import load_catalog, read_catalog
from models.families import family_of, load_families, read_families
from pipelines.definitions import read_pipelines
from tests.shared_data import ROOT

TYPES = {
    "campplus",
    "ge2e",
    "kokoro",
    "melo",
    "mms",
    "openvoice_v1",
    "openvoice_v1_tone_converter",
    "openvoice_v1_tone_encoder",
    "openvoice_v2_tone_converter",
    "openvoice_v2_tone_encoder",
    "piper",
    "silero",
    "simulated",
    "whisper",
}

OUTSIDE = """
from core.names import Precision, Role
from models.base import Family

FAMILY = Family(
    type="TYPE",
    role=Role.SYNTHESIZE,
    model="models.NAME.model:Hum",
    precisions=(Precision.FLOAT32, Precision.BFLOAT16),
)
"""

MODEL = """
import numpy as np

from models.base import Model, Speech


class Hum(Model):
    def load(self, device):
        self.device = device

    def cost(self, item):
        return 1

    def run(self, items):
        return [Speech(np.zeros(item.inputs["samples"], np.float32), 16_000) for item in items]
"""

MODELS_FILE = """models:
  hum-1:
    type: hum
    languages: [en]
    voices: {one: {language: en}}
    sample_rate: 16000
    precision: bfloat16
    device: cuda:1
    batch: {cpu: {items: 2, cost: 100}}
"""


def family(folder: Path, name: str, kind: str | None = None, text: str = OUTSIDE) -> Path:
    """A family in a folder of its own; the folder's folder."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text.replace("TYPE", kind or name).replace("NAME", name))
    (folder / name / "model.py").write_text(MODEL)
    return folder


@pytest.fixture(autouse=True)
def _forget() -> object:
    """What a test has imported and added is not there for the next one."""
    import models

    modules, folders = set(sys.modules), list(models.__path__)
    yield
    models.__path__[:] = folders
    for name in set(sys.modules) - modules:
        if name.startswith("models."):
            del sys.modules[name]
            if hasattr(models, name.split(".")[1]) and name.count(".") == 1:
                delattr(models, name.split(".")[1])


def test_every_folder_that_has_a_family_is_found() -> None:
    assert set(read_families()) == TYPES
    assert load_families() == read_families()
    assert family_of("piper").role is Role.SYNTHESIZE


def test_an_unknown_type_names_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"model type 'pipper' does not exist\. Available: campplus, .*whisper"
    ):
        family_of("pipper")


@pytest.mark.parametrize(("key", "line"), [("models", 3), ("pipelines", 5)])
def test_a_file_with_an_unknown_type_is_refused_with_its_line(tmp_path: Path, key: str, line: int) -> None:
    file = tmp_path / "file.yaml"
    if key == "models":
        file.write_text(MODELS_FILE)
        with pytest.raises(ConfigurationError) as found:
            read_catalog(file)
        where = "models.hum-1.type"
    else:
        file.write_text(
            "pipelines:\n  p:\n    steps:\n      - role: synthesize\n        type: hum\n"
            "        needs: [text]\n        gives: speech\n"
        )
        with pytest.raises(ConfigurationError) as found:
            read_pipelines(file)
        where = "pipelines.p.steps.0.type"
    message = found.value.message
    assert message.startswith(f"{file}:{line}: {where}: ")
    assert "'hum'" in message and all(name in message for name in TYPES)


def test_a_family_of_a_folder_outside(tmp_path: Path) -> None:
    found = read_families([family(tmp_path, "hum_outside", "hum")])
    assert set(found) == {*TYPES, "hum"}
    assert found["hum"].precisions == (Precision.FLOAT32, Precision.BFLOAT16)


def test_a_process_runs_a_family_of_a_folder_outside(tmp_path: Path) -> None:
    """All that is needed is a folder and an entry."""
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = family(tmp_path / "families", "hum")
    (tmp_path / "models.yaml").write_text(MODELS_FILE)
    program = (
        "from models.base import Item\nfrom models.catalog import load_catalog, model_class\n"
        "spec = load_catalog().get('hum-1')\nmodel = model_class(spec)(spec, None)\n"
        "[speech] = model.run([Item({'samples': 7})])\n"
        "print(type(model).__module__, len(speech.samples), spec.device, spec.precision_on('cuda:1'))"
    )
    env = {
        **os.environ,
        "CHORUS_FAMILIES": os.pathsep.join([str(empty), str(folder)]),
        "CHORUS_MODELS_FILE": str(tmp_path / "models.yaml"),
    }
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.stdout == "models.hum.model 7 cuda:1 bfloat16\n", done.stderr


def test_a_type_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = family(tmp_path, "mouth", "piper")
    with pytest.raises(ConfigurationError, match=r"type 'piper': .*models/piper and .*/mouth"):
        read_families([folder])


@pytest.mark.parametrize("name", ["piper", "shared", "catalog"])
def test_a_name_that_models_has_already_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="needs another name"):
        read_families([family(tmp_path, name, "hum")])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("FAMILY = 'hum'", "FAMILY is not a models.base.Family"),
    ],
)
def test_a_broken_family_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)broken.*{reason}"):
        read_families([family(tmp_path, "broken", text=text)])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"CHORUS_FAMILIES: .*nowhere"):
        read_families([tmp_path / "nowhere"])


def test_a_folder_can_have_several_families(tmp_path: Path) -> None:
    text = (
        "from core.names import Role\nfrom models.base import Family\n"
        "FAMILIES = tuple(Family(type=t, role=Role.EMBED, model='models.pair:M') for t in ('left', 'right'))"
    )
    assert set(read_families([family(tmp_path, "pair", text=text)])) == {*TYPES, "left", "right"}
    with pytest.raises(ConfigurationError, match="FAMILIES is not a tuple"):
        read_families([family(tmp_path / "other", "list_of", text="FAMILIES = ['left']")])


def test_what_is_no_family_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").touch()
    assert set(read_families([family(tmp_path, "tools_of_mine", text="")])) == TYPES


def test_finding_families_loads_no_runtime() -> None:
    heavy = {"torch", "torchaudio", "transformers", "onnx", "onnxruntime", "ctranslate2", "faster_whisper"}
    program = f"import sys, models.families as f; f.load_families(); print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_class_of_every_family_is_there() -> None:
    from models.catalog import _attribute

    for found in read_families().values():
        for target in (found.model, found.frontend, found.voice):
            assert target is None or callable(_attribute(target))


# -- precision


def test_the_precision_is_part_of_the_weights_name() -> None:
    spec = load_catalog().get("ge2e")
    plain = spec.fingerprint()
    assert plain == spec.weights["model"].sha256[:16], "artifacts made before keep their names"
    names = {dataclasses.replace(spec, precision={"cuda": precision}).fingerprint() for precision in Precision}
    assert names == {plain, f"{plain}-cuda-tf32", f"{plain}-cuda-float16", f"{plain}-cuda-bfloat16"}
    assert dataclasses.replace(spec, precision={"cpu": Precision.TF32}).fingerprint() == plain, "a CPU has no TF32"
    assert dataclasses.replace(spec, device="cuda:1").fingerprint() == plain


def test_a_runtime_that_an_entry_names_is_part_of_the_weights_name() -> None:
    spec = load_catalog().get("kokoro")
    plain = spec.fingerprint()
    assert dataclasses.replace(spec, runtime=Runtime.ONNX).fingerprint() == f"{plain}-onnx"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("precision: float16", r"precision: .*float32.*|runs in float32, not float16"),
        ("precision: float64", "precision"),
        ("precision: {cuda: float16}", "runs in float32, not float16"),
        ("precision: {gpu: float32}", "precision"),
        ("runtime: torch", "no runtime that can be chosen, not torch"),
        ("runtime: tensorrt", "runtime"),
        ("device: gpu", "device"),
        ("device: 'cuda:'", "device"),
    ],
)
def test_a_precision_or_device_that_will_not_do_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "models.yaml"
    entry = MODELS_FILE.replace("type: hum", "type: simulated")
    file.write_text(entry.replace("    precision: bfloat16\n    device: cuda:1\n", f"    {line}\n"))
    with pytest.raises(ConfigurationError, match=f":7: .*({reason})"):
        read_catalog(file)
