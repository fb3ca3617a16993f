"""The real GE2E encoder: the numbers of Resemblyzer, exact in any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio.decode import decode
from audio.samples import Samples
from core.errors import WeightsError
from models.base import Embedding, Item
from models.catalog import load_catalog
from models.ge2e.model import Ge2eModel
from models.shared.recordings import RATE
from models.weights import WeightsCache, files_of
from tests.shared_data import data_path

SPEC = load_catalog().get("ge2e")
TOLERANCE = 1e-4

#: The largest numbers of this recording's embedding by Resemblyzer 0.1.4 itself, with librosa 0.11:
#: ``embed_utterance(normalize_volume(wav, -30, increase_only=True), rate=1.25)``.
KNOWN_RECORDING = "speakers/ls_1688/1688-142285-0002.flac"
KNOWN = {
    243: 0.29668,
    21: 0.236324,
    111: 0.215559,
    34: 0.192209,
    57: 0.174387,
    5: 0.166055,
    84: 0.165842,
    139: 0.165623,
}


@pytest.fixture(scope="module")
def model() -> Ge2eModel:
    from core.settings import load_settings

    model = Ge2eModel(SPEC, files_of(SPEC, WeightsCache(load_settings().cache)))
    model.load("cpu")
    return model


@pytest.fixture(scope="module")
def recordings() -> list[Samples]:
    """Ragged, in no order of length: from less than one partial to more than one pass holds."""
    paths = sorted(data_path("speakers").glob("*/*.flac"))[::6]
    whole = [decode(path, RATE, max_seconds=60) for path in paths]
    assert len(whole) > 3
    return [whole[0], whole[1][: RATE // 2], *whole[1:], whole[0][: round(1.7 * RATE)], np.concatenate(whole)]


def item(samples: Samples, segments: list[list[float]] | None = None) -> Item:
    inputs = {"samples": samples, "rate": RATE}
    return Item(inputs if segments is None else {**inputs, "segments": segments})


def vectors(model: Ge2eModel, items: list[Item]) -> list[Samples]:
    found = []
    for outcome in model.run(items):
        assert isinstance(outcome, Embedding), outcome
        assert outcome.model == "ge2e"
        found.append(outcome.vector)
    return found


def test_embeddings_are_those_of_resemblyzer(model: Ge2eModel) -> None:
    samples = decode(data_path(KNOWN_RECORDING), RATE, max_seconds=60)
    vector = vectors(model, [item(samples)])[0]
    assert vector[list(KNOWN)] == pytest.approx(list(KNOWN.values()), abs=1e-5)


@pytest.mark.parametrize(
    ("seconds", "partials"), [(0.5, 1), (1.6, 1), (1.99, 1), (2.0, 2), (2.79, 2), (2.8, 3), (60.0, 74)]
)
def test_partials_overlap_by_half(seconds: float, partials: int) -> None:
    from models.ge2e.network import partial_starts

    starts = partial_starts(round(seconds * RATE))
    assert list(starts) == [80 * i for i in range(partials)]


def test_alone_or_in_company(model: Ge2eModel, recordings: list[Samples]) -> None:
    items = [item(samples) for samples in recordings]
    together = vectors(model, items)
    for one, in_company in zip(items, together, strict=True):
        assert in_company.shape == (256,)
        assert in_company.dtype == np.float32
        assert np.linalg.norm(in_company) == pytest.approx(1, abs=1e-5)
        assert np.abs(vectors(model, [one])[0] - in_company).max() <= TOLERANCE


def test_the_same_voice_is_nearer_than_another(model: Ge2eModel) -> None:
    folder = data_path("speakers")
    speakers = [sorted(f.glob("*.flac"))[-2:] for f in sorted(folder.iterdir()) if f.is_dir()]
    pairs = [[decode(path, RATE, max_seconds=60) for path in paths] for paths in speakers if len(paths) == 2]
    flat = np.stack(vectors(model, [item(samples) for pair in pairs for samples in pair]))
    cosines = flat @ flat.T
    nearest = [int(np.argsort(-cosines[i])[1]) for i in range(len(flat))]
    assert sum(near == i ^ 1 for i, near in enumerate(nearest)) >= 0.9 * len(flat)


def test_quiet_recordings_are_raised_to_one_loudness(model: Ge2eModel, recordings: list[Samples]) -> None:
    quiet, quieter = (item(recordings[0] * np.float32(gain)) for gain in (0.02, 0.01))
    first, second = vectors(model, [quiet, quieter])
    assert np.abs(first - second).max() <= TOLERANCE


def test_segments_choose_the_speech(model: Ge2eModel, recordings: list[Samples]) -> None:
    speech, noise = recordings[0], np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    mixed = np.concatenate([noise, speech, noise])
    plain, chosen = vectors(model, [item(speech), item(mixed, [[3.0, 3.0 + len(speech) / RATE]])])
    assert np.abs(plain - chosen).max() <= TOLERANCE


def test_each_item_ends_by_itself(model: Ge2eModel, recordings: list[Samples]) -> None:
    items = [
        item(np.zeros(RATE, np.float32)),
        item(recordings[0], [[0.0, 0.3]]),
        item(recordings[0]),
        Item({"samples": recordings[0], "rate": 8000}),
    ]
    outcomes = model.run(items)
    codes = [getattr(outcome, "code", None) for outcome in outcomes]
    assert codes == ["no_speech", "too_little_speech", None, "model_failed"]
    assert model.run(items[:1])[0].code == "no_speech"  # type: ignore[union-attr]


def test_cost_is_frames_up_to_a_minute(model: Ge2eModel) -> None:
    assert model.cost(item(np.zeros(2 * RATE, np.float32))) == 200
    assert model.cost(item(np.zeros(100 * RATE, np.float32))) == 6000


def test_other_files_are_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.pt"
    for content in ({"model_state": {"lstm.weight_ih_l0": torch.zeros(1)}}, {"model_state": 3}, [1]):
        torch.save(content, path)
        with pytest.raises(WeightsError):
            Ge2eModel(SPEC, lambda name: path).load("cpu")
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError):
        Ge2eModel(SPEC, lambda name: path).load("cpu")
