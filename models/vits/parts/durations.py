"""How long each token is: the logarithms of durations in frames. Works on padded rows."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vits.config import DurationSizes
from models.vits.parts.layers import ChannelNorm, SeparableConvolutions
from models.vits.parts.spline import inverse_spline


class DurationPredictor(nn.Module):
    """The deterministic predictor: two convolutions."""

    def __init__(self, hidden: int, sizes: DurationSizes, conditioning: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(hidden, sizes.filters, sizes.kernel, padding=sizes.kernel // 2)
        self.norm_1 = ChannelNorm(sizes.filters)
        self.conv_2 = nn.Conv1d(sizes.filters, sizes.filters, sizes.kernel, padding=sizes.kernel // 2)
        self.norm_2 = ChannelNorm(sizes.filters)
        self.proj = nn.Conv1d(sizes.filters, 1, 1)
        if conditioning:
            self.cond = nn.Conv1d(conditioning, hidden, 1)

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        """[rows, hidden, time] → log durations [rows, 1, time]."""
        if speaker is not None:
            hidden = hidden + self.cond(speaker)
        x = self.norm_1(functional.relu(self.conv_1(hidden * mask)))
        x = self.norm_2(functional.relu(self.conv_2(x * mask)))
        return cast(Tensor, self.proj(x * mask) * mask)


class Affine(nn.Module):
    """Shift and scale of the two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(2, 1))
        self.logs = nn.Parameter(torch.zeros(2, 1))

    def inverse(self, z: Tensor, mask: Tensor) -> Tensor:
        return (z - self.m) * torch.exp(-self.logs) * mask


class SplineFlow(nn.Module):
    """Bends one of two channels by splines that follow from the other one and from the text."""

    def __init__(self, hidden: int, sizes: DurationSizes) -> None:
        super().__init__()
        self.bins, self.tail, self.scale = sizes.bins, sizes.tail, math.sqrt(hidden)
        self.pre = nn.Conv1d(1, hidden, 1)
        self.convs = SeparableConvolutions(hidden, sizes.kernel, sizes.layers)
        self.proj = nn.Conv1d(hidden, 3 * sizes.bins - 1, 1)

    def inverse(self, z: Tensor, mask: Tensor, text: Tensor) -> Tensor:
        kept, bent = z.chunk(2, dim=1)
        shape = (self.proj(self.convs(self.pre(kept) + text, mask)) * mask).transpose(1, 2)[:, None]
        widths, heights, derivatives = shape.split([self.bins, self.bins, self.bins - 1], dim=-1)
        bent = inverse_spline(bent, widths / self.scale, heights / self.scale, derivatives, self.tail)
        return torch.cat([kept, bent], dim=1) * mask


class StochasticDurationPredictor(nn.Module):
    """The stochastic predictor: a flow from noise to durations.

    Of its flows the first convolutional one is passed over, as in jaywalnut310/vits: so its weights (``flows.1``) and
    those of the posterior (``post_*``), which only training uses, are not loaded."""

    def __init__(self, hidden: int, sizes: DurationSizes, conditioning: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(hidden, hidden, 1)
        self.proj = nn.Conv1d(hidden, hidden, 1)
        self.convs = SeparableConvolutions(hidden, sizes.kernel, sizes.layers)
        if conditioning:
            self.cond = nn.Conv1d(conditioning, hidden, 1)
        # Upstream counts a flip after each flow as a flow, hence 3, 5, 7.
        numbers = [2 * i + 1 for i in range(1, sizes.flows)]
        self.flows = nn.ModuleDict({"0": Affine(), **{str(n): SplineFlow(hidden, sizes) for n in numbers}})

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None, noise: Tensor) -> Tensor:
        """[rows, hidden, time] and noise [rows, 2, time] → log durations [rows, 1, time]."""
        text = self.pre(hidden)
        if speaker is not None:
            text = text + self.cond(speaker)
        text = self.proj(self.convs(text, mask)) * mask
        z = noise
        for number in sorted(map(int, self.flows), reverse=True):
            if number:
                z = cast(SplineFlow, self.flows[str(number)]).inverse(z.flip(1), mask, text)
        # One flip more than splines, since the flow that is passed over leaves its flip.
        return cast(Affine, self.flows["0"]).inverse(z.flip(1), mask)[:, :1]
