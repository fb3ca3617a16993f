"""The real Silero VAD: batched beside its own package."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio.decode import decode
from audio.samples import Samples
from core.errors import ModelFailed, WeightsError
from models.base import Item, Segments
from models.catalog import load_catalog
from models.shared.recordings import RATE
from models.silero.model import SileroModel
from models.silero.segments import WINDOW
from models.weights import WeightsCache, files_of
from tests.shared_data import data_path

SPEC = load_catalog().get("silero")


@pytest.fixture(scope="module")
def model() -> SileroModel:
    from core.settings import load_settings

    model = SileroModel(SPEC, files_of(SPEC, WeightsCache(load_settings().cache)))
    model.load("cpu")
    return model


@pytest.fixture(scope="module")
def package() -> Any:
    """The model that the package loads by itself."""
    silero_vad = pytest.importorskip("silero_vad")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit.load is deprecated
        return silero_vad.load_silero_vad()


@pytest.fixture(scope="module")
def recordings() -> list[Samples]:
    """Ragged: real recordings, the ends of some, and one that is shorter than a window."""
    folder = data_path("vad")
    paths = [p for p in sorted(folder.iterdir()) if p.suffix in (".wav", ".mp3", ".ogg")]
    whole = [decode(path, RATE, max_seconds=600) for path in paths]
    return [*whole, whole[0][-5 * RATE - 7 :], whole[0][: RATE + 1], whole[0][:100]]


def items_of(recordings: list[Samples], **options: float) -> list[Item]:
    return [Item({"samples": samples, "rate": RATE}, options) for samples in recordings]


def test_batched_probabilities_are_the_packages_own(
    model: SileroModel, package: Any, recordings: list[Samples]
) -> None:
    import torch

    for samples, ours in zip(recordings, model.probabilities(items_of(recordings)), strict=True):
        wave = torch.nn.functional.pad(torch.from_numpy(samples), (0, max(0, WINDOW - len(samples))))
        theirs = package.audio_forward(wave[None], RATE)[0].numpy()
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 0.3, "min_silence_duration": 0.5, "speech_pad": 0.2},
        {"min_speech_duration": 1.0, "max_speech_duration": 3.0},
    ],
)
def test_segments_are_the_packages_own(
    model: SileroModel, package: Any, recordings: list[Samples], options: dict[str, float]
) -> None:
    import silero_vad
    import torch

    parameters: dict[str, Any] = {
        "threshold": options.get("threshold", 0.5),
        "min_speech_duration_ms": round(options.get("min_speech_duration", 0.25) * 1000),
        "min_silence_duration_ms": round(options.get("min_silence_duration", 0.1) * 1000),
        "speech_pad_ms": round(options.get("speech_pad", 0.03) * 1000),
        "max_speech_duration_s": options.get("max_speech_duration") or float("inf"),
    }
    found = 0
    for samples, outcome in zip(recordings, model.run(items_of(recordings, **options)), strict=True):
        theirs = silero_vad.get_speech_timestamps(torch.from_numpy(samples), package, **parameters)
        assert isinstance(outcome, Segments)
        assert outcome.duration == len(samples) / RATE
        ours = [(round(s.start * RATE), round(s.end * RATE)) for s in outcome.segments]
        assert ours == [(speech["start"], speech["end"]) for speech in theirs]
        found += len(ours)
    assert found > 5


def test_alone_or_in_company(model: SileroModel, recordings: list[Samples]) -> None:
    together = model.probabilities(items_of(recordings))
    for samples, in_company in zip(recordings, together, strict=True):
        alone = model.probabilities(items_of([samples]))[0]
        assert np.abs(alone - in_company).max() <= 1e-4


def test_more_rows_and_longer_ones_than_one_pass_holds(model: SileroModel, recordings: list[Samples]) -> None:
    short = recordings[0][: 3 * RATE]
    long = np.concatenate([recordings[0]] * 5)  # more windows than a pass holds, even alone
    many = [short] * 70 + [long]
    found = model.probabilities(items_of(many))
    assert all(np.abs(found[0] - row).max() <= 1e-4 for row in found[1:70])
    assert np.abs(found[70] - model.probabilities(items_of([long]))[0]).max() <= 1e-4


def test_silence_and_nothing_hold_no_speech(model: SileroModel) -> None:
    silent = [np.zeros(RATE, np.float32), np.zeros(0, np.float32)]
    outcomes = model.run(items_of(silent))
    assert outcomes == [Segments((), 1.0), Segments((), 0.0)]


def test_one_bad_item_spoils_no_other(model: SileroModel, recordings: list[Samples]) -> None:
    good = items_of(recordings[:1])[0]
    bad = Item({"samples": np.full(RATE, np.nan, np.float32), "rate": RATE})
    outcomes = model.run([bad, good, Item({"samples": recordings[0], "rate": 8000})])
    assert isinstance(outcomes[0], ModelFailed)
    assert isinstance(outcomes[2], ModelFailed)
    assert outcomes[1] == model.run([good])[0]


def test_cost_is_seconds(model: SileroModel) -> None:
    assert model.cost(items_of([np.zeros(10 * RATE + 1, np.float32)])[0]) == 11
    assert model.cost(items_of([np.zeros(0, np.float32)])[0]) == 1


@pytest.mark.parametrize("content", [b"", b"no onnx file"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        SileroModel(dataclasses.replace(SPEC, weights={}), lambda name: path).load("cpu")
