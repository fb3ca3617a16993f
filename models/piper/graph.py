"""Cuts a Piper voice's ONNX graph in two, so that nothing in it is random and rows may differ in length.

A Piper voice (VITS, Kim et al. 2021, arXiv:2106.06103; exporter ``export_onnx.py`` of rhasspy/piper, MIT) is
one graph with two ``RandomNormalLike`` nodes and one ``Ceil``, which rounds the durations. `split` turns it into

- the *encoder*: tokens and noise to durations (frames, not yet scaled nor rounded) and the prior's mean and
  log deviation, per token;
- the *decoder*: the prior's sample, stretched to frames, and its mask to audio.

The part between them (rounding, stretching, sampling) is a few lines of numpy in ``model.py``, where speed
and both noise scales may differ from row to row. Nodes are found by structure, never by name: names differ
between exporters. Imports onnx: only `Model.load` may import this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from core.errors import WeightsError
from models.shared.onnx import RANDOM

TOKENS, LENGTHS, SCALES, SPEAKER = "input", "input_lengths", "scales", "sid"
NOISE = "chorus_noise"  #: float32 [rows, 2, tokens]
PRIOR = "chorus_prior"  #: float32 [rows, channels, frames]
MASK = "chorus_mask"  #: float32 [rows, 1, frames]
WEIGHTS, MEAN, LOG_DEVIATION, AUDIO = "chorus_weights", "chorus_mean", "chorus_log_deviation", "chorus_audio"


@dataclass(frozen=True, slots=True)
class Halves:
    """The two halves of a voice, serialised.

    ``encoder``: ``input`` int64 [rows, tokens], ``input_lengths`` int64 [rows], ``sid`` int64 [rows] where
    there are many speakers, ``chorus_noise`` where the durations are stochastic → ``chorus_weights`` float32
    [rows, 1, tokens] in frames, ``chorus_mean`` and ``chorus_log_deviation`` float32 [rows, tokens, channels].

    ``decoder``: ``chorus_prior``, ``chorus_mask``, ``sid`` → ``chorus_audio`` float32 [rows, 1, 1, samples].
    """

    encoder: bytes
    decoder: bytes
    stochastic: bool  #: the encoder takes noise
    speakers: bool  #: both halves take ``sid``
    hop: int  #: samples per frame, by the strides of the decoder's upsampling


def split(model: ModelProto, *, masked: bool) -> Halves:
    """The halves of a voice. ``masked`` adds to the decoder what makes rows independent of their padding:
    each convolution sees zeros past a row's end, as it would if the row were alone.

    Raises `core.errors.WeightsError` if the graph is not that of a Piper voice."""
    graph = _Graph(model.graph)
    seams = _seams(graph)
    inputs = {i.name: i for i in model.graph.input if i.name not in graph.constants}
    speakers = [inputs[SPEAKER]] if SPEAKER in inputs else []

    noise = [_value(NOISE, TensorProto.FLOAT, ["rows", 2, "tokens"])] if seams.first_random else []
    encoder = graph.cut(
        outputs={seams.weights: WEIGHTS, seams.mean: MEAN, seams.log_deviation: LOG_DEVIATION},
        replace={seams.first_random: NOISE} if seams.first_random else {},
        inputs=[inputs[TOKENS], inputs[LENGTHS], *speakers, *noise],
        # Speed and noise are applied outside, row by row: in the graph all three scales are one.
        constants=[numpy_helper.from_array(np.ones(3, np.float32), SCALES)],
    )
    for name, put_last in ((MEAN, seams.mean_last), (LOG_DEVIATION, seams.log_deviation_last)):
        if not put_last:
            _transpose_output(encoder, name)
    decoder = graph.cut(
        outputs={model.graph.output[0].name: AUDIO},
        replace={seams.prior: PRIOR, seams.mask: MASK},
        inputs=[
            _value(PRIOR, TensorProto.FLOAT, ["rows", "channels", "frames"]),
            _value(MASK, TensorProto.FLOAT, ["rows", 1, "frames"]),
            *speakers,
        ],
    )
    hop = _mask_decoder(decoder, edit=masked)
    return Halves(
        encoder=_model(encoder, model),
        decoder=_model(decoder, model),
        stochastic=bool(noise),
        speakers=bool(speakers),
        hop=hop,
    )


@dataclass(frozen=True, slots=True)
class _Seams:
    """The tensors at which the graph is cut; ``*_last`` says that the channels are the last axis."""

    first_random: str | None
    weights: str
    mean: str
    mean_last: bool
    log_deviation: str
    log_deviation_last: bool
    prior: str
    mask: str


class _Graph:
    """A graph with its ways back and forth: nodes are numbers, in the file's topological order."""

    def __init__(self, graph: GraphProto) -> None:
        self.nodes: list[NodeProto] = list(graph.node)
        self.constants: dict[str, TensorProto] = {t.name: t for t in graph.initializer}
        self.made_by = {name: i for i, node in enumerate(self.nodes) for name in node.output if name}

    def after(self, tensors: Iterable[str]) -> set[int]:
        """Every node that depends on one of ``tensors``."""
        reached, found = set(tensors), set()
        for i, node in enumerate(self.nodes):
            if not reached.isdisjoint(node.input):
                found.add(i)
                reached.update(node.output)
        return found

    def before(self, tensors: Iterable[str], stop: Iterable[str] = ()) -> set[int]:
        """Every node that ``tensors`` depend on, not looking past ``stop``."""
        ends, found = set(stop), set()
        todo = [t for t in tensors if t not in ends]
        while todo:
            i = self.made_by.get(todo.pop())
            if i is not None and i not in found:
                found.add(i)
                todo += [t for t in self.nodes[i].input if t and t not in ends]
        return found

    def kinds(self, kinds: Sequence[str], among: Iterable[int] | None = None) -> list[int]:
        """Nodes of these operators, in order."""
        chosen = range(len(self.nodes)) if among is None else sorted(among)
        return [i for i in chosen if self.nodes[i].op_type in kinds]

    def cut(
        self,
        *,
        outputs: dict[str, str],
        replace: dict[str, str],
        inputs: Sequence[ValueInfoProto],
        constants: Sequence[TensorProto] = (),
    ) -> GraphProto:
        """The part that makes ``outputs`` (old name to new), with the tensors of ``replace`` read from inputs."""
        keep = self.before(outputs, stop=replace)
        nodes = []
        for i in sorted(keep):
            node = NodeProto()
            node.CopyFrom(self.nodes[i])
            node.input[:] = [replace.get(t, t) for t in node.input]
            nodes.append(node)
        nodes += [helper.make_node("Identity", [old], [new]) for old, new in outputs.items()]
        used = {t for node in nodes for t in node.input}
        given = {i.name for i in inputs} | {t.name for t in constants}
        weights = [t for name, t in self.constants.items() if name in used and name not in given]
        result = helper.make_graph(
            nodes,
            "chorus",
            [i for i in inputs if i.name in used],
            [_value(new, TensorProto.FLOAT, None) for new in outputs.values()],
            [*weights, *constants],
        )
        missing = used - given - {t.name for t in weights} - {t for n in nodes for t in n.output} - {""}
        if missing:
            raise WeightsError(
                f"This is not a Piper voice: the graph needs {sorted(missing)[0]!r} on both sides of the cut."
            )
        return result


