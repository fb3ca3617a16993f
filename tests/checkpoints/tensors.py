"""Random tensors that depend on a seed and their own name alone.

The numbers are made from the raw output of PCG64 (which NumPy keeps stable over its versions) by shifts and float32
products, without a transcendental function, so that every machine gets the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: standard deviation of biases: large enough that a bias leaking out of a mask is seen
BIAS = 0.1


def uniform(seed: int, name: str, shape: tuple[int, ...]) -> Array:
    """Float32 of mean 0 and variance 1, uniform over [-sqrt(3), sqrt(3))."""
    key = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:16], "little")
    raw = np.random.PCG64(key).random_raw(math.prod(shape))
    values = (raw >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    return (values * np.float32(math.sqrt(3))).reshape(shape)


def rows(*parts: tuple[int, float]) -> Array:
    """A factor for each output channel: (how many channels, their factor), in order."""
    return np.concatenate([np.full(count, factor, np.float32) for count, factor in parts])


class Tensors:
    """A state dict under construction. Weights are scaled by their fan-in, so that inputs of variance 1 give outputs
    of variance ``gain`` squared."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.state: dict[str, torch.Tensor] = {}

    def put(self, name: str, shape: tuple[int, ...], scale: float | Array = 1.0, mean: float | Array = 0.0) -> None:
        """``name``: uniform values times ``scale`` plus ``mean``; arrays have one value per row."""
        factor, offset = (
            np.asarray(v, np.float32).reshape(-1, *[1] * (len(shape) - 1)) if np.ndim(v) else np.float32(v)
            for v in (scale, mean)
        )
        self.state[name] = torch.from_numpy(uniform(self.seed, name, shape) * factor + offset)

    def conv(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        gain: float | Array = 1.0,
        bias: int | None = None,
        bias_mean: float | Array = 0.0,
    ) -> None:
        """A convolution or linear layer; ``shape`` is (out, in, kernel...).

        ``bias`` is the number of biases where it is not the first dimension (transposed convolutions, no bias)."""
        self.put(f"{name}.weight", shape, np.asarray(gain, np.float32) / np.float32(math.sqrt(math.prod(shape[1:]))))
        if bias != 0:
            self.put(f"{name}.bias", (bias or shape[0],), BIAS, bias_mean)

    def normed(self, name: str, shape: tuple[int, ...], *, gain: float = 1.0, bias: int | None = None) -> None:
        """A `conv` with weight norm: the rows of ``weight_v``, each scaled to the norm in ``weight_g``."""
        self.put(f"{name}.weight_g", (shape[0], *[1] * (len(shape) - 1)), 0.1 * gain, gain)
        self.put(f"{name}.weight_v", shape)
        self.put(f"{name}.bias", (bias or shape[0],), BIAS)

    def norm(self, name: str, channels: int, weight: str = "gamma", bias: str = "beta") -> None:
        """A layer norm."""
        self.put(f"{name}.{weight}", (channels,), 0.1, 1.0)
        self.put(f"{name}.{bias}", (channels,), BIAS)


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 (hexadecimal) over all names, shapes and float32 values of a state dict."""
    total = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        total.update(f"{name}{tuple(tensor.shape)}".encode())
        total.update(tensor.detach().numpy().astype("<f4").tobytes())
    return total.hexdigest()
