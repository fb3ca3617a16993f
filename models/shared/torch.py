"""torch: devices, and weights that are read as data alone. Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

import pickle  # the class of an error: nothing is unpickled
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import ConfigurationError, WeightsError
from models.base import WeightsReport
from models.shared.devices import parse
from models.shared.memory import keep_freed_memory

_NAMED = 10  #: tensors of one fault that a message names


def open_device(device: str) -> torch.device:
    """The device of ``cpu``, ``cuda`` or ``cuda:1``. Raises `core.errors.ConfigurationError` where torch has none."""
    kind, _ = parse(device)
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ConfigurationError("torch finds no CUDA device.")
        # Convolutions and LSTMs would be rounded to 10 bits: not the same alone and in company.
        torch.backends.cudnn.allow_tf32 = False
    else:
        keep_freed_memory()
    return torch.device(device)


def read_tensors(path: Path, model: str, key: str | None = None) -> dict[str, Tensor]:
    """The state dict of a checkpoint, or the one under its ``key``, on the CPU. No code of the file is run, and
    nothing is inflated.

    Raises `core.errors.WeightsError` if it contains none."""
    found = _read(path, model)
    if key is not None:
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not all(_is_plain(tensor) for tensor in found.values()):
        raise WeightsError(f"{model}: {path.name} contains no {key or 'state dict'}.")
    return dict(found)


def read_state_dicts(path: Path, model: str) -> dict[str, dict[str, Tensor]]:
    """The state dicts of a checkpoint that has several, by the part of the network. Else as `read_tensors`."""
    found = _read(path, model)
    parts = found.values() if isinstance(found, Mapping) else ()
    if not parts or not all(isinstance(part, Mapping) and all(map(_is_plain, part.values())) for part in parts):
        raise WeightsError(f"{model}: {path.name} contains no state dicts.")
    return {str(name): dict(part) for name, part in found.items()}


def read_tensor(path: Path, model: str) -> Tensor:
    """The one tensor of a file. Else as `read_tensors`."""
    found = _read(path, model)
    if not _is_plain(found):
        raise WeightsError(f"{model}: {path.name} contains no tensor.")
    tensor: Tensor = found
    return tensor


def _read(path: Path, model: str) -> Any:
    try:
        _check_archive(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zipfile and torch raise classes of their own
        raise WeightsError(f"{model}: the weights file {path.name} cannot be read: {_why(error)}.") from error


def read_safetensors(path: Path, model: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU. Raises `core.errors.WeightsError` if it cannot be read."""
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors raises classes of its own
        raise WeightsError(f"{model}: the weights file {path.name} cannot be read: {_why(error)}.") from error


def _check_archive(path: Path) -> None:
    """Raises `zipfile.BadZipFile` for an archive with compressed members: torch would inflate them, and writes none."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
            raise zipfile.BadZipFile("its content is compressed, which torch never writes")


def _is_plain(value: object) -> bool:
    """Whether a value is a tensor with numbers of its own, neither sparse nor quantized nor without data."""
    if not isinstance(value, Tensor) or value.device.type != "cpu":
        return False
    return value.layout is torch.strided and not value.is_quantized


def _why(error: Exception) -> str:
    """Why a checkpoint cannot be read, without what torch advises: to run the code in it."""
    text = str(error)
    if code := re.search(r"GLOBAL (\S+)", text):
        return f"it asks for code ({code[1]}), which is never run"
    if isinstance(error, pickle.UnpicklingError):
        return "it is no checkpoint of torch"
    if isinstance(error, EOFError) or "zip archive" in text:
        return "it is damaged or incomplete"
    return text[:200].rstrip(".") or type(error).__name__


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], kind: str) -> WeightsReport:
    """Load exactly these weights into ``module``, for use without gradients.

    Raises `core.errors.WeightsError` if they are not those of ``kind``, as `check_tensors` says."""
    check_tensors({name: tuple(own.shape) for name, own in module.state_dict().items()}, tensors, kind)
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"These are not {kind} weights: {error}") from error
    module.eval().requires_grad_(False)
    return WeightsReport(loaded=len(tensors))


def check_tensors(expected: Mapping[str, Sequence[int]], tensors: Mapping[str, Tensor], kind: str) -> None:
    """Compare a checkpoint with the ``expected`` shapes by name.

    Raises `core.errors.WeightsError` that names what is missing, what is unexpected, what has the wrong shape and what
    is not finite, if they are not exactly those."""
    common = expected.keys() & tensors.keys()
    wrong = sorted(name for name in common if tuple(tensors[name].shape) != tuple(expected[name]))
    faults = {
        "missing": sorted(expected.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - expected.keys()),
        "wrong shape": [f"{name} {list(tensors[name].shape)} instead of {list(expected[name])}" for name in wrong],
        "not finite": sorted(name for name in common - set(wrong) if not torch.isfinite(tensors[name]).all()),
    }
    if found := [f"{fault}: {_listed(names)}" for fault, names in faults.items() if names]:
        raise WeightsError(f"These are not {kind} weights: {'; '.join(found)}.")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
