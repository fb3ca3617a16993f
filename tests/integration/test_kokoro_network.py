"""Kokoro in torch on a small random checkpoint of the hub's format: the same as upstream, the same in any company."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InvalidRequest, ModelFailed, WeightsError
from core.names import Precision, Runtime
from models.base import Item, Voice
from models.kokoro.model import KokoroModel
from models.kokoro.torch_voices import AtOnce, TorchVoices
from models.trial import try_model
from tests.checkpoints import kokoro_parity, parity
from tests.checkpoints.kokoro import CONFIG, SYMBOLS, VOICES, files, kokoro, kokoro_state
from tests.checkpoints.kokoro_parity import LINES
from tests.checkpoints.tensors import digest
from tests.integration.vits_models import TOLERANCE, check_company, load, speech

RATE, HOP = 24_000, 600


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return files(kokoro(tmp_path_factory.mktemp("kokoro")))


@pytest.fixture(scope="module")
def model(weights: dict[str, Path]) -> KokoroModel:
    return load(KokoroModel, "kokoro", weights, sample_rate=RATE)


def voices_in(model: KokoroModel) -> TorchVoices:
    assert isinstance(model.voices, TorchVoices)
    return model.voices


def ragged() -> list[Item]:
    """Eight utterances of 1 to 90 tokens, of two voices and a mix, at different speeds."""
    voices = [*VOICES, f"{VOICES[0]}:0.3+{VOICES[1]}:0.7"]
    lengths = (1, 90, 7, 33, 2, 58, 21, 13)
    return [
        Item(
            {"tokens": [1 + (7 * i * i + n) % len(SYMBOLS) for i in range(n)], "voice": voices[n % 3]},
            {"speed": (0.6, 1.0, 1.7)[n % 3]},
            seed=n,
        )
        for n in lengths
    ]


def test_everything_of_a_checkpoint_is_loaded(model: KokoroModel) -> None:
    report = model.report
    assert report is not None and report.loaded > 300
    assert report.unused == ("bert.embeddings.position_ids", "bert.pooler.bias", "bert.pooler.weight")
    flat = {f"{part}.{key[7:]}": t for part, own in kokoro_state(0).items() for key, t in own.items()}
    floating = {key: tensor for key, tensor in flat.items() if tensor.is_floating_point()}
    assert digest(floating) == str(kokoro_parity.figures()["digest"])


def test_it_gives_what_upstream_gives(model: KokoroModel) -> None:
    expected = kokoro_parity.figures()
    for number, outcome in enumerate(model.run([line.item() for line in LINES])):
        spoken, name = speech(outcome), f"kokoro_{number}"
        assert spoken.durations is not None
        frames = np.rint(np.array(spoken.durations) * RATE / HOP).astype(int)
        theirs = expected[f"{name}_durations"].astype(int)
        inner = theirs[1:-1].copy()
        inner[0] += theirs[0]
        inner[-1] += theirs[-1]
        assert np.array_equal(frames, inner)
        assert parity.difference(name, spoken.samples, expected) <= TOLERANCE


def test_an_item_is_the_same_in_any_company(model: KokoroModel) -> None:
    check_company(model, ragged())


def test_an_item_is_the_same_in_small_packs(model: KokoroModel, monkeypatch: pytest.MonkeyPatch) -> None:
    items = ragged()
    whole = [speech(outcome).samples for outcome in model.run(items)]
    before = voices_in(model).forwards
    monkeypatch.setattr(model.voices, "at_once", AtOnce(tokens=40, shortest=1.0, frames=1))
    parts = [speech(outcome).samples for outcome in model.run(items)]
    assert voices_in(model).forwards - before == 2 * len(items)
    assert max(float(np.abs(a - b).max()) for a, b in zip(whole, parts, strict=True)) <= TOLERANCE


def test_speed_divides_the_durations(model: KokoroModel) -> None:
    """From the slowest speed to the fastest, to half a frame of each token."""
    plain = LINES[1].item()
    speeds = (0.25, 0.5, 1.0, 2.0, 4.0)
    spoken = [speech(o) for o in model.run([dataclasses.replace(plain, options={"speed": s}) for s in speeds])]
    frames = [np.rint(np.array(one.durations) * RATE / HOP) for one in spoken]
    for one, counted, speed in zip(spoken, frames, speeds, strict=True):
        assert len(one.samples) == counted.sum() * HOP
        assert np.abs(counted - np.maximum(1, frames[2] / speed))[1:-1].max() <= 0.5 + 0.5 / speed, speed
    assert sorted(counted.sum() for counted in frames) == [counted.sum() for counted in reversed(frames)]
    assert frames[0].sum() > 3.5 * frames[2].sum() and frames[2].sum() > 1.5 * frames[3].sum()


def test_the_seed_is_that_of_the_noise(model: KokoroModel) -> None:
    first = LINES[1].item()
    same, other = (dataclasses.replace(first, seed=seed) for seed in (first.seed, first.seed + 1))
    one, again, different = (speech(outcome).samples for outcome in model.run([first, same, other]))
    assert np.abs(one - again).max() <= TOLERANCE
    assert 1e-3 < np.abs(one - different).max() < 1


def test_only_the_decoder_is_lowered(weights: dict[str, Path], model: KokoroModel) -> None:
    low = load(KokoroModel, "kokoro", weights, sample_rate=RATE, precision={"cpu": Precision.BFLOAT16})
    items = [line.item() for line in LINES]
    for exact, lowered in zip(model.run(items), low.run(items), strict=True):
        assert speech(exact).durations == speech(lowered).durations
        error = speech(exact).samples - speech(lowered).samples
        assert 0 < np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(speech(exact).samples ** 2))


def test_a_bad_item_fails_by_itself(model: KokoroModel) -> None:
    good = LINES[0].item()
    outcomes = model.run(
        [
            Item({"tokens": [], "voice": VOICES[0]}),
            good,
            Item({"tokens": [10_000], "voice": VOICES[0]}),
            Item({"tokens": [1], "voice": "nobody"}),
            Item({"tokens": [1], "voice": VOICES[0]}, {"speed": 9.0}),
            Item({"tokens": [1], "voice": VOICES[0]}, seed=-1),
        ]
    )
    kinds = (ModelFailed, None, ModelFailed, InvalidRequest, ModelFailed, ModelFailed)
    for outcome, kind in zip(outcomes, kinds, strict=True):
        assert isinstance(outcome, kind) if kind else speech(outcome).samples.size


def test_weights_check_accepts_it(weights: dict[str, Path]) -> None:
    voices = {name: Voice(name=name, language="en-US") for name in VOICES}
    loaded = load(KokoroModel, "kokoro", weights, sample_rate=RATE, voices=voices, languages=("en-US",))
    trial = try_model(loaded)
    assert trial is not None


# -- bad weights


def write(folder: Path, part: str, name: str, tensor: torch.Tensor | None) -> Path:
    """The checkpoint with another tensor, or without it."""
    state = kokoro_state(0)
    state[part].pop(f"module.{name}", None)
    if tensor is not None:
        state[part][f"module.{name}"] = tensor
    torch.save(state, folder / "changed.pth")
    return folder / "changed.pth"


@pytest.mark.parametrize(
    ("part", "name", "tensor", "reason"),
    [
        ("predictor", "shared.weight_ih_l0", None, "missing: predictor.shared.weight_ih_l0"),
        ("decoder", "surplus", torch.zeros(3), "unexpected: decoder.surplus"),
        ("text_encoder", "cnn.0.1.gamma", torch.zeros(5), "wrong shape: text_encoder.cnn.0.1.gamma"),
        ("bert_encoder", "bias", torch.full((32,), torch.nan), "not finite: bert_encoder.bias"),
        ("decoder", "encode.norm1.norm.weight", torch.full((34,), 2.0), "instance normalization"),
    ],
)
def test_other_tensors_are_refused(
    weights: dict[str, Path], tmp_path: Path, part: str, name: str, tensor: Any, reason: str
) -> None:
    with pytest.raises(WeightsError, match=reason):
        load(KokoroModel, "kokoro", {**weights, "model": write(tmp_path, part, name, tensor)})


def test_normalization_of_its_own_that_does_nothing_is_passed_over(weights: dict[str, Path], tmp_path: Path) -> None:
    path = write(tmp_path, "decoder", "encode.norm1.norm.weight", torch.ones(34))
    assert load(KokoroModel, "kokoro", {**weights, "model": path}).report is not None


def test_other_files_are_refused(weights: dict[str, Path], tmp_path: Path) -> None:
    flat = tmp_path / "flat.pth"
    torch.save(kokoro_state(0)["bert"], flat)
    voice = tmp_path / "voice.pt"
    torch.save(torch.zeros(10, 1, 32), voice)
    tall = tmp_path / "config.json"
    tall.write_text(json.dumps({**CONFIG, "vocab": {"a": CONFIG["n_token"]}}))
    for name, path in (("model", flat), ("model", voice), (f"voice_{VOICES[0]}", voice), ("vocab", tall)):
        with pytest.raises(WeightsError):
            load(KokoroModel, "kokoro", {**weights, name: path})
    with pytest.raises(WeightsError, match="ONNX Runtime cannot run"):
        load(KokoroModel, "kokoro", weights, runtime=Runtime.ONNX)
