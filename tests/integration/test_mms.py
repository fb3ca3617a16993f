"""MMS on random checkpoints of full size: the same as transformers, and the same alone or in any company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from core.errors import WeightsError
from models.base import Item
from models.mms.model import MmsModel
from tests.checkpoints import parity
from tests.checkpoints.mms import mms
from tests.integration.vits_models import TOLERANCE, check_company, check_refusals, load, speech

TOKENS = (
    [0, 5, 0, 7, 0, 9, 0, 3, 0],
    [0, *(token for i in range(40) for token in ((7 * i) % 37, 0))],
    [0, 1, 0, 2, 0, 30, 0],
)


def files_in(folder: Path) -> dict[str, Path]:
    [model] = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    return {"model": model, "config": folder / "config.json", "vocab": folder / "vocab.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mms(tmp_path_factory.mktemp("mms"))


@pytest.fixture(scope="module")
def model(folder: Path) -> MmsModel:
    return load(MmsModel, "mms", files_in(folder), sample_rate=16_000)


@pytest.mark.parametrize("speed", [1.0, 0.8])
def test_it_gives_what_transformers_gives(folder: Path, model: MmsModel, speed: float) -> None:
    options = {"noise_scale": 0.0, "noise_w": 0.0, "speed": speed}
    for tokens, outcome in zip(TOKENS, model.run([Item({"tokens": t}, options) for t in TOKENS]), strict=True):
        durations, samples = parity.mms_reference(folder, tokens, speed)
        spoken = speech(outcome)
        assert spoken.durations is not None
        assert np.array_equal(np.rint(np.array(spoken.durations) * spoken.rate / 256), durations)
        assert spoken.samples.shape == samples.shape
        assert np.abs(spoken.samples - samples).max() <= TOLERANCE


def test_it_is_the_same_in_any_company(model: MmsModel) -> None:
    lengths = (2, 24, 9, 30, 10, 16, 5, 27)
    items = [
        Item({"tokens": [0, *((i * j * 5 + j) % 37 for j in range(length)), 0]}, {"speed": 1 + 0.1 * i}, seed=i)
        for i, length in enumerate(lengths)
    ]
    check_company(model, items)


@pytest.mark.parametrize(("norm", "pickled"), [("weight_g", False), ("parametrizations", True), ("weight_g", True)])
def test_every_way_to_save_a_checkpoint_gives_the_same(
    model: MmsModel, tmp_path: Path, norm: Any, pickled: bool
) -> None:
    other = load(MmsModel, "mms", files_in(mms(tmp_path, weight_norm=norm, pickled=pickled)), sample_rate=16_000)
    item = Item({"tokens": TOKENS[1]}, seed=4)
    assert np.array_equal(speech(other.run([item])[0]).samples, speech(model.run([item])[0]).samples)
    assert other.report == model.report
    assert model.report is not None
    parts = {".".join(name.split(".")[:2]) for name in model.report.unused}
    assert all(part.startswith(("enc_q.", "sdp.post_")) or part == "sdp.flows" for part in parts)


def test_a_broken_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    files = files_in(folder)
    whole = load_file(files["model"])

    def changed(tensors: dict[str, Any]) -> object:
        save_file(tensors, tmp_path / "model.safetensors")
        return load(MmsModel, "mms", {**files, "model": tmp_path / "model.safetensors"}, sample_rate=16_000)

    check_refusals(changed, whole, "decoder.conv_post.weight", "dec.conv_post.weight")
    (tmp_path / "model.safetensors").write_bytes(files["model"].read_bytes()[:50_000])
    with pytest.raises(WeightsError, match="cannot be read"):
        load(MmsModel, "mms", {**files, "model": tmp_path / "model.safetensors"}, sample_rate=16_000)
