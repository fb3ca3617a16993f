"""What the benchmarks of listening models share: the recordings of a data folder, the models, CPU time."""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio.decode import decode
from core.errors import ChorusError, ConfigurationError
from core.names import ModelType
from core.settings import settings
from models.base import Item, Model, Output
from models.catalog import load_catalog, model_class
from models.weights import WeightsCache, files_of

RATE = 16_000
MAX_SECONDS = 3600.0
BATCH = 16  #: recordings in one batch
ROUNDS = 9


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a data folder's ``manifest.tsv``: path below the folder, and what it is."""

    file: str
    kind: str


def read_manifest(data: Path) -> list[Entry]:
    """The files that a data folder says it has. Raises `core.errors.ConfigurationError`."""
    entries = [Entry(row["file"], row["kind"]) for row in read_table(data / "manifest.tsv", ("file", "kind"))]
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


def open_model(model_type: ModelType) -> Model:
    """The first model of that type in the catalog, loaded on one thread of the CPU."""
    import torch

    torch.set_num_threads(1)
    for spec in load_catalog().models.values():
        if spec.type is model_type:
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


def ratio(name: str, one_by_one: Callable[[], object], batched: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU time of ``one_by_one`` over that of ``batched``: the median over rounds of both by turns."""
    one_by_one(), batched()
    ratios = []
    for number in range(rounds):
        sides = (one_by_one, batched) if number % 2 else (batched, one_by_one)
        times = {side: cpu_time(side) for side in sides}
        ratios.append(times[one_by_one] / times[batched])
        say(f"{name}: {times[one_by_one]:.3f} s one by one, {times[batched]:.3f} s batched")
    return statistics.median(ratios)


def cpu_time(call: Callable[[], object]) -> float:
    """Seconds of CPU that a call takes, of all threads of this process."""
    start = time.process_time()
    call()
    return time.process_time() - start


def largest_difference(ours: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> float:
    """The largest difference between any two numbers of arrays that belong together."""
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(ours, others, strict=True))
