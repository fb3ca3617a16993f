"""A Piper voice's ONNX file as a torch network: its tensors by the names that they had in training, and its sizes.

An exporter (``export_onnx.py`` of rhasspy/piper, MIT) keeps most names, folds weight normalization into tensors with
names of its own, and folds constants. So a weight is named after the bias beside it, and sizes are read from shapes and
from the attributes of the convolutions. Imports torch and onnx: only `Model.load` may import this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from torch import Tensor

from core.errors import WeightsError
from models.base import WeightsReport
from models.vits.config import DecoderSizes, DurationSizes, EncoderSizes, NetworkSizes, WaveNetSizes
from models.vits.network import Network
from models.vits.weights import load_network

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def read_network(model: ModelProto, name: str) -> tuple[Network, WeightsReport]:
    """The network of a voice named ``name``, with its weights. Raises `core.errors.WeightsError`."""
    voice = _Voice(model)
    try:
        network = Network(_sizes(voice))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise WeightsError(f"{name}: the ONNX file is not that of a Piper voice: {error!r}") from error
    return network, load_network(network, voice.tensors, "Piper")


class _Voice:
    """Tensors and attributes of a graph by the names of training. The duration predictor, ``dp`` in Piper, is ``sdp``
    if it is the stochastic one."""

    def __init__(self, model: ModelProto) -> None:
        constants = {t.name: t for t in model.graph.initializer}
        arrays: dict[str, NDArray[Any]] = {}
        self.attributes: dict[str, Mapping[str, Any]] = {}
        for node in model.graph.node:
            for kind, tensor in _named(node, set(constants)).items():
                arrays[kind] = numpy_helper.to_array(constants[tensor])
            if node.op_type in _CONVOLUTIONS and (layer := _layer(node)):
                self.attributes[layer] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        for tensor, proto in constants.items():
            if re.match(r"(enc_p|dp|flow|dec)\.", tensor) and tensor not in arrays:
                arrays[tensor] = numpy_helper.to_array(proto)
        arrays.update(_embeddings(model, constants))
        if "dp.flows.0.m" in arrays:
            arrays["dp.flows.0.logs"] = _scale(model, constants)
        stochastic = any(key.startswith("dp.flows.") for key in arrays)
        self.tensors: dict[str, Tensor] = {
            re.sub(r"^dp\.", "sdp.", key) if stochastic else key: torch.from_numpy(array.astype(np.float32))
            for key, array in arrays.items()
        }

    def count(self, pattern: str) -> int:
        """How many different numbers the group of ``pattern`` has among the tensors' names."""
        return len({found[1] for key in self.tensors if (found := re.match(pattern, key))})

    def shape(self, key: str) -> tuple[int, ...]:
        return tuple(self.tensors[key].shape)

    def attribute(self, layer: str, attribute: str) -> int:
        """The first number of an attribute of a convolution."""
        return int(self.attributes[layer][attribute][0])


def _layer(node: NodeProto) -> str:
    """The name of a convolution: that of its bias, or of its weight where it has none."""
    named = [i for i in reversed(node.input) if re.match(r"(enc_p|dp|flow|dec)\..*\.(weight|bias)$", i)]
    return named[0].rpartition(".")[0] if named else ""


def _named(node: NodeProto, constants: set[str]) -> dict[str, str]:
    """Weight and bias of a convolution: the name of training, and that in the file."""
    layer = _layer(node) if node.op_type in _CONVOLUTIONS else ""
    names = zip((f"{layer}.weight", f"{layer}.bias"), node.input[1:], strict=False)
    return {name: tensor for name, tensor in names if layer and tensor in constants}


