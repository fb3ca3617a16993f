"""Voice activity: precision and recall per recording, false alarms, and batched Silero compared with its package."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.recordings import (
    BATCH,
    RATE,
    ROUNDS,
    ManifestRow,
    largest_difference,
    open_model,
    outputs,
    read_item,
    read_manifest,
    read_table,
    say,
    speedup,
    spread,
)
from core.errors import ConfigurationError
from models.base import Item, Model, Segments, Transcript
from models.silero.model import SileroModel

FRAMES_PER_SECOND = 100

#: Kinds of the manifest.
LABELLED, NEGATIVE, REFERENCE = "vad_audio", "vad_negative", "speaker_utt"

Spans = list[tuple[float, float]]


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """``silero_precision_NAME``, ``silero_recall_NAME`` and the same of whisper over frames of 10 ms, for each
    recording with labels; ``negatives_with_speech``; ``speedup_silero`` and ``max_difference_silero`` over
    16 references beside the package."""
    data: Path = arguments.data
    entries = read_manifest(data)
    figures: dict[str, float | int | str] = {}
    silero, whisper = open_model("silero"), open_model("whisper")
    labelled = {e.file: spans for e in _of(entries, LABELLED) if (spans := read_labels(data / e.file)) is not None}
    items = {name: read_item(data / name) for name in labelled}
    negatives = [read_item(data / entry.file) for entry in _of(entries, NEGATIVE)]
    for model, kind in ((silero, "silero"), (whisper, "whisper")):
        say(f"{kind}: {len(items)} recordings with labels, {len(negatives)} without speech")
        for name, found in zip(items, speech(model, list(items.values())), strict=True):
            seconds = len(items[name].inputs["samples"]) / RATE
            precision, recall = precision_and_recall(found, labelled[name], seconds)
            figures[f"{kind}_precision_{_key(name)}"] = round(precision, 4)
            figures[f"{kind}_recall_{_key(name)}"] = round(recall, 4)
        alarms = sum(bool(found) for found in speech(model, negatives))
        figures["negatives_with_speech" if kind == "silero" else f"negatives_with_speech_{kind}"] = alarms
    figures["negatives"] = len(negatives)
    assert isinstance(silero, SileroModel)
    references = [entry.file for entry in _of(entries, REFERENCE)] or list(items)
    if not references:
        raise ConfigurationError(f"{data} has no recordings of kind {REFERENCE} or {LABELLED}")
    chosen = [read_item(data / name) for name in spread(references)]
    return figures | _beside_the_package(silero, chosen, [*chosen, *items.values(), *negatives])


def _beside_the_package(silero: SileroModel, chosen: list[Item], every: list[Item]) -> dict[str, float | int | str]:
    """Batched beside ``silero_vad.get_speech_timestamps``, one recording after another as its users call it,
    with the model that it loads by itself and with its ONNX one."""
    import silero_vad
    import torch

    own, onnx = silero_vad.load_silero_vad(), silero_vad.load_silero_vad(onnx=True)
    waves = [torch.from_numpy(item.inputs["samples"]) for item in every]
    theirs = [own.audio_forward(wave[None], RATE)[0].numpy() for wave in waves]
    difference = largest_difference(silero.probabilities(every), theirs)
    differing = sum(
        [(round(s * RATE), round(e * RATE)) for s, e in found]
        != [(s["start"], s["end"]) for s in silero_vad.get_speech_timestamps(wave, own)]
        for found, wave in zip(speech(silero, every), waves, strict=True)
    )

    def package(model: Any) -> None:
        for wave in waves[: len(chosen)]:
            silero_vad.get_speech_timestamps(wave, model)

    over_own = speedup("silero", lambda: package(own), lambda: silero.run(chosen))
    over_onnx = speedup("silero, ONNX", lambda: package(onnx), lambda: silero.run(chosen))
    return {
        "max_difference_silero": difference,
        "recordings_with_other_segments": differing,
        "recordings_compared": len(every),
        "speedup_silero": over_own.median,
        "speedup_silero_least": over_own.least,
        "speedup_silero_onnx": over_onnx.median,
        "batch": BATCH,
        "rounds": ROUNDS,
    }


def speech(model: Model, items: Sequence[Item]) -> list[Spans]:
    """Start and end in seconds of what a model takes for speech: its segments, or those of its transcript."""
    return [
        [(segment.start, segment.end) for segment in output.segments]
        for output in outputs(model, items)
        if isinstance(output, Segments | Transcript)
    ]


def read_labels(recording: Path) -> Spans | None:
    """Where speech is in a recording: of ``NAME.segments.tsv`` (``start_s``, ``end_s``) beside it, or of
    ``NAME.rttm`` (NIST; every speaker); None where there is neither.

    Raises `core.errors.ConfigurationError` where the labels cannot be read."""
    table, rttm = recording.with_suffix(".segments.tsv"), recording.with_suffix(".rttm")
    try:
        if table.is_file():
            return [(float(r["start_s"]), float(r["end_s"])) for r in read_table(table, ("start_s", "end_s"))]
        if rttm.is_file():
            lines = [line.split() for line in rttm.read_text(encoding="utf-8").splitlines()]
            turns = [(float(f[3]), float(f[4])) for f in lines if f and f[0] == "SPEAKER"]
            return [(start, start + length) for start, length in turns]
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ConfigurationError(f"the labels of {recording} cannot be read: {error}") from error
    return None


def precision_and_recall(found: Spans, truth: Spans, seconds: float) -> tuple[float, float]:
    """Over frames of 10 ms; each is 0 where it has nothing to count."""
    ours, theirs = _frames(found, seconds), _frames(truth, seconds)
    hits = int((ours & theirs).sum())
    return hits / max(1, int(ours.sum())), hits / max(1, int(theirs.sum()))


def _frames(spans: Spans, seconds: float) -> NDArray[np.bool_]:
    frames = np.zeros(round(seconds * FRAMES_PER_SECOND), np.bool_)
    for start, end in spans:
        frames[max(0, round(start * FRAMES_PER_SECOND)) : max(0, round(end * FRAMES_PER_SECOND))] = True
    return frames


def _of(entries: Sequence[ManifestRow], kind: str) -> list[ManifestRow]:
    return [entry for entry in entries if entry.kind == kind]


def _key(file: str) -> str:
    return re.sub(r"\W+", "_", Path(file).stem)
