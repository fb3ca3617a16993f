"""A real Piper voice: deterministic, and the same alone or in any company."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from audio.samples import Samples
from core.errors import ChorusError, ConfigurationError, ModelFailed, WeightsError
from core.names import Runtime
from models.base import Bounds, Item, ModelSpec, Speech
from models.catalog import load_catalog
from models.piper.frontend import PiperFrontend
from models.piper.model import PiperModel
from models.piper.onnx_voices import OnnxVoices
from models.weights import WeightsCache, files_of

TEXTS = [
    "Yes.",
    "The birch canoe slid on the smooth planks.",
    "It's easy to tell the depth of a well, but a juicy lemon makes fine punch.",
    "Glue the sheet to the dark blue background.",
]
SEEDS = [7, 2**63 + 11, 0, 3]
TOLERANCE = 1e-4  # of DESIGN.md: run(items)[i] is the same alone or in any batch

Files = Callable[[str], Path]


@pytest.fixture(scope="session")
def files() -> Files:
    from core.settings import load_settings

    return files_of(load_catalog().get("piper-joe"), WeightsCache(load_settings().cache))


def spec_of(*, padded: bool) -> ModelSpec:
    batch = {"cpu": Bounds(items=16, cost=8000, padded=padded)}
    return dataclasses.replace(load_catalog().get("piper-joe"), batch=batch)


def load(files: Files, *, padded: bool) -> PiperModel:
    model = PiperModel(spec_of(padded=padded), files)
    model.load("cpu")
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["one by one", "padded"])
def model(request: pytest.FixtureRequest, files: Files) -> PiperModel:
    return load(files, padded=request.param)


@pytest.fixture(scope="module")
def padded(files: Files) -> PiperModel:
    return load(files, padded=True)


@pytest.fixture(scope="module")
def frontend(files: Files) -> PiperFrontend:
    return PiperFrontend(spec_of(padded=True), files)


@pytest.fixture(scope="module")
def items(frontend: PiperFrontend) -> list[Item]:
    return [Item(frontend.inputs(t, "joe", "en-US"), seed=s) for t, s in zip(TEXTS, SEEDS, strict=True)]


def speech(outcome: Any) -> Speech:
    assert isinstance(outcome, Speech), outcome
    return outcome


def alone(model: PiperModel, item: Item) -> Samples:
    return speech(model.run([item])[0]).samples


def test_speech(model: PiperModel, items: list[Item]) -> None:
    for item, outcome in zip(items, model.run(items), strict=True):
        spoken = speech(outcome)
        assert spoken.samples.dtype == np.float32 and spoken.samples.ndim == 1 and spoken.rate == 22050
        assert 0.05 < np.abs(spoken.samples).max() <= 1
        assert spoken.durations is not None and len(spoken.durations) == len(item.inputs["tokens"])
        assert sum(spoken.durations) == pytest.approx(spoken.samples.size / spoken.rate, abs=1e-3)
        # 8 to 30 phonemes a second is how people speak; every other token is a pad
        assert 8 < len(item.inputs["tokens"]) / 2 / sum(spoken.durations) < 30


def test_the_same_item_gives_the_same_samples(model: PiperModel, items: list[Item]) -> None:
    assert np.array_equal(alone(model, items[1]), alone(model, items[1]))


def test_another_seed_gives_other_samples(model: PiperModel, items: list[Item]) -> None:
    other = alone(model, dataclasses.replace(items[1], seed=99))
    mine = alone(model, items[1])
    size = min(mine.size, other.size)
    assert np.abs(mine[:size] - other[:size]).max() > 0.01


def test_every_sample_of_a_ragged_batch_equals_that_alone(model: PiperModel, items: list[Item]) -> None:
    expected = [alone(model, item) for item in items]
    for company in ([0, 1, 2], [3, 2, 1, 0], [1, 1]):
        for i, outcome in zip(company, model.run([items[i] for i in company]), strict=True):
            got = speech(outcome).samples
            assert got.shape == expected[i].shape
            assert np.abs(got - expected[i]).max() <= TOLERANCE


def test_both_modes_give_the_same(files: Files, padded: PiperModel, items: list[Item]) -> None:
    single = load(files, padded=False)
    for a, b in zip(single.run(items), padded.run(items), strict=True):
        assert np.abs(speech(a).samples - speech(b).samples).max() <= TOLERANCE


def test_options_belong_to_one_item_of_a_batch(padded: PiperModel, items: list[Item]) -> None:
    wanted: list[dict[str, float]] = [{"speed": 2.0}, {"noise_scale": 0.0, "noise_w": 0.0}, {"speed": 0.5}, {}]
    company = [Item(items[1].inputs, options, seed=5) for options in wanted]
    sizes = []
    for item, outcome in zip(company, padded.run(company), strict=True):
        assert np.abs(speech(outcome).samples - alone(padded, item)).max() <= TOLERANCE
        sizes.append(speech(outcome).samples.size)
    assert sizes[0] < 0.7 * sizes[3] and sizes[2] > 1.6 * sizes[3]


def test_without_noise_it_is_the_voices_own_graph(padded: PiperModel, files: Files, items: list[Item]) -> None:
    session = onnxruntime.InferenceSession(str(files("model")), providers=["CPUExecutionProvider"])
    for speed in (1.0, 1.3):
        quiet = Item(items[1].inputs, {"noise_scale": 0.0, "noise_w": 0.0, "speed": speed})
        tokens = np.array([quiet.inputs["tokens"]])
        scales = np.array([0, 1 / speed, 0], np.float32)
        feeds = {"input": tokens, "input_lengths": np.array([tokens.size]), "scales": scales}
        theirs = session.run(None, feeds)[0].ravel()
        ours = alone(padded, quiet)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-5


def test_the_voices_own_defaults(padded: PiperModel, items: list[Item]) -> None:
    given = dataclasses.replace(items[1], options={"speed": 1.0, "noise_scale": 0.667, "noise_w": 0.8})
    assert np.array_equal(alone(padded, items[1]), alone(padded, given))


BAD: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({}, {}, 0),
    ({"tokens": []}, {}, 0),
    ({"tokens": [1, 0, 256]}, {}, 0),
    ({"tokens": [1, -1, 2]}, {}, 0),
    ({"tokens": ["a"]}, {}, 0),
    ({"tokens": [[1, 2]]}, {}, 0),
    ({"tokens": [2**70]}, {}, 0),
    ({"tokens": [1] * 5000}, {}, 0),
    ({"tokens": [1, 0, 2], "speaker": 1}, {}, 0),
    ({"tokens": [1, 0, 2]}, {}, -1),
    ({"tokens": [1, 0, 2]}, {"speed": 0}, 0),
    ({"tokens": [1, 0, 2]}, {"speed": float("nan")}, 0),
    ({"tokens": [1, 0, 2]}, {"noise_scale": "loud"}, 0),
    ({"tokens": [14, 0, 122, 0, 10, 0] * 200}, {"speed": 0.25}, 0),  # minutes of audio
]


def test_bad_items_fail_alone(model: PiperModel, items: list[Item]) -> None:
    company = [*(Item(inputs, options, seed) for inputs, options, seed in BAD), items[1]]
    *failed, good = model.run(company)
    assert [type(f) for f in failed] == [ModelFailed] * len(BAD)
    assert np.abs(speech(good).samples - alone(model, items[1])).max() <= TOLERANCE


class FailsInCompany:
    """A decoder that fails for more rows than one, as a device without memory does."""

    def __init__(self, inner: Any, message: str, poison: int) -> None:
        self.inner, self.message, self.poison = inner, message, poison

    def run(self, outputs: None, feeds: dict[str, Any]) -> Any:
        rows, _, frames = feeds["chorus_prior"].shape
        if rows > 1 or frames == self.poison:
            raise RuntimeError(self.message)
        return self.inner.run(outputs, feeds)


@pytest.mark.parametrize(
    ("message", "code"), [("boom", "model_failed"), ("Failed to allocate memory for x", "out_of_memory")]
)
def test_a_failing_batch_is_done_one_by_one(files: Files, items: list[Item], message: str, code: str) -> None:
    model = load(files, padded=True)
    expected = [alone(model, item) for item in items]
    voices = cast(OnnxVoices, model.network)
    poison = expected[2].size // voices.hop
    voices._decoder = FailsInCompany(voices._decoder, message, poison)
    outcomes = model.run(items)
    assert isinstance(outcomes[2], ChorusError) and outcomes[2].code == code
    for i in (0, 1, 3):
        assert np.abs(speech(outcomes[i]).samples - expected[i]).max() <= TOLERANCE


def test_one_token_is_enough(model: PiperModel) -> None:
    assert speech(model.run([Item({"tokens": [14]})])[0]).samples.size >= 256
    assert model.run([]) == []
    assert model.cost(Item({"tokens": [1, 0, 2]})) == 3


def test_torch_gives_what_onnx_runtime_gives(files: Files, items: list[Item]) -> None:
    """So their artifacts have one name: a job that begins on a CPU can end on a GPU."""
    on_torch = PiperModel(dataclasses.replace(spec_of(padded=True), runtime=Runtime.TORCH), files)
    on_torch.load("cpu")
    on_onnx = load(files, padded=False)
    company = [*items, *(dataclasses.replace(item, options={"speed": 1.3, "noise_w": 0.4}) for item in items[:2])]
    together = [speech(outcome) for outcome in on_torch.run(company)]
    for item, mine in zip(company, together, strict=True):
        [expected] = on_onnx.run([item])
        assert mine.durations == speech(expected).durations
        assert mine.samples.shape == speech(expected).samples.shape
        assert np.abs(mine.samples - speech(expected).samples).max() <= 1e-3
        assert np.abs(mine.samples - alone(on_torch, item)).max() <= TOLERANCE


def test_a_device_that_is_not_there(files: Files) -> None:
    with pytest.raises(ConfigurationError):
        PiperModel(spec_of(padded=False), files).load("tpu")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ConfigurationError, match="CUDA"):
            PiperModel(spec_of(padded=False), files).load("cuda:0")


def variant(files: Files, folder: Path, graph: onnx.ModelProto, **config: Any) -> Files:
    """A voice made of another graph and a changed configuration."""
    onnx.save(graph, str(folder / "model.onnx"))
    (folder / "model.json").write_text(json.dumps(json.loads(files("config").read_bytes()) | config))
    return lambda name: folder / {"model": "model.onnx", "config": "model.json"}[name]


def test_names_in_the_graph_do_not_matter(files: Files, tmp_path: Path, items: list[Item]) -> None:
    graph = onnx.load(str(files("model")))
    fixed = {i.name for i in graph.graph.input} | {"output", ""}
    for number, node in enumerate(graph.graph.node):
        node.name = f"n{number}"
        node.input[:] = [t if t in fixed else f"renamed {t}" for t in node.input]
        node.output[:] = [t if t in fixed else f"renamed {t}" for t in node.output]
    for tensor in graph.graph.initializer:
        tensor.name = f"renamed {tensor.name}"
    del graph.graph.value_info[:]
    renamed = load(variant(files, tmp_path, graph), padded=True)
    original = load(files, padded=True)
    assert np.array_equal(alone(renamed, items[1]), alone(original, items[1]))


def test_many_speakers(files: Files, tmp_path: Path, items: list[Item]) -> None:
    """Joe with an embedding of three speakers, added where VITS adds it: to the text and to the vocoder."""
    graph = onnx.load(str(files("model")))
    inner = graph.graph
    taken = next(t for t in inner.initializer if t.name == "sid")  # the exporter's name for the embedding of tokens
    taken.name = "tokens"
    for node in inner.node:
        node.input[:] = ["tokens" if t == "sid" else t for t in node.input]
    inner.input.append(helper.make_tensor_value_info("sid", onnx.TensorProto.INT64, ["batch_size"]))
    weights = {t.name: t for t in inner.initializer}
    rng = np.random.default_rng(1)
    for nth, part in enumerate(("dp/pre", "dec/conv_pre")):
        place, node = next((i, n) for i, n in enumerate(inner.node) if n.name == f"/{part}/Conv")
        channels = weights[node.input[1]].dims[0]
        table = 0.2 * rng.standard_normal((3, channels, 1), np.float32)
        table[0] = 0
        inner.initializer.append(numpy_helper.from_array(table, f"table{nth}"))
        result, node.output[0] = node.output[0], f"plain{nth}"
        inner.node.insert(place + 1, helper.make_node("Gather", [f"table{nth}", "sid"], [f"speaker{nth}"]))
        inner.node.insert(place + 2, helper.make_node("Add", [f"plain{nth}", f"speaker{nth}"], [result]))
    people = {"zero": 0, "one": 1, "two": 2}
    many = load(variant(files, tmp_path, graph, num_speakers=3, speaker_id_map=people), padded=True)

    company = [Item({**items[1].inputs, "speaker": n}, seed=4) for n in (0, 1, 2)]
    together = [speech(o).samples for o in many.run(company)]
    for item, samples in zip(company, together, strict=True):
        assert np.abs(samples - alone(many, item)).max() <= TOLERANCE
    assert len({samples.tobytes() for samples in together}) == 3
    single = load(files, padded=True)
    assert np.abs(together[0] - alone(single, Item(items[1].inputs, seed=4))).max() <= TOLERANCE


def test_what_is_no_voice(files: Files, tmp_path: Path) -> None:
    graph = onnx.load(str(files("model")))
    nodes = [n for n in graph.graph.node if n.op_type != "Ceil"]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    with pytest.raises(WeightsError, match="0 roundings"):
        load(variant(files, tmp_path, graph), padded=False)
    (tmp_path / "model.onnx").write_bytes(b"no graph at all")
    with pytest.raises(WeightsError, match="cannot be read"):
        load(lambda name: tmp_path / {"model": "model.onnx", "config": "model.json"}[name], padded=False)
