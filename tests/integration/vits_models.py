"""Models of VITS on checkpoints in a folder, and comparisons of what they give."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from core.errors import WeightsError
from models.base import Bounds, Item, Model, ModelSpec, Speech, WeightsFile
from models.families import family_of

TOLERANCE = 1e-4  # of DESIGN.md: run(items)[i] is the same alone or in any batch

Loaded = TypeVar("Loaded", bound=Model)


def spec_of(model_type: str, files: Mapping[str, Path], **more: Any) -> ModelSpec:
    """An entry of models.yaml for weights that lie in files."""
    family = family_of(model_type)
    weights = {
        name: WeightsFile(name=path.name, parts=(), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for name, path in files.items()
    }
    spec = ModelSpec(
        name=f"small-{model_type}",
        type=model_type,
        role=family.role,
        weights=weights,
        languages=("en",),
        voices={},
        options=family.options,
        sample_rate=22_050,
        batch={"cpu": Bounds(items=16, cost=8000)},
        batch_timeout=100,
    )
    return dataclasses.replace(spec, **more)


def load(kind: type[Loaded], model_type: str, files: Mapping[str, Path], **more: Any) -> Loaded:
    model = kind(spec_of(model_type, files, **more), lambda name: files[name])
    model.load("cpu")
    return model


def speech(outcome: Any) -> Speech:
    assert isinstance(outcome, Speech), outcome
    return outcome


def check_company(model: Model, items: Sequence[Item]) -> None:
    """Every sample of each item is the same alone and in this company, and in the same company again."""
    alone = [speech(model.run([item])[0]).samples for item in items]
    together, again = ([speech(outcome).samples for outcome in model.run(items)] for _ in range(2))
    for one, first, second in zip(alone, together, again, strict=True):
        assert first.shape == one.shape
        assert np.abs(first - one).max() <= TOLERANCE
        assert np.array_equal(first, second), "the same job gives the same samples"


def check_refusals(
    load_changed: Callable[[dict[str, Any]], object], tensors: dict[str, Any], name: str, ours: str
) -> None:
    """A checkpoint without the tensor ``name`` (``ours`` in the network), with one more, or with one of another shape
    is an error that says so."""
    import torch

    without = {key: value for key, value in tensors.items() if key != name}
    for changed, reason in (
        (without, f"missing: {ours}"),
        ({**tensors, "dec.surplus.weight": torch.zeros(3)}, "unexpected: dec.surplus.weight"),
        ({**tensors, name: torch.zeros(5, 7)}, f"wrong shape: {ours}"),
    ):
        with pytest.raises(WeightsError, match=reason):
            load_changed(changed)