def _one(found: Sequence[int], what: str) -> int:
    if len(found) != 1:
        raise WeightsError(f"This is not a Piper voice: its graph has {len(found)} {what} instead of one.")
    return found[0]


def _seams(graph: _Graph) -> _Seams:
    """Where to cut: the rounding of durations, the prior's statistics, its sample, the mask of frames."""
    rounding = graph.nodes[_one(graph.kinds(["Ceil"]), "roundings of durations")]
    frames = graph.after(rounding.output)
    randoms = set(graph.kinds(RANDOM))
    if any(graph.nodes[i].op_type != "RandomNormalLike" for i in randoms):
        raise WeightsError("This is not a Piper voice: its graph draws noise that is not normally distributed.")
    second = _one(sorted(randoms & frames), "random nodes after the durations")
    firsts = sorted(randoms - frames)
    first = graph.nodes[_one(firsts, "random nodes before the durations")].output[0] if firsts else None

    noisy = graph.after(graph.nodes[second].output)
    # The first sum after the noise adds it to the mean.
    prior = graph.nodes[_one(graph.kinds(["Add"], noisy)[:1], "samples of the prior")]
    (mean, mean_last), (deviation, deviation_last) = _statistics(graph, frames, prior, second)
    behind = graph.after(prior.output)
    edges = {t for i in behind for t in graph.nodes[i].input if graph.made_by.get(t) in frames - behind}
    edges -= set(prior.output)
    if len(edges) != 1:
        raise WeightsError(f"This is not a Piper voice: {len(edges)} tensors instead of one mask lead to its decoder.")
    return _Seams(
        first_random=first,
        weights=rounding.input[0],
        mean=mean,
        mean_last=mean_last,
        log_deviation=deviation,
        log_deviation_last=deviation_last,
        prior=prior.output[0],
        mask=edges.pop(),
    )


