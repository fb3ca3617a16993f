"""The parts of a VITS, with the names and shapes of the original implementation.

Names and shapes are those of ``models.py``, ``modules.py`` and ``attentions.py`` of OpenVoice and of Piper's training
code (both MIT), which took them from the original VITS. Scales are ours: a forward pass gives audio that is neither
silent nor saturated, durations of about 1 to 6 frames per token, and flows that change what they are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.checkpoints.tensors import Tensors, rows

#: mean of the logarithm of a token's frames
LOG_FRAMES = 1.0
WINDOW = 4  # of the relative positions
SPLINE_BINS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a VITS; ``gin`` is 0 without speakers."""

    inter: int
    hidden: int
    filters: int
    heads: int
    layers: int
    kernel: int
    resblock: str
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    upsample_rates: tuple[int, ...]
    upsample_initial: int
    upsample_kernels: tuple[int, ...]
    gin: int

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Shape:
        """From the ``model`` section of an upstream configuration."""
        return cls(
            inter=model["inter_channels"],
            hidden=model["hidden_channels"],
            filters=model["filter_channels"],
            heads=model["n_heads"],
            layers=model["n_layers"],
            kernel=model["kernel_size"],
            resblock=model["resblock"],
            resblock_kernels=tuple(model["resblock_kernel_sizes"]),
            resblock_dilations=tuple(map(tuple, model["resblock_dilation_sizes"])),
            upsample_rates=tuple(model["upsample_rates"]),
            upsample_initial=model["upsample_initial_channel"],
            upsample_kernels=tuple(model["upsample_kernel_sizes"]),
            gin=model["gin_channels"],
        )


def text_encoder(t: Tensors, shape: Shape, vocabulary: int, name: str = "enc_p") -> None:
    hidden = shape.hidden
    t.put(f"{name}.emb.weight", (vocabulary, hidden), hidden**-0.5)  # upstream multiplies by sqrt(hidden)
    transformer(t, f"{name}.encoder", shape, shape.layers, shape.kernel)
    _mean_and_logs(t, f"{name}.proj", hidden, shape.inter, gain=1.0)


def transformer(t: Tensors, name: str, shape: Shape, layers: int, kernel: int) -> None:
    hidden, head = shape.hidden, shape.hidden // shape.heads
    for i in range(layers):
        attention = f"{name}.attn_layers.{i}"
        for part, gain in (("conv_q", 1.5), ("conv_k", 1.5), ("conv_v", 1.0), ("conv_o", 0.5)):
            t.conv(f"{attention}.{part}", (hidden, hidden, 1), gain=gain)
        for part in ("emb_rel_k", "emb_rel_v"):
            t.put(f"{attention}.{part}", (1, 2 * WINDOW + 1, head), head**-0.5)
        t.norm(f"{name}.norm_layers_1.{i}", hidden)
        t.conv(f"{name}.ffn_layers.{i}.conv_1", (shape.filters, hidden, kernel))
        t.conv(f"{name}.ffn_layers.{i}.conv_2", (hidden, shape.filters, kernel), gain=0.7)
        t.norm(f"{name}.norm_layers_2.{i}", hidden)


def _mean_and_logs(t: Tensors, name: str, hidden: int, inter: int, gain: float) -> None:
    gains, means = rows((inter, gain), (inter, 0.3 * gain)), rows((inter, 0), (inter, -1))
    t.conv(name, (2 * inter, hidden, 1), gain=gains, bias_mean=means)


def duration_predictor(t: Tensors, hidden: int, gin: int, name: str = "dp", filters: int = 256) -> None:
    t.conv(f"{name}.conv_1", (filters, hidden, 3))
    t.norm(f"{name}.norm_1", filters)
    t.conv(f"{name}.conv_2", (filters, filters, 3))
    t.norm(f"{name}.norm_2", filters)
    t.conv(f"{name}.proj", (1, filters, 1), gain=0.5, bias_mean=LOG_FRAMES)
    if gin:
        t.conv(f"{name}.cond", (hidden, gin, 1), gain=0.5)


def stochastic_duration_predictor(t: Tensors, hidden: int, gin: int, name: str = "sdp") -> None:
    """Upstream starts the projections of the spline flows from zero, so that they do nothing; here they do."""
    for prefix, inputs in (("", hidden), ("post_", 1)):
        t.conv(f"{name}.{prefix}pre", (hidden, inputs, 1))
        t.conv(f"{name}.{prefix}proj", (hidden, hidden, 1))
        _separable_convs(t, f"{name}.{prefix}convs", hidden)
        # in reverse: (z - m) * exp(-logs)
        t.put(f"{name}.{prefix}flows.0.m", (2, 1), 0.05, -2.5 * LOG_FRAMES)
        t.put(f"{name}.{prefix}flows.0.logs", (2, 1), 0.05, math.log(2.5))
        for i in range(1, 8, 2):
            _spline_flow(t, f"{name}.{prefix}flows.{i}", hidden)
    if gin:
        t.conv(f"{name}.cond", (hidden, gin, 1), gain=0.5)


