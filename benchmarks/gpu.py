"""The torch families on a GPU (or a CPU): exact in batches, and how fast. Needs torch, numpy and onnx alone."""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertForMaskedLM

from audio.samples import Samples
from benchmarks.support.kokoro import bare_decoding, random_kokoro
from benchmarks.support.kokoro import rows_of as kokoro_rows
from benchmarks.support.kokoro import utterances as kokoro_utterances
from benchmarks.support.kokoro import voices_on as kokoro_on
from benchmarks.support.melo import RATE as MELO_RATE
from benchmarks.support.melo import afresh, cut_bert, sentences, whole_bert
from benchmarks.support.melo import rows_of as melo_rows
from benchmarks.support.melo import voices_on as melo_on
from benchmarks.support.networks import (
    RATE,
    SIZES,
    random_network,
    recordings,
    rows_of,
    utterances,
    voices_on,
)
from core.errors import ConfigurationError
from core.names import Precision, Role
from models.base import Bounds, Embedding, Item, Model, ModelSpec, Speech, WeightsFile
from models.kokoro.network.network import Network as KokoroNetwork
from models.kokoro.rows import RATE as KOKORO_RATE
from models.melo.bert import Features
from models.openvoice.tone import Conversion, Spectrum, ToneNetwork
from models.vits.network import Network
from models.vits.parts.packing import Packing
from models.vits.rows import Row
from models.vits.speaking import TorchVoices

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    counts: tuple[int, ...]  #: items at once
    compared: int  #: items of the comparisons
    seconds: float  #: of an item, about


SCALES = {"cuda": Scale((1, 16, 32, 64), 8, 5.0), "cpu": Scale((1, 4), 3, 1.0)}

#: The weights files of the encoders, in CHORUS_CACHE or ``--weights``.
ENCODERS = {
    "campplus": ("models.campplus.model:CampplusModel", "campplus_cn_en_common.pt", 16_000),
    "ge2e": ("models.ge2e.model:Ge2eModel", "pretrained.pt", 16_000),
    "silero": ("models.silero.model:SileroModel", "silero_vad_16k_op15.onnx", 16_000),
}

Run = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """One family on one device: how to run items, and what is compared of an outcome."""

    run: Run
    seconds: Callable[[Any], float]  #: of audio in an item or its outcome
    array: Callable[[Any], Samples]
    limit: Callable[[Sequence[Any]], Callable[[], Any]] | None = None
    unit: str = "audio_s"  #: what `seconds` counts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="cpu, cuda or cuda:N (default: cuda if torch has one)")
    parser.add_argument("--weights", type=Path, help="folder with the encoders' weights (default: the cache)")
    parser.add_argument("--families", help="only these, separated by commas")


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """For each family: ``*_batch_vs_alone`` and ``*_device_vs_cpu`` (largest differences; with ``_shapes_differ``: how
    many items differ in length), ``*_audio_s_per_s_N`` (N items at once), ``*_over_limit`` (the rate at the most items
    over that of the bare network at the same shapes, with everything on the device); for those that can be lowered
    ``*_PRECISION_audio_s_per_s_N``."""
    device = torch.device(_device(arguments.device))
    torch.backends.cudnn.allow_tf32 = False
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    figures: dict[str, float | int | str] = {"device": name, "torch": torch.__version__, "rounds": ROUNDS}
    scale = SCALES[device.type]
    wanted = set(arguments.families.split(",")) if arguments.families else None
    for family, subject_on, items in _families(arguments.weights, scale):
        if wanted is None or family in wanted:
            measured = _measure(family, subject_on, items, device, scale)
            # A run that is stopped early has told these figures.
            print(f"{family}, {len(items)} items: {json.dumps(measured)}", flush=True)
            figures |= measured
    return figures


SubjectOn = Callable[[torch.device, Precision], Subject]


def _families(weights: Path | None, scale: Scale) -> Iterator[tuple[str, SubjectOn, Sequence[Any]]]:
    count, seconds = max(scale.counts), scale.seconds
    for name in ("piper", "openvoice_v1", "mms"):
        network = random_network(name)
        yield name, _synthesizer_of(network), utterances(count, seconds)
    yield "kokoro", _kokoro(random_kokoro()), kokoro_utterances(count, seconds)
    whole = whole_bert()
    yield "melo", _melo(random_network("melo"), whole), sentences(count, seconds * 2.7)
    yield "bert", _bert(whole), [tuple(item.inputs["pieces"]) for item in sentences(count)]
    network = random_network("tone_converter")
    yield "tone_converter", _converter_of(network), _conversions(count, seconds)
    yield "tone_encoder", _encoder_of(network), recordings(count, RATE, seconds)
    found = _weights_files(weights)
    for name, (target, file, rate) in ENCODERS.items():
        if file not in found:
            print(f"{name}: left out, because {file} is not in {weights or 'the cache'}")
            continue
        items = [Item({"samples": samples, "rate": rate}) for samples in recordings(count, rate, max(2.0, seconds))]
        yield name, _model_of(name, target, found[file]), items