def _statistics(
    graph: _Graph, frames: set[int], prior: NodeProto, random: int
) -> tuple[tuple[str, bool], tuple[str, bool]]:
    """Mean and log deviation per token: what the two products with the path of durations stretch to frames."""
    noise = set(graph.nodes[random].output)
    products = {}
    for i in graph.kinds(["MatMul"], graph.before(prior.output, stop=noise) & frames):
        outside = [k for k, t in enumerate(graph.nodes[i].input) if graph.made_by.get(t) not in frames]
        if len(outside) == 1:
            products[i] = (graph.nodes[i].input[outside[0]], outside[0] == 1)
    exponents = graph.kinds(["Exp"], graph.before(prior.output, stop=noise) & frames)
    exponent = graph.nodes[_one(exponents, "deviations of the prior")]
    before = graph.before(exponent.output)
    deviation = _one([i for i in products if i in before], "products that stretch the deviation")
    mean = _one([i for i in products if i not in before], "products that stretch the mean")
    return products[mean], products[deviation]


def _mask_decoder(decoder: GraphProto, *, edit: bool) -> int:
    """Samples per frame; with ``edit`` the input of each convolution behind the flow is masked as well.

    The flow masks itself. The vocoder (HiFi-GAN) does not: biases fill the padding, and its receptive field
    carries them back into the last frames of the row."""
    rates = {PRIOR: 1}  # of the tensors that depend on the prior: their length in samples per frame
    masks = {1: MASK}
    nodes: list[NodeProto] = []
    flow_ends = max(i for i, node in enumerate(decoder.node) if MASK in node.input)
    for i, original in enumerate(decoder.node):
        node = NodeProto()
        node.CopyFrom(original)
        rate = max((rates[t] for t in node.input if t in rates), default=0)
        wide = node.op_type == "ConvTranspose" or (node.op_type == "Conv" and _kernel(node) > 1)
        if edit and wide and i > flow_ends and node.input[0] in rates:
            if rate not in masks:
                masks[rate] = f"{MASK}_{rate}"
                nodes += _stretch_mask(decoder, rate)
            masked = f"{node.output[0]}_{MASK}"
            nodes.append(helper.make_node("Mul", [node.input[0], masks[rate]], [masked]))
            node.input[0] = masked
        if rate and node.op_type == "ConvTranspose":
            rate *= math.prod(_ints(node, "strides") or [1])
        if rate:
            rates.update(dict.fromkeys(node.output, rate))
        nodes.append(node)
    if edit:
        del decoder.node[:]
        decoder.node.extend(nodes)
    return rates[AUDIO]


def _stretch_mask(decoder: GraphProto, rate: int) -> list[NodeProto]:
    """Nodes that repeat each frame of the mask ``rate`` times."""
    name = f"{MASK}_{rate}"
    decoder.initializer.extend(
        [
            numpy_helper.from_array(np.array([3], np.int64), f"{name}_axis"),
            numpy_helper.from_array(np.array([1, 1, 1, rate], np.int64), f"{name}_repeats"),
            numpy_helper.from_array(np.array([0, 1, -1], np.int64), f"{name}_shape"),
        ]
    )
    return [
        helper.make_node("Unsqueeze", [MASK, f"{name}_axis"], [f"{name}_4d"]),
        helper.make_node("Expand", [f"{name}_4d", f"{name}_repeats"], [f"{name}_wide"]),
        helper.make_node("Reshape", [f"{name}_wide", f"{name}_shape"], [name]),
    ]


def _transpose_output(graph: GraphProto, name: str) -> None:
    """Turn an output [rows, channels, tokens] into [rows, tokens, channels]."""
    for node in graph.node:
        if name in node.output:
            node.op_type = "Transpose"
            node.attribute.append(helper.make_attribute("perm", [0, 2, 1]))


def _ints(node: NodeProto, name: str) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), [])


def _kernel(node: NodeProto) -> int:
    return math.prod(_ints(node, "kernel_shape") or [1])


def _value(name: str, kind: int, shape: Sequence[int | str] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(graph: GraphProto, like: ModelProto) -> bytes:
    model = helper.make_model(graph, opset_imports=list(like.opset_import), ir_version=like.ir_version)
    return bytes(model.SerializeToString())
