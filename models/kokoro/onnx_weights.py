"""Kokoro's int8 ONNX file as a torch network: its tensors dequantised, by the names that they had in training.

The exporter keeps most names of biases and of what is not quantised; a weight is named after the node that uses it.
Imports torch and onnx: only `Model.load` may import this module."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

from core.errors import WeightsError
from models.base import WeightsReport
from models.kokoro.checkpoint import load
from models.kokoro.network.network import Network
from models.kokoro.network.sizes import Sizes

#: From the path of a node to the name of a module.
_NAMES = (
    (r"^encoder\.bert\.encoder\.", "bert.encoder."),
    (r"^encoder\.(F0|N)(\.|_proj)", r"predictor.\1\2"),
    (r"^encoder\.shared", "predictor.shared"),
    (r"^encoder\.", ""),
    (r"^decoder\.decoder\.", "decoder."),
    (r"cnn\.\d\.cnn\.", "cnn."),
    (r"asr_res\.asr_res\.0", "asr_res.0"),
    # The one layer of the ALBERT is there once for each time that it is used.
    (r"albert_layers\.0\.(attention\.)?(query|key|value|dense|ffn|ffn_output)_\d+$", r"albert_layers.0.\1\2"),
)
_SUFFIX = "_quantized"


def read_network(model: ModelProto, name: str) -> tuple[Network, WeightsReport]:
    """The published network with the weights of an ONNX file. Raises `core.errors.WeightsError`."""
    try:
        arrays = _Arrays(model.graph).found
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(f"{name}: the ONNX file is not that of Kokoro: {error!r}") from error
    tensors = {key: torch.from_numpy(np.array(array, np.float32, order="C")) for key, array in arrays.items()}
    return load(Sizes(), tensors)


class _Arrays:
    """The arrays of a graph by the names of training, float32."""

    def __init__(self, graph: GraphProto) -> None:
        self._constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self._used: set[str] = set()
        self.found: dict[str, NDArray[Any]] = {}
        for node in graph.node:
            self._take(node)
        for key, array in self._constants.items():
            if key not in self._used and (own := _own_name(key)):
                self.found.setdefault(own, array)

    def _take(self, node: NodeProto) -> None:
        name = f"{_module(node.name)}.weight"
        if node.op_type == "ConvInteger":
            self.found[name] = self._dequantised(node.input[1], node.input[3])
        elif node.op_type == "MatMulInteger" and node.input[1] in self._constants:
            self.found[name] = self._dequantised(node.input[1], node.input[3]).T  # torch has [out, in]
        elif node.op_type in ("Conv", "ConvTranspose") and "stft" not in node.name:
            self.found[name] = self._constant(node.input[1])
        elif node.op_type == "MatMul" and "l_linear" in node.name:
            self.found[name] = self._constant(node.input[1]).T
        elif node.op_type == "DynamicQuantizeLSTM":
            self._take_recurrent(node)
        elif node.op_type == "DequantizeLinear":  # of what was gathered of a table
            table = f"{node.input[1].removesuffix('_scale')}{_SUFFIX}"
            self.found[_renamed(table.removesuffix(_SUFFIX))] = self._dequantised(table, node.input[2])

    def _take_recurrent(self, node: NodeProto) -> None:
        """The weights of a recurrent network in both directions, with the gates in torch's order."""
        module = _module(node.name)
        weights = {"ih": (node.input[1], *node.input[8:10]), "hh": (node.input[2], *node.input[10:12])}
        for direction, suffix in enumerate(("", "_reverse")):
            for kind, names in weights.items():
                values, scale, zero = (self._constant(name)[direction] for name in names)
                self.found[f"{module}.weight_{kind}_l0{suffix}"] = _gates(_scaled(values, scale, zero).T)
            biases = np.split(self._constant(node.input[3])[direction], 2)
            for kind, bias in zip(weights, biases, strict=True):
                self.found[f"{module}.bias_{kind}_l0{suffix}"] = _gates(bias)

    def _dequantised(self, name: str, zero: str) -> NDArray[Any]:
        scale = self._constant(f"{name.removesuffix(_SUFFIX)}_scale")
        return _scaled(self._constant(name), scale, self._constant(zero))

    def _constant(self, name: str) -> NDArray[Any]:
        self._used.add(name)
        constant: NDArray[Any] = self._constants[name]
        return constant


def _scaled(values: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any]) -> NDArray[Any]:
    scaled: NDArray[Any] = (values.astype(np.float32) - zero.astype(np.float32)) * scale
    return scaled


def _gates(rows: NDArray[Any]) -> NDArray[Any]:
    """ONNX's order of the gates (input, output, forget, cell) to torch's (input, forget, cell, output)."""
    entry, out, forget, cell = rows.reshape(4, -1, *rows.shape[1:])
    return np.concatenate((entry, forget, cell, out))


def _module(path: str) -> str:
    """The module that a node computes."""
    return _renamed(".".join(path.strip("/").split("/")[:-1]))


def _renamed(name: str) -> str:
    for pattern, ours in _NAMES:
        name = re.sub(pattern, ours, name)
    return name


def _own_name(constant: str) -> str | None:
    """The name of a constant that the exporter has kept; None for those that it made."""
    kept = re.match(r"(encoder|decoder)\.", constant) and not re.search(
        r"stft|_reshape_shape$|_scale$|_zero_point$|_quantized$", constant
    )
    return _renamed(constant) if kept else None