def _measure(
    name: str, subject_on: SubjectOn, items: Sequence[Any], device: torch.device, scale: Scale
) -> dict[str, float]:
    here = subject_on(device, Precision.FLOAT32)
    compared, counts = list(items[: scale.compared]), scale.counts
    together = here.run(compared)
    alone = [here.run([item])[0] for item in compared]
    figures = _differences(f"{name}_batch_vs_alone", here, together, alone)
    if device.type != "cpu":
        there = subject_on(torch.device("cpu"), Precision.FLOAT32)
        few = compared[:3]
        figures |= _differences(f"{name}_device_vs_cpu", here, here.run(few), there.run(few))
    for count in counts:
        figures[f"{name}_{here.unit}_per_s_{count}"] = _rate(here, items, count, device)
    if here.limit is not None:
        bare = here.limit(list(items[: counts[-1]]))
        seconds = sum(here.seconds(outcome) for outcome in here.run(items[: counts[-1]]))
        limit = seconds / _median_time(bare, device)
        figures[f"{name}_limit_audio_s_per_s"] = round(limit, 1)
        figures[f"{name}_over_limit"] = round(figures[f"{name}_audio_s_per_s_{counts[-1]}"] / limit, 3)
        if device.type == "cuda":
            for precision in (Precision.TF32, Precision.BFLOAT16):
                lowered = subject_on(device, precision)
                for count in counts:
                    key = f"{name}_{precision.value}_audio_s_per_s_{count}"
                    figures[key] = _rate(lowered, items, count, device)
    return figures


def _differences(key: str, subject: Subject, first: Sequence[Any], second: Sequence[Any]) -> dict[str, float]:
    """The largest one of the pairs of equal shapes, and how many pairs are not of equal shapes, if any."""
    pairs = [(subject.array(one), subject.array(other)) for one, other in zip(first, second, strict=True)]
    apart = [float(np.abs(one - other).max()) for one, other in pairs if one.shape == other.shape]
    figures = {key: max(apart)} if apart else {}
    if len(apart) < len(pairs):
        figures[f"{key}_shapes_differ"] = len(pairs) - len(apart)
    return figures


def _rate(subject: Subject, items: Sequence[Any], count: int, device: torch.device) -> float:
    """Seconds of audio per second, so many items at once; one by one it is the mean over several items."""
    companies = [[item] for item in items[:6]] if count == 1 else [list(items[:count])]
    seconds = sum(subject.seconds(outcome) for company in companies for outcome in subject.run(company))

    def work() -> None:
        for company in companies:
            subject.run(company)

    return round(seconds / _median_time(work, device), 1)


def _median_time(work: Callable[[], Any], device: torch.device) -> float:
    taken = []
    for _ in range(ROUNDS):
        _wait(device)
        begin = time.perf_counter()
        work()
        _wait(device)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# -- the families


def _synthesizer_of(network: Network) -> SubjectOn:
    def on(device: torch.device, precision: Precision) -> Subject:
        voices = voices_on(network, device, precision)
        return Subject(
            run=lambda items: voices.speak(rows_of(items, voices)),
            seconds=lambda spoken: len(_speech(spoken).samples) / RATE,
            array=lambda spoken: _speech(spoken).samples,
            limit=lambda items: _bare_synthesis(voices, rows_of(items, voices)),
        )

    return on


def _kokoro(network: KokoroNetwork) -> SubjectOn:
    def on(device: torch.device, precision: Precision) -> Subject:
        voices = kokoro_on(network, device, precision)
        return Subject(
            run=lambda items: voices.speak(kokoro_rows(items)),
            seconds=lambda spoken: len(_speech(spoken).samples) / KOKORO_RATE,
            array=lambda spoken: _speech(spoken).samples,
            limit=lambda items: bare_decoding(voices, kokoro_rows(items)),
        )

    return on


def _melo(network: Network, whole: BertForMaskedLM) -> SubjectOn:
    """MeloTTS; its BERT keeps nothing."""

    def on(device: torch.device, precision: Precision) -> Subject:
        voices = melo_on(network, cut_bert(whole, device), precision)

        def speak(items: Sequence[Item]) -> Sequence[Any]:
            return afresh(voices).speak(melo_rows(items))

        return Subject(
            run=speak,
            seconds=lambda spoken: len(_speech(spoken).samples) / MELO_RATE,
            array=lambda spoken: _speech(spoken).samples,
            limit=lambda items: _bare_synthesis(voices, melo_rows(items)),
        )

    return on


