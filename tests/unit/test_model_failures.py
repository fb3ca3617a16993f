"""What a runtime's errors become, and who is run alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core.errors import ChorusError, ModelFailed, NoSpeech, OutOfMemory, Unavailable
from models.base import Bounds, Item, Model, Option, Output
from models.catalog import load_catalog
from models.shared.embeddings import unit
from models.shared.failures import failure, is_out_of_memory, together
from models.shared.noise import noise_of
from models.shared.options import numbers
from workers.microbatch.entries import Served
from workers.microbatch.running import bisect


class OutOfMemoryError(RuntimeError):
    """torch's: only its name is known without torch."""


NO_MEMORY = [
    MemoryError(),
    OutOfMemory(),
    OutOfMemoryError("CUDA"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA failed with error out of memory"),
    RuntimeError("[ONNXRuntimeError] : 6 : FAIL : Failed to allocate memory for requested buffer of size 9"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA_ERROR_OUT_OF_MEMORY"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=repr)
def test_memory_that_ran_out_is_known_in_every_runtime(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert isinstance(failure(error), OutOfMemory)


@pytest.mark.parametrize("error", [RuntimeError("boom"), ValueError("memory"), ModelFailed("no"), NoSpeech()], ids=repr)
def test_other_errors_are_no_lack_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)
    made = failure(error)
    assert made is error if isinstance(error, ChorusError) else isinstance(made, ModelFailed)


def test_torch_says_it_by_that_name() -> None:
    torch = pytest.importorskip("torch")
    assert is_out_of_memory(torch.OutOfMemoryError("x"))


class Full(Model):
    """Runs out of memory in one way."""

    error: Exception

    def load(self, device: str) -> None: ...

    def cost(self, item: Item) -> int:
        return 1

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        raise self.error


@pytest.mark.parametrize("error", NO_MEMORY, ids=repr)
def test_the_batcher_knows_it_too(error: Exception) -> None:
    model = Full(load_catalog().get("silero"), Path)
    model.error = error
    served = Served(model=model, bounds=Bounds(items=4, cost=100))
    outcomes = bisect(served, [Item({})] * 4)
    assert [type(outcome) for outcome in outcomes] == [OutOfMemory] * 4
    assert served.bounds.items == 1


class Halves:
    """Halves even numbers; memory runs out above ``room`` items."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.calls: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        if len(items) > self.room:
            raise RuntimeError("out of memory")
        if any(item % 2 for item in items):
            raise ModelFailed("odd")
        return [item // 2 for item in items]


def test_what_goes_well_runs_once() -> None:
    run = Halves(room=3)
    assert together([2, 4, 6], run) == [1, 2, 3]
    assert run.calls == [[2, 4, 6]]
    assert together([], run) == []


def test_a_bad_item_fails_alone() -> None:
    run = Halves(room=3)
    first, bad, last = together([2, 3, 6], run)
    assert (first, last) == (1, 3)
    assert isinstance(bad, ModelFailed)
    assert run.calls == [[2, 3, 6], [2], [3], [6]]


def test_where_memory_runs_out_in_company_each_runs_alone() -> None:
    assert together([2, 4], Halves(room=1)) == [1, 2]
    assert [type(outcome) for outcome in together([2, 4], Halves(room=0))] == [OutOfMemory, OutOfMemory]


def test_a_worker_that_stops_is_no_failure_of_its_items() -> None:
    def stop(items: Sequence[int]) -> list[int]:
        raise Unavailable

    with pytest.raises(Unavailable):
        together([1, 2], stop)


OPTIONS = {"speed": Option(default=1.0, minimum=0.5, maximum=2.0), "pad": Option(default=0.0)}


def test_options_as_numbers() -> None:
    assert numbers(OPTIONS, {"speed": 2, "pad": -1.5, "other": "x"}) == {"speed": 2.0, "pad": -1.5}
    assert numbers(OPTIONS, {"speed": None}) == {}


@pytest.mark.parametrize("value", [0.4, 2.1, float("nan"), "1", True, [1]])
def test_an_option_out_of_bounds_fails_its_item(value: object) -> None:
    with pytest.raises(ModelFailed, match="speed"):
        numbers(OPTIONS, {"speed": value})


def test_noise_is_the_items_own() -> None:
    first, second, other = (noise_of(Item({}, seed=seed)).standard_normal(4) for seed in (7, 7, 8))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    with pytest.raises(ModelFailed):
        noise_of(Item({}, seed=-1))


def test_embeddings_have_unit_length() -> None:
    assert unit(np.array([3.0, 4.0], np.float32)) == pytest.approx([0.6, 0.8])
    for bad in ([0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(ModelFailed):
            unit(np.array(bad, np.float32))
