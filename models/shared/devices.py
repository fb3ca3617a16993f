"""The device of a model: the available CUDA devices, and whether the installed runtimes can use them.

A runtime is imported only if a CUDA device exists or is requested, and a model needs that runtime.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigurationError
from core.names import Runtime
from models.base import ModelSpec

#: A runtime's name to people, and what to install for CUDA.
_NAMES = {
    Runtime.ONNX: ("ONNX Runtime", "onnxruntime-gpu"),
    Runtime.TORCH: ("torch", "torch for CUDA"),
    Runtime.CTRANSLATE2: ("CTranslate2", "ctranslate2 for CUDA"),
}


@dataclass(frozen=True, slots=True)
class Placement:
    """The device of a model (``cpu``, ``cuda``, ``cuda:1``), why it is that one, and what runs the model there."""

    device: str
    reason: str
    runtime: Runtime | None = None


def parse(device: str) -> tuple[str, int]:
    """Kind and number of a device: ``("cuda", 1)`` of ``cuda:1``. Raises `core.errors.ConfigurationError`."""
    match = re.fullmatch(r"(cpu|cuda)(?::(\d{1,3}))?", device)
    if match is None or (match[1] == "cpu" and match[2]):
        raise ConfigurationError(f"{device!r} is no device: cpu, cuda or cuda:N")
    return match[1], int(match[2] or 0)


def place(spec: ModelSpec, process: str) -> Placement:
    """The device for a model: its own ``device``, or that of the ``process``; ``auto`` is the first CUDA device where
    its family's runtime can use one, else the CPU.

    Raises `core.errors.ConfigurationError` if a CUDA device is requested by name and cannot be used."""
    asked, who = (spec.device, "models.yaml") if spec.device else (process, "CHORUS_DEVICE")
    runtime = runtime_on(spec, "cuda")
    if asked == "cpu":
        return Placement("cpu", f"{who} says cpu", runtime_on(spec, "cpu"))
    if runtime is None:
        return Placement("cpu", f"models of type {spec.type} use no GPU")
    if asked == "auto":
        # Without a device no runtime needs to be imported to ask it.
        if not cuda_devices() or not usable(runtime):
            return Placement("cpu", _lack(runtime), runtime_on(spec, "cpu"))
        return Placement("cuda", f"{_NAMES[runtime][0]} can use a CUDA device", runtime)
    _, number = parse(asked)
    if (count := usable(runtime)) <= number:
        reason = f"{_NAMES[runtime][0]} sees {count} CUDA devices" if count else _lack(runtime)
        raise ConfigurationError(f"{spec.name} cannot run on {asked}, as {who} says: {reason}")
    return Placement(asked, f"{who} says {asked}", runtime)


def runtime_on(spec: ModelSpec, device: str) -> Runtime | None:
    """The runtime of a model on ``device``: its entry's, else its family's. None if the family has none."""
    from models.families import family_of  # which reads the settings: `benchmarks.gpu` has none

    family = family_of(spec.type)
    return spec.runtime or (family.cuda_runtime if parse(device)[0] == "cuda" else None) or family.runtime


def cuda_devices() -> int:
    """CUDA devices that the driver shows this process; ``CUDA_VISIBLE_DEVICES`` is heeded."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value


def usable(runtime: Runtime) -> int:
    """The number of CUDA devices that the installed runtime can use; 0 if it is built for the CPU, or not installed."""
    modules = {Runtime.ONNX: "onnxruntime", Runtime.TORCH: "torch", Runtime.CTRANSLATE2: "ctranslate2"}
    try:
        module: Any = importlib.import_module(modules[runtime])
        if runtime is Runtime.ONNX:
            return cuda_devices() if "CUDAExecutionProvider" in module.get_available_providers() else 0
        if runtime is Runtime.TORCH:
            return int(module.cuda.device_count()) if module.cuda.is_available() else 0
        return int(module.get_cuda_device_count())
    except (ImportError, OSError, RuntimeError):  # a library of CUDA is missing, or the driver is too old for it
        return 0


def _lack(runtime: Runtime) -> str:
    """Why a runtime can use no device."""
    if not cuda_devices():
        return "there is no CUDA device"
    name, package = _NAMES[runtime]
    return f"the installed {name} cannot use CUDA; install {package}"