def _embeddings(model: ModelProto, constants: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The tables of tokens and, in a voice of several speakers, of speakers: what ``input`` and ``sid`` gather."""
    found = {}
    tables = {"input": "enc_p.emb.weight", "sid": "emb_g.weight"}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[1] in tables and node.input[0] in constants:
            found[tables[node.input[1]]] = numpy_helper.to_array(constants[node.input[0]])
    return found


def _scale(model: ModelProto, constants: Mapping[str, Any]) -> NDArray[Any]:
    """The log scale of the durations' affine flow [2, 1], of which exporters keep only exp(-logs)."""
    if "dp.flows.0.logs" in constants:
        own: NDArray[Any] = numpy_helper.to_array(constants["dp.flows.0.logs"])
        return own
    users = {name: node for node in model.graph.node for name in node.input}
    makers = {name: node for node in model.graph.node for name in node.output}
    shifted = users["dp.flows.0.m"].output[0]
    [factor] = [name for name in users[shifted].input if name != shifted]
    if factor in constants:  # older exporters fold the exponential as well
        logs = -np.log(numpy_helper.to_array(constants[factor]).astype(np.float64))
    else:
        logs = -numpy_helper.to_array(constants[makers[factor].input[0]]).astype(np.float64)
    shaped: NDArray[Any] = logs.reshape(2, 1)
    return shaped


def _sizes(voice: _Voice) -> NetworkSizes:
    """The sizes of a voice, by its tensors. Raises `KeyError` and the like for what is no Piper voice."""
    symbols, hidden = voice.shape("enc_p.emb.weight")
    filters, _, kernel = voice.shape("enc_p.encoder.ffn_layers.0.conv_1.weight")
    _, distances, width = voice.shape("enc_p.encoder.attn_layers.0.emb_rel_k")
    flow_kernel = voice.shape("flow.flows.0.enc.in_layers.0.weight")[2]
    flow_layers = voice.count(r"flow\.flows\.0\.enc\.in_layers\.(\d+)")
    speakers, conditioning = voice.shape("emb_g.weight") if "emb_g.weight" in voice.tensors else (0, 0)
    return NetworkSizes(
        latent=voice.shape("enc_p.proj.weight")[0] // 2,
        hidden=voice.shape("flow.flows.0.pre.weight")[0],
        decoder=_decoder(voice),
        encoder=EncoderSizes(
            symbols=symbols,
            hidden=hidden,
            filters=filters,
            heads=hidden // width,
            layers=voice.count(r"enc_p\.encoder\.attn_layers\.(\d+)"),
            kernel=kernel,
            window=distances // 2,
        ),
        durations=_durations(voice),
        flows=voice.count(r"flow\.flows\.(\d+)"),
        flow=WaveNetSizes(
            kernel=flow_kernel,
            dilation=voice.attribute("flow.flows.0.enc.in_layers.1", "dilations") if flow_layers > 1 else 1,
            layers=flow_layers,
        ),
        speakers=speakers,
        conditioning=conditioning,
    )


def _durations(voice: _Voice) -> DurationSizes:
    if "dp.conv_1.weight" in voice.tensors:
        filters, _, kernel = voice.shape("dp.conv_1.weight")
        return DurationSizes(stochastic=False, deterministic=True, filters=filters, kernel=kernel)
    last = max(int(found[1]) for key in voice.tensors if (found := re.match(r"sdp\.flows\.(\d+)", key)))
    return DurationSizes(
        kernel=voice.shape("sdp.convs.convs_sep.0.weight")[2],
        flows=(last + 1) // 2,
        layers=voice.count(r"sdp\.convs\.convs_sep\.(\d+)"),
        bins=(voice.shape(f"sdp.flows.{last}.proj.weight")[0] + 1) // 3,
    )


def _decoder(voice: _Voice) -> DecoderSizes:
    ups = voice.count(r"dec\.ups\.(\d+)")
    blocks = voice.count(r"dec\.resblocks\.(\d+)") // ups
    paired = "dec.resblocks.0.convs1.0.weight" in voice.tensors
    convs = "convs1" if paired else "convs"
    count = voice.count(rf"dec\.resblocks\.0\.{convs}\.(\d+)")
    return DecoderSizes(
        blocks="1" if paired else "2",
        rates=tuple(voice.attribute(f"dec.ups.{i}", "strides") for i in range(ups)),
        rate_kernels=tuple(voice.shape(f"dec.ups.{i}.weight")[2] for i in range(ups)),
        channels=voice.shape("dec.conv_pre.weight")[0],
        kernels=tuple(voice.shape(f"dec.resblocks.{i}.{convs}.0.weight")[2] for i in range(blocks)),
        dilations=tuple(
            tuple(voice.attribute(f"dec.resblocks.{i}.{convs}.{j}", "dilations") for j in range(count))
            for i in range(blocks)
        ),
    )
