"""torch: devices, and weights that are read as data alone. Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import ConfigurationError, WeightsError
from models.shared.devices import parse


def open_device(device: str) -> torch.device:
    """The device of ``cpu``, ``cuda`` or ``cuda:1``. Raises `core.errors.ConfigurationError` where torch has none."""
    kind, _ = parse(device)
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError("torch finds no CUDA device.")
        # Convolutions and LSTMs would be rounded to 10 bits: not the same alone and in company.
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(device)


def read_tensors(path: Path, model: str, key: str | None = None) -> dict[str, Tensor]:
    """The state dict of a checkpoint, or the one under its ``key``, on the CPU. No code of the file is run.

    Raises `core.errors.WeightsError` if it contains none."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zipfile and torch raise classes of their own
        raise WeightsError(f"{model}: the weights file {path.name} cannot be read.") from error
    if key is not None:
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise WeightsError(f"{model}: {path.name} contains no {key or 'state dict'}.")
    return dict(found)


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], kind: str) -> None:
    """Load exactly these weights into ``module``, for use without gradients.

    Raises `core.errors.WeightsError` if they are not those of ``kind``."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"These are not {kind} weights: {error}") from error
    module.eval().requires_grad_(False)
