"""MeloTTS on random checkpoints of full size: the same as upstream, the same alone or in any company, one BERT."""

from __future__ import annotations

import gc
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ModelFailed, WeightsError
from models.base import Item, Voice
from models.melo import bert as bert_module
from models.melo import loaded
from models.melo.bert import Features
from models.melo.loaded import open_features
from models.melo.model import MeloModel
from models.trial import try_model
from tests.checkpoints import melo_parity, parity
from tests.checkpoints.melo import HOP, RATE, SYMBOLS, bert, files, letters, melo
from tests.checkpoints.melo_parity import LINES
from tests.checkpoints.tensors import digest
from tests.integration.vits_models import TOLERANCE, check_company, check_refusals, load, spec_of, speech

SILENT = {"noise_scale": 0.0, "noise_w": 0.0}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("melo")
    return files(melo_parity.voice(folder / "voice"), melo_parity.network(folder / "bert"))


@pytest.fixture(scope="module")
def model(weights: dict[str, Path]) -> MeloModel:
    return load(MeloModel, "melo", weights, sample_rate=RATE)


def features_in(model: MeloModel) -> Features:
    features: Features = model.network.features  # type: ignore[attr-defined]
    return features


def test_everything_of_a_voice_is_loaded(model: MeloModel, weights: dict[str, Path]) -> None:
    report = model.report
    assert report is not None and report.loaded > 600
    assert {name.split(".")[0] for name in report.unused} == {"enc_q", "sdp"}, "only what training alone uses"
    state = torch.load(weights["model"], weights_only=True)["model"]
    assert digest(state) == str(melo_parity.figures()["melo_digest"])


@pytest.mark.parametrize("speed", melo_parity.SPEEDS)
def test_a_voice_gives_what_upstream_gives(model: MeloModel, speed: float) -> None:
    expected = melo_parity.figures()
    outcomes = model.run([line.item(**SILENT, speed=speed) for line in LINES])
    for number, outcome in enumerate(outcomes):
        spoken, name = speech(outcome), f"melo_{number}_speed{speed}"
        assert spoken.durations is not None
        frames = np.rint(np.array(spoken.durations) * RATE / HOP).astype(int)
        assert np.array_equal(frames, expected[f"{name}_durations"])
        assert parity.difference(name, spoken.samples, expected) <= TOLERANCE


def test_the_features_are_those_of_the_whole_bert(model: MeloModel) -> None:
    sentences = [tuple(line.inputs["pieces"]) for line in LINES]
    for number, features in enumerate(features_in(model).of(sentences)):
        assert np.abs(features[:, ::96].numpy() - melo_parity.figures()[f"bert_{number}"]).max() <= TOLERANCE


def test_a_voice_is_the_same_in_any_company(model: MeloModel) -> None:
    items = [
        Item(line.inputs, {"speed": 1 + 0.1 * i, "noise_scale": 0.2 * i}, seed=i)
        for i, line in enumerate((LINES[0], LINES[1], LINES[0], LINES[2]))
    ]
    check_company(model, items)


def test_features_are_the_same_in_any_company_and_kept(weights: dict[str, Path]) -> None:
    spec = spec_of("melo", weights)
    network = loaded.read_bert(weights["bert"], weights["bert_config"], spec.name)
    sentences = [(2, *range(5, 5 + length), 3) for length in (1, 40, 7, 19, 2, 60)]
    together = Features(network, torch.device("cpu"))
    found = together.of([*sentences, sentences[2]])
    assert together.forwards == 1, "one pass over the distinct sentences"
    assert torch.equal(found[2], found[6])
    for sentence, features in zip(sentences, found[:6], strict=True):
        alone = Features(network, torch.device("cpu")).of([sentence])[0]
        assert features.shape == (len(sentence), 768)
        assert (features - alone).abs().max() <= 1e-5
    again = together.of(sentences[::-1])
    assert together.forwards == 1, "all of them are kept"
    assert torch.equal(again[0], found[5])


def test_few_features_are_kept(weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bert_module, "KEPT_PIECES", 20)
    network = loaded.read_bert(weights["bert"], weights["bert_config"], "melo")
    features = Features(network, torch.device("cpu"))
    for start in range(5, 12):
        features.of([(2, *range(start, start + 6), 3)])
    assert features.forwards == 7
    features.of([(2, *range(11, 17), 3), (2, *range(10, 16), 3)])
    assert features.forwards == 7, "the last ones are kept"
    features.of([(2, *range(5, 11), 3)])
    assert features.forwards == 8, "the first ones are not"


def test_a_micro_batch_has_one_pass_of_bert_and_a_repeat_none(model: MeloModel) -> None:
    features = features_in(model)
    sentences = [{**line.inputs, "pieces": [2, *line.inputs["pieces"][1:-1][::-1], 3]} for line in LINES]
    before = features.forwards
    model.run([Item(inputs, seed=1) for inputs in sentences * 2])
    assert features.forwards == before + 1
    model.run([Item(inputs, seed=2) for inputs in sentences])
    assert features.forwards == before + 1


