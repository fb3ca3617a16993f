"""OpenVoice on random checkpoints of full size: the same as upstream, and the same alone or in any company."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ChorusError, ModelFailed, NoSpeech, WeightsError
from models.base import Embedding, Item
from models.openvoice import RATE
from models.openvoice.synthesizer import OpenVoiceModel
from models.openvoice.tone import Conversion
from models.openvoice.tone_models import ToneConverter, ToneEncoder
from tests.checkpoints import parity
from tests.checkpoints.openvoice import openvoice_base, openvoice_converter, source_embedding
from tests.integration.vits_models import TOLERANCE, check_company, check_refusals, load, speech

HOP = 256
SILENT = {"noise_scale": 0.0, "noise_w": 0.0}


def files_in(folder: Path) -> dict[str, Path]:
    return {"model": folder / "checkpoint.pth", "config": folder / "config.json"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return openvoice_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def speaker(base: Path) -> OpenVoiceModel:
    return load(OpenVoiceModel, "openvoice_v1", files_in(base))


@pytest.fixture(scope="module", params=["v1", "v2"])
def version(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def converters(version: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = openvoice_converter(tmp_path_factory.mktemp(version), version=version)
    source_embedding(folder / "default_se.pth", parity.SOURCE_SEED)
    return folder


@pytest.fixture(scope="module")
def converter(version: str, converters: Path) -> ToneConverter:
    files = {**files_in(converters), "source_default": converters / "default_se.pth"}
    return load(ToneConverter, f"openvoice_{version}_tone_converter", files)


@pytest.fixture(scope="module")
def encoder(version: str, converters: Path, converter: ToneConverter) -> ToneEncoder:
    return load(ToneEncoder, f"openvoice_{version}_tone_encoder", files_in(converters))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Any:
    vector = source_embedding(tmp_path_factory.mktemp("target") / "se.pth", parity.TARGET_SEED)
    return vector.reshape(-1).numpy()


# -- the base speakers


def test_everything_of_a_base_speaker_is_loaded(speaker: OpenVoiceModel) -> None:
    report = speaker.report
    assert report is not None and report.loaded > 400
    parts = {name.rsplit(".", 1)[0].split(".")[0] for name in report.unused}
    assert parts == {"enc_q", "sdp"}, "only what training alone uses"
    assert not any(name.startswith(("sdp.pre", "sdp.proj", "sdp.convs", "sdp.flows.0")) for name in report.unused)


@pytest.mark.parametrize("speed", parity.SPEEDS)
def test_a_base_speaker_gives_what_upstream_gives(speaker: OpenVoiceModel, speed: float) -> None:
    expected = parity.figures()
    lines = [{"tokens": list(line.tokens), "speaker": line.speaker} for line in parity.LINES]
    outcomes = speaker.run([Item(line, {**SILENT, "speed": speed}) for line in lines])
    for number, outcome in enumerate(outcomes):
        spoken, name = speech(outcome), f"base_{number}_speed{speed}"
        assert spoken.durations is not None
        frames = np.rint(np.array(spoken.durations) * RATE / HOP).astype(int)
        assert np.array_equal(frames, expected[f"{name}_durations"])
        assert parity.difference(name, spoken.samples, expected) <= TOLERANCE


def test_a_base_speaker_is_the_same_in_any_company(speaker: OpenVoiceModel) -> None:
    lengths = (2, 12, 5, 15, 6, 8, 3, 13)
    items = [
        Item(
            {"tokens": [0, *((i * j * 5 + j) % 60 + 1 for j in range(length)), 0], "speaker": i + 1},
            {"speed": 1 + 0.1 * i, "noise_scale": 0.1 * i},
            seed=i,
        )
        for i, length in enumerate(lengths)
    ]
    check_company(speaker, items)
    one = speech(speaker.run([items[3]])[0]).samples
    other = speech(speaker.run([Item(items[3].inputs, items[3].options, seed=99)])[0]).samples
    assert one.shape != other.shape or np.abs(one - other).max() > 0.01


@pytest.mark.parametrize(
    "item",
    [
        Item({"tokens": []}),
        Item({"tokens": [1, 2, 10**6]}),
        Item({"tokens": [-1]}),
        Item({"tokens": [1], "speaker": 10}),
        Item({"tokens": [1] * 4000}),
        Item({"tokens": "abc"}),
        Item({}),
        Item({"tokens": [1, 2]}, {"speed": 99}),
    ],
)
def test_a_bad_item_fails_alone(speaker: OpenVoiceModel, item: Item) -> None:
    good = Item({"tokens": [0, 5, 0, 9, 0], "speaker": 1})
    first, bad, last = speaker.run([good, item, good])
    assert isinstance(bad, ModelFailed)
    assert np.array_equal(speech(first).samples, speech(last).samples)


def test_too_long_an_utterance_is_an_error(speaker: OpenVoiceModel) -> None:
    [outcome] = speaker.run([Item({"tokens": [7] * 800, "speaker": 1}, {"speed": 0.25})])
    assert isinstance(outcome, ChorusError) and outcome.code == "utterance_too_long"


def test_a_broken_base_speaker_is_refused(base: Path, tmp_path: Path) -> None:
    whole = torch.load(base / "checkpoint.pth", weights_only=True)

    def changed(tensors: dict[str, Any]) -> object:
        torch.save({**whole, "model": tensors}, tmp_path / "checkpoint.pth")
        files = {**files_in(base), "model": tmp_path / "checkpoint.pth"}
        return load(OpenVoiceModel, "openvoice_v1", files)

    check_refusals(changed, whole["model"], "enc_p.proj.bias", "enc_p.proj.bias")
    (tmp_path / "checkpoint.pth").write_bytes((base / "checkpoint.pth").read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="cannot be read"):
        load(OpenVoiceModel, "openvoice_v1", {**files_in(base), "model": tmp_path / "checkpoint.pth"})
    (tmp_path / "config.json").write_text('{"data": {}}')
    with pytest.raises(WeightsError, match="not an OpenVoice configuration"):
        load(OpenVoiceModel, "openvoice_v1", {**files_in(base), "config": tmp_path / "config.json"})


# -- the tone encoder


def test_the_encoder_gives_what_upstream_gives(encoder: ToneEncoder) -> None:
    recordings = [parity.recording(i) for i in range(len(parity.RECORDING_LENGTHS))]
    for i, vector in enumerate(encoder._network.embed(recordings)):
        assert np.abs(vector - parity.figures()[f"embedding_{i}"]).max() <= TOLERANCE


def test_embeddings_are_the_same_in_any_company(encoder: ToneEncoder) -> None:
    noise = np.random.default_rng(1)
    items = [
        Item({"samples": (0.1 * noise.standard_normal(int(s * RATE))).astype(np.float32), "rate": RATE})
        for s in (0.6, 3.1, 14.9, 16.2, 70.0, 1.0, 25.5, 5.0)
    ]
    items.append(Item({**items[4].inputs, "segments": [[1.0, 3.0], [5.0, 14.0], [2.0, 4.0]]}))
    alone = [vector(encoder.run([item])[0]) for item in items]
    for mine, together in zip(alone, encoder.run(items), strict=True):
        assert np.abs(mine - vector(together)).max() <= TOLERANCE
    quiet, rate = encoder.run(
        [Item({"samples": np.zeros(RATE, np.float32), "rate": RATE}), Item({"samples": noise, "rate": 16_000})]
    )
    assert isinstance(quiet, NoSpeech) and isinstance(rate, ModelFailed)


def vector(outcome: Any) -> Any:
    assert isinstance(outcome, Embedding), outcome
    return outcome.vector


# -- the tone converter


def test_conversion_gives_what_upstream_gives(version: str, converter: ToneConverter, target: Any) -> None:
    source = converter.sources["default"]
    recordings = [parity.recording(i) for i in range(len(parity.RECORDING_LENGTHS))]
    generator = np.random.default_rng(0)
    given = converter._network.convert(
        [Conversion(samples, source, target, 0.0, generator) for samples in recordings], whole=False
    )
    for i, samples in enumerate(given):
        assert parity.difference(f"converted_{version}_{i}", samples, parity.figures()) <= TOLERANCE


def conversions(target: Any) -> list[Item]:
    """Items whose voices are a source embedding, a recording, and their own."""
    recordings = [parity.recording(i) for i in range(3)]
    own: list[dict[str, Any]] = [{"source": "default"}, {"recording": recordings[2], "recording_name": "two"}, {}]
    return [
        Item({"samples": samples[: 2001 + 1500 * i], "rate": RATE, "embedding": target, **own[i % 3]}, seed=i)
        for i, samples in enumerate([*recordings, *recordings[1:], *recordings])
    ]


def test_conversions_are_the_same_in_any_company(converter: ToneConverter, target: Any) -> None:
    items = conversions(target)
    check_company(converter, items)
    for item, outcome in zip(items, converter.run(items), strict=True):
        assert speech(outcome).samples.shape == item.inputs["samples"].shape


def test_the_source_is_never_the_target(converter: ToneConverter, target: Any) -> None:
    """With the target for a source nothing is converted: so the voice of an item is that of its source."""
    item = conversions(target)[0]
    converted = speech(converter.run([item])[0]).samples
    same = speech(converter.run([Item({**item.inputs, "embedding": converter.sources["default"]})])[0]).samples
    assert np.abs(converted - same).max() > 0.05


def test_speech_at_another_rate_is_resampled(converter: ToneConverter, target: Any) -> None:
    samples = parity.recording(1)
    [outcome] = converter.run([Item({"samples": samples, "rate": 44_100, "embedding": target, "source": "default"})])
    assert speech(outcome).rate == RATE and abs(speech(outcome).samples.size - samples.size / 2) <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"source": "nobody"},
        {"embedding": np.zeros(192, np.float32)},
        {"embedding": np.full(256, np.nan, np.float32)},
        {"embedding": None},
        {"samples": np.zeros(0, np.float32)},
        {"samples": np.full(4000, np.inf, np.float32)},
        {"samples": [0.0] * 4000},
        {"rate": 0},
        {"rate": "x"},
    ],
)
def test_a_bad_conversion_fails_alone(converter: ToneConverter, target: Any, change: dict[str, Any]) -> None:
    good = conversions(target)[0]
    first, bad, last = converter.run([good, Item({**good.inputs, **change}), good])
    assert isinstance(bad, ModelFailed)
    assert np.array_equal(speech(first).samples, speech(last).samples)


def test_the_speaker_of_a_recording_is_embedded_once(converter: ToneConverter, target: Any) -> None:
    network = converter._network
    item = Item({**conversions(target)[1].inputs, "recording_name": "another"})
    converter.run([item])
    before = network.forwards
    converter.run([item])
    assert network.forwards == before + 1, "one pass of the conversion"


def test_encoder_and_converter_share_their_network(converter: ToneConverter, encoder: ToneEncoder) -> None:
    assert encoder._network is converter._network
    gc.collect()


def test_a_broken_source_embedding_is_refused(version: str, converters: Path, tmp_path: Path) -> None:
    for value in (torch.zeros(1, 200, 1), torch.full((1, 256, 1), torch.inf), {"se": torch.zeros(1, 256, 1)}):
        torch.save(value, tmp_path / "se.pth")
        with pytest.raises(WeightsError, match=r"se\.pth"):
            files = {**files_in(converters), "source_x": tmp_path / "se.pth"}
            load(ToneConverter, f"openvoice_{version}_tone_converter", files)
