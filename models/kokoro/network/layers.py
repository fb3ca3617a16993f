"""Layers that prosody and decoder share. Rows are [1, channels, total x rate], laid out by
`models.kokoro.network.layout.Layout`, and zero behind each item."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.kokoro.network.layout import Layout

EPSILON = 1e-5  #: of normalizations


class StyleNorm(nn.Module):
    """Instance normalization whose scale and shift follow from the style (AdaIN, Huang and Belongie 2017,
    arXiv:1703.06868), over an item's own values."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style, 2 * channels)

    def affine(self, row: Tensor, layout: Layout, rate: int, style: Tensor, more: int = 0) -> tuple[Tensor, Tensor]:
        """Scale and shift that normalize the ``row``, in its dtype [channels, chunks, 1]. ``style`` [items, n]."""
        chunks = row.view(row.shape[1], layout.chunks, -1)
        exact = torch.float64 if row.dtype is torch.float64 else torch.float32
        sums = chunks.sum(-1, dtype=exact).double()
        squares = torch.linalg.vector_norm(chunks, dim=-1, dtype=exact).double().square()
        counts = layout.counts(rate, more)
        mean = sums @ layout.membership / counts
        variance = (squares @ layout.membership / counts - mean.square()).clamp_(min=0)
        gain, offset = self.fc(style).double().t().chunk(2)
        scale = (1 + gain) * torch.rsqrt(variance + EPSILON)
        shift = offset - mean * scale
        own, owners = row.dtype, layout.owners
        return (
            scale.to(own).index_select(1, owners)[:, :, None],
            shift.to(own).index_select(1, owners)[:, :, None],
        )

    def forward(self, row: Tensor, layout: Layout, rate: int, style: Tensor) -> Tensor:
        """The normalized row; what it writes behind the items is not cleared."""
        scale, shift = self.affine(row, layout, rate, style)
        return torch.addcmul(shift, row.view(row.shape[1], layout.chunks, -1), scale).view(row.shape)


class Doubling(nn.Module):
    """A transposed convolution of each channel by itself, kernel 3 and stride 2, which doubles the rate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, row: Tensor) -> Tensor:
        first, middle, last = self.weight[:, 0].unbind(1)
        bias, ahead = self.bias[:, None], functional.pad(row[:, :, 1:], (0, 1))
        even = torch.addcmul(bias, row, middle[:, None])
        odd = torch.addcmul(bias, row, last[:, None]).addcmul_(ahead, first[:, None])
        return torch.stack((even, odd), dim=3).view(*row.shape[:2], -1)


class ResidualBlock(nn.Module):
    """Two convolutions, each of a row normalized by the style, beside a shortcut; the first may double the rate."""

    def __init__(self, channels: int, out: int, style: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.doubles = doubles
        self.norm1 = StyleNorm(style, channels)
        self.conv1 = nn.Conv1d(channels, out, 3, padding=1)
        self.norm2 = StyleNorm(style, out)
        self.conv2 = nn.Conv1d(out, out, 3, padding=1)
        if doubles:
            self.pool = Doubling(channels)
        if channels != out:
            self.conv1x1 = nn.Conv1d(channels, out, 1, bias=False)

    def forward(self, row: Tensor, layout: Layout, rate: int, style: Tensor) -> Tensor:
        """``row`` has ``rate`` values a frame; ``style`` [items, n]."""
        inner = layout.clear(functional.leaky_relu_(self.norm1(row, layout, rate, style), 0.2), rate)
        beside = self.conv1x1(row) if hasattr(self, "conv1x1") else row
        if self.doubles:
            rate *= 2
            inner = layout.clear(self.pool(inner), rate)
            beside = beside.repeat_interleave(2, dim=2)
        inner = layout.clear(self.conv1(inner), rate)
        inner = layout.clear(functional.leaky_relu_(self.norm2(inner, layout, rate, style), 0.2), rate)
        return layout.clear(self.conv2(inner).add_(beside).mul_(math.sqrt(0.5)), rate)
