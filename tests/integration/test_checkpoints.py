"""The random checkpoints that other tests load: the same numbers everywhere, in upstream's formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.checkpoints import parity
from tests.checkpoints.mms import CHARACTERS, mms
from tests.checkpoints.openvoice import openvoice_base, openvoice_converter, source_embedding
from tests.checkpoints.tensors import digest

#: of the small checkpoints with seed 0: another digest makes `openvoice_parity.npz` stale
DIGESTS = {
    "base": "7dc4629155cbe8b25e64c31c52676186df144c12aa14a506a72b2014b97ac056",
    "base, Chinese": "5dea97eb27376f06c3f2f8a03722c43d310cb516cafbc8bd94b0476b21498e56",
    "converter": "27b245bbe9b236bbf2e632e4e9de1592666d437fa365b2c3c0cc8e852535e443",
    "mms": "43e8645cb657bcb87c3baf4b184fcab779641959a07821eb48221c1b3d2a11b4",
}

Writer = Callable[[Path], Path]


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    if (folder / "model.safetensors").exists():
        return load_file(folder / "model.safetensors")
    loaded: dict[str, Any] = torch.load(folder / "checkpoint.pth", weights_only=True)
    state: dict[str, torch.Tensor] = loaded["model"]
    return state


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("base", lambda folder: openvoice_base(folder, size="small")),
        ("base, Chinese", lambda folder: openvoice_base(folder, size="small", chinese=True)),
        ("converter", lambda folder: openvoice_converter(folder, size="small", version="v1")),
        ("converter", lambda folder: openvoice_converter(folder, size="small", version="v2")),
        ("mms", lambda folder: mms(folder, size="small")),
    ],
)
def test_the_numbers_are_the_same_on_every_machine(name: str, write: Writer, tmp_path: Path) -> None:
    assert digest(state_of(write(tmp_path))) == DIGESTS[name]


def test_another_seed_gives_other_numbers(tmp_path: Path) -> None:
    one, other = (state_of(openvoice_base(tmp_path / str(seed), seed=seed, size="small")) for seed in (0, 1))
    assert one.keys() == other.keys()
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_an_embedding_is_one_column(tmp_path: Path) -> None:
    written = source_embedding(tmp_path / "en_default_se.pth", seed=3)
    read = torch.load(tmp_path / "en_default_se.pth", weights_only=True)
    assert read.shape == (1, 256, 1) and read.dtype == torch.float32
    assert torch.equal(written, read)


def test_only_the_second_converter_zeroes_its_speaker(tmp_path: Path) -> None:
    v1, v2 = (
        json.loads((openvoice_converter(tmp_path / version, size="small", version=version) / "config.json").read_text())
        for version in ("v1", "v2")
    )
    assert "zero_g" not in v1["model"] and v2["model"]["zero_g"] is True


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickled"])
@pytest.mark.parametrize("weight_norm", ["parametrizations", "weight_g"])
def test_transformers_speaks_from_each_spelling(weight_norm: Any, pickled: bool, tmp_path: Path) -> None:
    tokens = [0, 6, 0, 7, 0, 21, 0, 21, 0, 22, 0]
    expected, samples = parity.mms_reference(mms(tmp_path / "plain", size="small"), tokens)
    assert len(expected) == len(tokens) and 1 < expected.mean() < 6
    assert samples.size == expected.sum() * 256 and 0.05 < samples.std() < 0.5
    folder = mms(tmp_path / "other", size="small", weight_norm=weight_norm, pickled=pickled)
    durations, other = parity.mms_reference(folder, tokens)
    assert np.array_equal(durations, expected) and np.array_equal(samples, other)


def test_the_tokenizer_is_that_of_the_hub(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(mms(tmp_path, size="small"))("Hi, you")["input_ids"]
    assert tokens == [0, 6, 0, 18, 0, 19, 0, 3, 0, 22, 0, 4, 0]
    assert [CHARACTERS[i] for i in tokens[1::2]] == list("hi you")


def test_the_figures_of_upstream_belong_to_these_checkpoints(tmp_path: Path) -> None:
    figures = parity.figures()
    assert digest(state_of(openvoice_base(tmp_path / "base"))) == figures["base_digest"]
    for version in ("v1", "v2"):
        converter = openvoice_converter(tmp_path / version, version=version)
        assert digest(state_of(converter)) == figures["converter_digest"]


def test_a_difference_is_seen_wherever_it_is() -> None:
    figures = parity.figures()
    whole, length = "base_0_speed1.0", int(figures["converted_v1_1_length"])
    samples = figures[f"{whole}_samples"].copy()
    assert parity.difference(whole, samples, figures) == 0
    samples[4321] += 0.25
    assert parity.difference(whole, samples, figures) == pytest.approx(0.25)
    with pytest.raises(AssertionError, match="samples, not"):
        parity.difference("converted_v1_1", np.zeros(length + 1, np.float32), figures)
    assert parity.difference("converted_v1_1", np.zeros(length, np.float32), figures) > 0.5