def _bert(whole: BertForMaskedLM) -> SubjectOn:
    """Features of sentences, by pieces of text."""

    def on(device: torch.device, precision: Precision) -> Subject:
        network = cut_bert(whole, device).network
        return Subject(
            run=lambda items: Features(network, device).of(items),
            seconds=lambda features: float(len(features)),
            array=lambda features: features.cpu().numpy(),
            unit="pieces",
        )

    return on


def _bare_synthesis(voices: TorchVoices, rows: Sequence[Row]) -> Callable[[], Any]:
    """The network's passes over these items in the packs of a micro-batch, everything being on the device."""
    voices.speak(rows)
    packs = voices.packs_of(rows)
    made = []
    for pack in packs:
        packing = Packing([row.frames for row in pack], voices.network.gap, voices.device)
        prior = packing.clear(torch.randn(1, voices.network.sizes.latent, packing.total, device=voices.device))
        made.append((prior, packing, voices.speakers_of(pack)))

    @torch.inference_mode()
    def bare() -> None:
        for prior, packing, speakers in made:
            voices.network.decode(prior.clone(), packing, speakers)

    return bare


def _tone(network: Network, device: torch.device, precision: Precision) -> ToneNetwork:
    return ToneNetwork(copy.deepcopy(network).settle(device, precision), Spectrum(), device)


def _converter_of(network: Network) -> SubjectOn:
    def on(device: torch.device, precision: Precision) -> Subject:
        tone = _tone(network, device, precision)

        def convert(items: Sequence[Callable[[], Conversion]]) -> list[Samples]:
            made: dict[int, Samples] = {}
            given = [item() for item in items]
            for pack in tone.packs([len(one.samples) for one in given]):
                made.update(zip(pack, tone.convert([given[i] for i in pack]), strict=True))
            return [made[i] for i in range(len(items))]

        return Subject(run=convert, seconds=lambda samples: len(samples) / RATE, array=lambda samples: samples)

    return on


def _conversions(count: int, seconds: float) -> list[Callable[[], Conversion]]:
    """Items whose noise begins anew with each call."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(0, 0.7, (2, count, SIZES["tone_converter"].conditioning)).astype(np.float32)

    def item(number: int, samples: Samples) -> Callable[[], Conversion]:
        source, target = vectors[:, number]
        return lambda: Conversion(samples, source, target, 0.3, np.random.default_rng(number))

    return [item(number, samples) for number, samples in enumerate(recordings(count, RATE, seconds))]


def _encoder_of(network: Network) -> SubjectOn:
    def on(device: torch.device, precision: Precision) -> Subject:
        tone = _tone(network, device, precision)
        return Subject(
            run=lambda items: list(zip(tone.embed(items), items, strict=True)),
            seconds=lambda embedded: len(embedded[1]) / RATE,
            array=lambda embedded: embedded[0],
        )

    return on


def _model_of(name: str, target: str, file: Path) -> SubjectOn:
    """A family's own model; outcomes are paired with their items, which tell the seconds."""
    import importlib

    module, _, kind = target.partition(":")

    def on(device: torch.device, precision: Precision) -> Subject:
        bounds = Bounds(items=64, cost=240_000)
        spec = ModelSpec(
            name=name,
            type=name,
            role=Role.EMBED,
            weights={"model": WeightsFile(name=file.name, parts=(), sha256="")},
            languages=(),
            voices={},
            options={},
            sample_rate=None,
            batch={"cpu": bounds, "cuda": bounds},
            batch_timeout=600,
        )
        model: Model = getattr(importlib.import_module(module), kind)(spec, lambda _: file)
        model.load(str(device))
        probabilities = getattr(model, "probabilities", None)  # Silero's segments are rounded
        run = probabilities or model.run
        return Subject(
            run=lambda items: list(zip(run(items), items, strict=True)),
            seconds=lambda pair: len(pair[1].inputs["samples"]) / pair[1].inputs["rate"],
            array=lambda pair: pair[0].vector if isinstance(pair[0], Embedding) else np.asarray(pair[0]),
        )

    return on


def _speech(outcome: Any) -> Speech:
    assert isinstance(outcome, Speech), outcome
    return outcome


def _weights_files(folder: Path | None) -> Mapping[str, Path]:
    cache = folder or Path(os.environ.get("CHORUS_CACHE") or Path.home() / ".cache" / "chorus")
    return {path.name: path for path in cache.rglob("*") if path.is_file()}


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError("torch finds no CUDA device.")
    return asked
