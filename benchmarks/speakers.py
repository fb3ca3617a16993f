"""Speaker encoders: equal error rate over the trials, and the effect of batching on speed and results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from benchmarks.support.recordings import (
    BATCH,
    ROUNDS,
    Speedup,
    largest_difference,
    open_model,
    outputs,
    read_item,
    read_table,
    say,
    speedup,
)
from core.errors import ConfigurationError
from models.base import Embedding, Item, Model

ENCODERS = ("campplus", "ge2e")


@dataclass(frozen=True, slots=True)
class Trial:
    """Two recordings, and whether one speaker speaks in both."""

    first: str
    second: str
    same: bool


def run(arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Per encoder: ``eer_``, ``threshold_`` (the cosine there), ``max_difference_`` and ``speedup_``."""
    data: Path = arguments.data
    trials = read_trials(data / "speakers" / "trials.tsv")
    names = sorted({name for trial in trials for name in (trial.first, trial.second)})
    items = {name: read_item(data / name) for name in names}
    chosen = alike(list(items.values()))
    figures: dict[str, float | int | str] = {"trials": len(trials), "recordings": len(names)}
    for encoder in ENCODERS:
        model = open_model(encoder)
        say(f"{encoder}: {len(names)} recordings, {len(trials)} trials")
        vectors = {
            name: vector
            for first in range(0, len(names), BATCH)
            for name, vector in zip(
                names[first : first + BATCH],
                embed(model, [items[name] for name in names[first : first + BATCH]]),
                strict=True,
            )
        }
        same = [float(vectors[t.first] @ vectors[t.second]) for t in trials if t.same]
        different = [float(vectors[t.first] @ vectors[t.second]) for t in trials if not t.same]
        rate, threshold = equal_error_rate(same, different)
        figures[f"eer_{encoder}"] = round(rate, 6)
        figures[f"threshold_{encoder}"] = round(threshold, 4)
        figures[f"lowest_same_{encoder}"] = round(min(same), 4)
        figures[f"highest_different_{encoder}"] = round(max(different), 4)
        figures[f"max_difference_{encoder}"] = largest_difference(embed(model, chosen), _alone(model, chosen))
        gain = _speedup(encoder, model, chosen)
        figures[f"speedup_{encoder}"] = gain.least
        figures[f"speedup_median_{encoder}"] = gain.median
    figures |= {"batch": BATCH, "rounds": ROUNDS}
    return figures


def read_trials(path: Path) -> list[Trial]:
    """The trials of a table with ``same`` (1 or 0), ``a`` and ``b``. Raises `core.errors.ConfigurationError`."""
    trials = [Trial(row["a"], row["b"], row["same"] == "1") for row in read_table(path, ("same", "a", "b"))]
    if len({trial.same for trial in trials}) != 2:
        raise ConfigurationError(f"{path} needs trials of one speaker and of two")
    return trials


def equal_error_rate(same: Sequence[float], different: Sequence[float]) -> tuple[float, float]:
    """The rate at which as many pairs of one speaker are refused as of two accepted, and its threshold.

    Between two thresholds the rates are read off the line between them (as in ISO/IEC 19795-1's DET curves)."""
    accepted, refused = np.sort(np.asarray(different)), np.sort(np.asarray(same))
    thresholds = np.unique(np.concatenate([accepted, refused]))
    thresholds = np.append(thresholds, thresholds[-1] + 1.0)
    false_accepts: NDArray[np.float64] = 1 - np.searchsorted(accepted, thresholds, side="left") / len(accepted)
    false_rejects: NDArray[np.float64] = np.searchsorted(refused, thresholds, side="left") / len(refused)
    gap = false_rejects - false_accepts  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0:
        # Both rates may stay equal over a range: its middle parts the speakers best.
        last = after + int(np.argmax(gap[after:] > 0)) - 1
        low = thresholds[after - 1] if after else thresholds[0]
        return float(false_accepts[after]), float((low + thresholds[last]) / 2)
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    rate = false_accepts[before] + share * (false_accepts[after] - false_accepts[before])
    return float(rate), float(thresholds[before] + share * (thresholds[after] - thresholds[before]))


def embed(model: Model, items: Sequence[Item]) -> list[Samples]:
    """Unit vectors of the items, in one batch."""
    return [output.vector for output in outputs(model, items) if isinstance(output, Embedding)]


def _alone(model: Model, items: Sequence[Item]) -> list[Samples]:
    return [embed(model, [item])[0] for item in items]


def alike(items: Sequence[Item], count: int = BATCH) -> list[Item]:
    """``count`` items of like length, from the middle of them all: as workers form micro-batches."""
    by_length = sorted(items, key=lambda item: len(item.inputs["samples"]))
    first = max(0, (len(by_length) - count) // 2)
    return [by_length[(first + i) % len(by_length)] for i in range(count)]


def _speedup(name: str, model: Model, items: Sequence[Item]) -> Speedup:
    return speedup(name, lambda: _alone(model, items), lambda: embed(model, items))