def _spline_flow(t: Tensors, name: str, hidden: int) -> None:
    t.conv(f"{name}.pre", (hidden, 1, 1))
    _separable_convs(t, f"{name}.convs", hidden)
    size = 0.2 * math.sqrt(hidden)  # upstream divides widths and heights by sqrt(hidden)
    gain = rows((2 * SPLINE_BINS, size), (SPLINE_BINS - 1, 0.3))
    t.conv(f"{name}.proj", (3 * SPLINE_BINS - 1, hidden, 1), gain=gain)


def _separable_convs(t: Tensors, name: str, hidden: int) -> None:
    for i in range(3):
        t.conv(f"{name}.convs_sep.{i}", (hidden, 1, 3))
        t.conv(f"{name}.convs_1x1.{i}", (hidden, hidden, 1))
        t.norm(f"{name}.norms_1.{i}", hidden)
        t.norm(f"{name}.norms_2.{i}", hidden)


def posterior_encoder(t: Tensors, shape: Shape, bins: int, layers: int = 16, name: str = "enc_q") -> None:
    t.conv(f"{name}.pre", (shape.hidden, bins, 1))
    _wavenet(t, f"{name}.enc", shape.hidden, layers, shape.gin)
    _mean_and_logs(t, f"{name}.proj", shape.hidden, shape.inter, gain=0.5)  # the skips of all layers add up


def flow(t: Tensors, shape: Shape, name: str = "flow") -> None:
    """Four mean-only coupling layers with flips between. Upstream starts ``post`` from zero; here it does something."""
    half = shape.inter // 2
    for i in range(0, 8, 2):
        t.conv(f"{name}.flows.{i}.pre", (shape.hidden, half, 1))
        _wavenet(t, f"{name}.flows.{i}.enc", shape.hidden, 4, shape.gin)
        t.conv(f"{name}.flows.{i}.post", (half, shape.hidden, 1), gain=0.5)


def _wavenet(t: Tensors, name: str, hidden: int, layers: int, gin: int) -> None:
    for i in range(layers):
        t.normed(f"{name}.in_layers.{i}", (2 * hidden, hidden, 5))
        t.normed(f"{name}.res_skip_layers.{i}", ((2 if i < layers - 1 else 1) * hidden, hidden, 1))
    if gin:
        t.normed(f"{name}.cond_layer", (2 * hidden * layers, gin, 1), gain=0.7)


def decoder(t: Tensors, shape: Shape, name: str = "dec", *, weight_norm: bool = True) -> None:
    """HiFi-GAN; without ``weight_norm`` as after its removal, with other numbers of the same size."""
    channels, layer = shape.upsample_initial, t.normed if weight_norm else t.conv
    t.conv(f"{name}.conv_pre", (channels, shape.inter, 7), gain=1.5)
    if shape.gin:
        t.conv(f"{name}.cond", (channels, shape.gin, 1), gain=0.5)
    for i, (rate, kernel) in enumerate(zip(shape.upsample_rates, shape.upsample_kernels, strict=True)):
        # an output sample hears kernel / rate taps of each input channel; the leaky ReLU before halves the power
        layer(f"{name}.ups.{i}", (channels, channels // 2, kernel), gain=math.sqrt(rate), bias=channels // 2)
        channels //= 2
        for j, (size, dilations) in enumerate(zip(shape.resblock_kernels, shape.resblock_dilations, strict=True)):
            block = f"{name}.resblocks.{i * len(shape.resblock_kernels) + j}"
            for k in range(len(dilations)):
                for part in ("convs1", "convs2") if shape.resblock == "1" else ("convs",):
                    layer(f"{block}.{part}.{k}", (channels, channels, size), gain=1.2)
    t.conv(f"{name}.conv_post", (1, channels, 7), gain=0.12, bias=0)


def reference_encoder(t: Tensors, bins: int, gin: int, name: str = "ref_enc") -> None:
    """OpenVoice's: layer norm over frequencies, six strided 2-d convolutions, a GRU of 128 and a projection."""
    filters = (1, 32, 32, 64, 64, 128, 128)
    t.norm(f"{name}.layernorm", bins, "weight", "bias")
    for i in range(6):
        t.normed(f"{name}.convs.{i}", (filters[i + 1], filters[i], 3, 3), gain=math.sqrt(2))
        bins = (bins - 1) // 2 + 1
    gates, inputs = 3 * 128, filters[-1] * bins
    t.put(f"{name}.gru.weight_ih_l0", (gates, inputs), inputs**-0.5)
    t.put(f"{name}.gru.weight_hh_l0", (gates, 128), 128**-0.5)
    t.put(f"{name}.gru.bias_ih_l0", (gates,), 0.1)
    t.put(f"{name}.gru.bias_hh_l0", (gates,), 0.1)
    t.conv(f"{name}.proj", (gin, 128), gain=1.5)