def test_eight_threads_load_one_bert(weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    spec, read = spec_of("melo", weights), []
    original = loaded.read_bert
    monkeypatch.setattr(loaded, "_loaded", type(loaded._loaded)())

    def counted(*given: Any) -> Any:
        read.append(given)
        return original(*given)

    monkeypatch.setattr(loaded, "read_bert", counted)
    found: list[Features] = []
    threads = [
        threading.Thread(target=lambda: found.append(open_features(spec, weights.__getitem__, "cpu"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len({id(features) for features in found}) == 1
    assert len(read) == 1


def bad(**changed: Any) -> Item:
    return Item({**LINES[0].inputs, **changed})


@pytest.mark.parametrize(
    "item",
    [
        Item({}),
        Item({"tokens": LINES[0].inputs["tokens"]}),
        bad(tones=[0]),
        bad(tones=[99] * len(LINES[0].inputs["tokens"])),
        bad(tones="x"),
        bad(language=10),
        bad(language=None),
        bad(pieces=[]),
        bad(pieces=[2, 10**6, 5, 3]),
        bad(pieces=[-1, 5, 5, 3]),
        bad(pieces=[2] * 513, word2ph=[0] * 513),
        bad(word2ph=[1, 1, 1, 1]),
        bad(word2ph=[-3, 15, 2, 1]),
        bad(word2ph=[15]),
        bad(speaker=99),
    ],
)
def test_a_bad_item_fails_alone(model: MeloModel, item: Item) -> None:
    good = LINES[0].item(**SILENT)
    first, failed, last = model.run([good, item, good])
    assert isinstance(failed, ModelFailed)
    assert np.abs(speech(first).samples - speech(last).samples).max() <= TOLERANCE


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("small")
    return files(
        melo(folder / "voice", melo_parity.SYMBOLS, size="small"),
        bert(folder / "bert", melo_parity.WORDS, size="small"),
    )


def test_other_weights_are_refused(small: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = torch.load(small["model"], weights_only=True)

    def changed(tensors: dict[str, Any]) -> MeloModel:
        path = tmp_path / "changed.pth"
        torch.save({**checkpoint, "model": tensors}, path)
        return load(MeloModel, "melo", {**small, "model": path})

    name = "enc_p.tone_emb.weight"
    check_refusals(changed, checkpoint["model"], name, name)


def test_a_voice_is_tried_with_a_sentence(tmp_path: Path) -> None:
    network = bert(tmp_path / "bert", letters(""), size="small")
    weights = files(melo(tmp_path / "voice", SYMBOLS[1:], size="small"), network)
    voices = {"EN-US": Voice(name="EN-US", language="en-US"), "EN-BR": Voice(name="EN-BR", language="en-GB", speaker=1)}
    model = load(MeloModel, "melo", weights, sample_rate=RATE, voices=voices, languages=("en-US", "en-GB"))
    trial = try_model(model)
    assert trial is not None and trial.speech is not None and trial.speech.samples.size > RATE


def test_a_bert_that_says_it_is_a_decoder_is_none(small: dict[str, Path], tmp_path: Path) -> None:
    said = {"is_decoder": True, "add_cross_attention": True, "chunk_size_feed_forward": 7, "use_cache": True}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(small["bert_config"].read_text()) | said))
    item = LINES[0].item(**SILENT)
    one, other = (load(MeloModel, "melo", {**small, **more}).run([item])[0] for more in ({}, {"bert_config": config}))
    assert np.array_equal(speech(one).samples, speech(other).samples)


@pytest.mark.parametrize("said", [{"hidden_act": "x"}, {"num_attention_heads": 7}, {"num_hidden_layers": 10**9}])
def test_a_configuration_that_makes_no_bert(small: dict[str, Path], tmp_path: Path, said: dict[str, Any]) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(small["bert_config"].read_text()) | said))
    with pytest.raises(WeightsError, match="the configuration of a BERT"):
        load(MeloModel, "melo", {**small, "bert_config": config})


def test_another_bert_is_refused(small: dict[str, Path], tmp_path: Path) -> None:
    tensors = torch.load(small["bert"], weights_only=True)
    path = tmp_path / "pytorch_model.bin"
    torch.save({name: tensor for name, tensor in tensors.items() if "layer.0.output.dense.weight" not in name}, path)
    with pytest.raises(WeightsError, match=r"missing: encoder\.layer\.0\.output\.dense\.weight"):
        load(MeloModel, "melo", {**small, "bert": path})
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "gpt2"}')
    with pytest.raises(WeightsError, match="the configuration of a BERT"):
        load(MeloModel, "melo", {**small, "bert_config": config})


def test_a_bert_without_a_head_and_with_names_of_old_is_read(small: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = torch.load(small["bert"], weights_only=True)
    renamed = {}
    for name, tensor in tensors.items():
        if name.startswith("bert."):
            old = name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma")
            renamed[old.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor.clone()
    save_file(renamed, tmp_path / "model.safetensors")
    item = LINES[0].item(**SILENT)
    one = load(MeloModel, "melo", small).run([item])[0]
    other = load(MeloModel, "melo", {**small, "bert": tmp_path / "model.safetensors"}).run([item])[0]
    assert np.array_equal(speech(one).samples, speech(other).samples)
