"""Layers that the parts of VITS share. Tensors are [rows, channels, time]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vits.config import WaveNetSizes
from models.vits.parts.packing import Packing


class ChannelNorm(nn.Module):
    """Layer normalization over the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta).transpose(1, 2)


class ChannelConvolution(nn.Module):
    """A convolution of each channel by itself, as a sum of shifted products: torch's own is slow in float64."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = nn.Parameter(torch.zeros(channels, 1, kernel))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        kernel, time = self.weight.shape[2], x.shape[2]
        margin = (kernel - 1) * self.dilation // 2
        wide = functional.pad(x, (margin, margin))
        y = self.bias[:, None].expand_as(x).clone()
        for i in range(kernel):
            start = i * self.dilation
            y.addcmul_(wide[:, :, start : start + time], self.weight[:, :, i])
        return y


class SeparableConvolutions(nn.Module):
    """Dilated, depth-separable convolutions with residual connections, on padded rows."""

    def __init__(self, channels: int, kernel: int, layers: int) -> None:
        super().__init__()
        dilations = [kernel**i for i in range(layers)]
        self.convs_sep = nn.ModuleList(ChannelConvolution(channels, kernel, dilation) for dilation in dilations)
        self.convs_1x1 = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in dilations)
        self.norms_1 = nn.ModuleList(ChannelNorm(channels) for _ in dilations)
        self.norms_2 = nn.ModuleList(ChannelNorm(channels) for _ in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``mask`` [rows, 1, time] is 1 within a row's length, else 0."""
        layers = zip(self.convs_sep, self.norms_1, self.convs_1x1, self.norms_2, strict=True)
        for separable, first, pointwise, second in layers:
            y = functional.gelu(first(separable(x * mask)))
            x = x + functional.gelu(second(pointwise(y)))
        return x * mask


class WaveNet(nn.Module):
    """Gated convolutions with residual and skip connections, on packed rows."""

    def __init__(self, channels: int, sizes: WaveNetSizes, conditioning: int) -> None:
        super().__init__()
        self.channels = channels
        dilations = [sizes.dilation**i for i in range(sizes.layers)]
        self.in_layers = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, sizes.kernel, dilation=d, padding=(sizes.kernel - 1) * d // 2)
            for d in dilations
        )
        widths = [2 * channels] * (sizes.layers - 1) + [channels]  # the last one only skips
        self.res_skip_layers = nn.ModuleList(nn.Conv1d(channels, width, 1) for width in widths)
        if conditioning:
            self.cond_layer = nn.Conv1d(conditioning, 2 * channels * sizes.layers, 1)

    def forward(self, x: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """``x`` [1, channels, total] is overwritten; ``speaker`` [items, conditioning, 1]. Gaps are zero in both."""
        conditions = None if speaker is None else self.cond_layer(speaker).chunk(len(self.in_layers), dim=1)
        skipped = torch.zeros_like(x)
        for i, (gated, out) in enumerate(zip(self.in_layers, self.res_skip_layers, strict=True)):
            inner = gated(x)
            if conditions is not None:
                inner += packing.spread(conditions[i])
            values, gates = inner.split(self.channels, dim=1)
            given = out(values.tanh().mul_(gates.sigmoid()))
            skipped += given[:, -self.channels :]
            if i < len(self.in_layers) - 1:
                x += given[:, : self.channels]
                packing.clear(x)
        return packing.clear(skipped)
