"""What the benchmarks of listening models share: the recordings of a data folder, the models, CPU time."""

from __future__ import annotations

import csv
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.decode import decode
from core.errors import ChorusError, ConfigurationError
from core.settings import settings
from models.base import Item, Model, Output
from models.catalog import load_catalog, model_class
from models.weights import WeightsCache, files_of

RATE = 16_000
MAX_SECONDS = 3600.0
BATCH = 16  #: recordings in one batch
ROUNDS = 15


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One line of a data folder's ``manifest.tsv``: path below the folder, and what it is."""

    file: str
    kind: str


def read_manifest(data: Path) -> list[ManifestRow]:
    """The files that a data folder says it has. Raises `core.errors.ConfigurationError`."""
    entries = [ManifestRow(row["file"], row["kind"]) for row in read_table(data / "manifest.tsv", ("file", "kind"))]
    return [entry for entry in entries if (data / entry.file).is_file()]


def read_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a tab-separated table with a head. Raises `core.errors.ConfigurationError`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise ConfigurationError(f"{path} has no column {min(missing)!r}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def read_item(path: Path) -> Item:
    """A recording as float32 mono at 16 kHz."""
    return Item({"samples": decode(path, RATE, max_seconds=MAX_SECONDS), "rate": RATE})


def spread(items: Sequence[str], count: int = BATCH) -> list[str]:
    """``count`` of the items, evenly over them all; some more than once where there are fewer."""
    return [items[i * len(items) // count] for i in range(count)]


def open_model(model_type: str) -> Model:
    """The first model of that type in the catalog, loaded on one thread of the CPU."""
    import torch

    torch.set_num_threads(1)
    for spec in load_catalog().models.values():
        if spec.type == model_type:
            say(f"loading {spec.name}")
            model = model_class(spec)(spec, files_of(spec, WeightsCache(settings().cache.expanduser())))
            model.load("cpu")
            return model
    raise ConfigurationError(f"the catalog has no model of type {model_type}")


def outputs(model: Model, items: Sequence[Item]) -> list[Output]:
    """What the model makes of the items. Raises the first `core.errors.ChorusError` among it."""
    made: list[Output] = []
    for outcome in model.run(items):
        if isinstance(outcome, ChorusError):
            raise outcome
        made.append(outcome)
    return made


@dataclass(frozen=True, slots=True)
class Speedup:
    """CPU time of one side over that of the other, both measured by turns in several rounds.

    ``least``: the shortest time of each side, as `timeit` advises: what else runs on the machine only ever adds.
    ``median``: the median of the rounds' own ratios, which moves by several percent on a busy machine."""

    least: float
    median: float


def speedup(name: str, one_by_one: Callable[[], object], batched: Callable[[], object]) -> Speedup:
    """How much less CPU time ``batched`` takes than ``one_by_one``."""
    one_by_one()
    batched()
    times: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        if number % 2:
            first, second = cpu_time(one_by_one), cpu_time(batched)
        else:
            second, first = cpu_time(batched), cpu_time(one_by_one)
        times.append((first, second))
        say(f"{name}: {first:.3f} s one by one, {second:.3f} s batched")
    ones, batches = zip(*times, strict=True)
    return Speedup(
        least=round(min(ones) / min(batches), 4),
        median=round(statistics.median(one / batch for one, batch in times), 4),
    )


def cpu_time(call: Callable[[], object]) -> float:
    """Seconds of CPU that a call takes, of all threads of this process."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        call()
        return time.process_time() - start
    finally:
        gc.enable()


def largest_difference(ours: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> float:
    """The largest difference between any two numbers of arrays that belong together."""
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(ours, others, strict=True))
