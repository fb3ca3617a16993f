"""Piper voices of every kind, as Piper's own exporter writes them: qualities, speakers, durations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from audio.samples import Samples
from core.errors import ModelFailed
from core.names import Runtime
from models.base import Bounds, Item, Speech
from models.catalog import load_catalog
from models.piper.model import PiperModel
from tests.checkpoints.piper import VOICES, piper_voice

TOLERANCE = 1e-4
TOKENS = [
    [1, 0, 14, 0, 20, 0, 2],
    [1, 0, *(token for i in range(40) for token in (14 + (7 * i) % 26, 0)), 2],
    [1, 0, 33, 0, 15, 0, 3, 0, 28, 0, 22, 0, 18, 0, 2],
    [17],
]


@pytest.fixture(scope="module", params=VOICES)
def name(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def graph(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return piper_voice(tmp_path_factory.mktemp(name), name)


def load(graph: Path, runtime: Runtime) -> PiperModel:
    batch = {"cpu": Bounds(items=16, cost=8000, padded=True)}
    spec = dataclasses.replace(load_catalog().get("piper-joe"), batch=batch, runtime=runtime)
    loaded = PiperModel(spec, lambda part: {"model": graph, "config": graph.with_suffix(".onnx.json")}[part])
    loaded.load("cpu")
    return loaded


@pytest.fixture(scope="module", params=[Runtime.ONNX, Runtime.TORCH])
def model(request: pytest.FixtureRequest, graph: Path) -> PiperModel:
    return load(graph, request.param)


def items(name: str, **options: float) -> list[Item]:
    """Each of `TOKENS`, by one speaker after the other."""
    speakers = VOICES[name].speakers
    return [Item({"tokens": t, "speaker": i % speakers}, options, seed=i) for i, t in enumerate(TOKENS)]


def samples_of(model: PiperModel, company: list[Item]) -> list[Samples]:
    outcomes = model.run(company)
    assert all(isinstance(outcome, Speech) for outcome in outcomes), outcomes
    return [outcome.samples for outcome in outcomes if isinstance(outcome, Speech)]


def test_without_noise_a_batch_is_what_the_graph_gives_alone(name: str, graph: Path, model: PiperModel) -> None:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for speed in (1.0, 1.4):
        company = items(name, noise_scale=0.0, noise_w=0.0, speed=speed)
        for item, samples in zip(company, samples_of(model, company), strict=True):
            tokens = np.array([item.inputs["tokens"]])
            feeds = {"input": tokens, "input_lengths": np.array([tokens.size])}
            feeds["scales"] = np.array([0, 1 / speed, 0], np.float32)
            if VOICES[name].speakers > 1:
                feeds["sid"] = np.array([item.inputs["speaker"]])
            expected = session.run(None, feeds)[0].ravel()
            assert samples.shape == expected.shape
            assert np.abs(samples - expected).max() <= TOLERANCE
            assert 0.05 < expected.std() < 0.5  # neither silent nor saturated


def test_with_noise_each_item_is_the_same_alone(name: str, model: PiperModel) -> None:
    company = items(name)
    for item, samples in zip(company, samples_of(model, company), strict=True):
        alone = samples_of(model, [item])[0]
        assert samples.shape == alone.shape and np.abs(samples - alone).max() <= TOLERANCE


def test_both_runtimes_give_the_same(name: str, graph: Path) -> None:
    """So their artifacts have one name."""
    company = items(name)
    both = [samples_of(load(graph, runtime), company) for runtime in (Runtime.ONNX, Runtime.TORCH)]
    for one, other in zip(*both, strict=True):
        assert one.shape == other.shape and np.abs(one - other).max() <= 1e-3


def test_noise_is_heard(name: str, model: PiperModel) -> None:
    """In the rhythm, if durations are stochastic, and in the sound."""
    rhythm = [samples_of(model, items(name, noise_scale=0.0, noise_w=w))[1] for w in (0.0, 1.0)]
    assert (rhythm[0].size != rhythm[1].size) == VOICES[name].stochastic
    plain, rough = (samples_of(model, items(name, noise_scale=s, noise_w=0.0))[1] for s in (0.0, 1.0))
    assert np.abs(plain - rough).max() > 0.05


def test_speakers_differ(name: str, model: PiperModel) -> None:
    many = VOICES[name].speakers
    quiet = {"noise_scale": 0.0, "noise_w": 0.0}
    *spoken, beyond = model.run([Item({"tokens": TOKENS[1], "speaker": n}, quiet) for n in range(many + 1)])
    assert len({outcome.samples.tobytes() for outcome in spoken if isinstance(outcome, Speech)}) == many
    assert isinstance(beyond, ModelFailed)
