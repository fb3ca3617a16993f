"""The HiFi-GAN decoder (Kong et al. 2020, arXiv:2010.05646), on packed rows."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vits.config import DecoderSizes
from models.vits.parts.packing import Packing


def _convolution(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)


class PairedBlock(nn.Module):
    """Residual block "1": each dilated convolution is followed by an undilated one."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_convolution(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor, packing: Packing, rate: int) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            y = packing.clear(dilated(functional.leaky_relu(x, self.slope)), rate)
            x = packing.clear(plain(functional.leaky_relu_(y, self.slope)).add_(x), rate)
        return x


class SingleBlock(nn.Module):
    """Residual block "2": dilated convolutions alone."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.convs = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor, packing: Packing, rate: int) -> Tensor:
        for convolution in self.convs:
            x = packing.clear(convolution(functional.leaky_relu(x, self.slope)).add_(x), rate)
        return x


class Decoder(nn.Module):
    """Upsampling convolutions, each followed by the mean of several residual blocks."""

    def __init__(self, latent: int, sizes: DecoderSizes, conditioning: int) -> None:
        super().__init__()
        self.sizes = sizes
        widths = [sizes.channels // 2 ** (i + 1) for i in range(len(sizes.rates))]
        block = {"1": PairedBlock, "2": SingleBlock}[sizes.blocks]
        self.conv_pre = nn.Conv1d(latent, sizes.channels, 7, padding=3)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(2 * width, width, kernel, rate, padding=(kernel - rate) // 2)
            for width, kernel, rate in zip(widths, sizes.rate_kernels, sizes.rates, strict=True)
        )
        self.resblocks = nn.ModuleList(
            block(width, kernel, dilations, sizes.slope)
            for width in widths
            for kernel, dilations in zip(sizes.kernels, sizes.dilations, strict=True)
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3, bias=False)
        if conditioning:
            self.cond = nn.Conv1d(conditioning, sizes.channels, 1)

    @property
    def reach(self) -> int:
        """Frames that the widest convolution reaches to either side."""
        reach, rate = 3, 1
        widest = max(
            (kernel - 1) * dilation // 2
            for kernel, dilations in zip(self.sizes.kernels, self.sizes.dilations, strict=True)
            for dilation in dilations
        )
        for kernel, step in zip(self.sizes.rate_kernels, self.sizes.rates, strict=True):
            rate *= step
            reach = max(reach, math.ceil(kernel / step), math.ceil(max(widest, 3) / rate))
        return reach

    def forward(self, latents: Tensor, packing: Packing, speaker: Tensor | None) -> Tensor:
        """Latents float32 [1, latent, total] and ``speaker`` [items, conditioning, 1] → audio float32
        [total x hop]. Computed in the dtype of the weights."""
        dtype = self.conv_post.weight.dtype
        x = self.conv_pre(latents.to(dtype))
        if speaker is not None:
            x += packing.spread(self.cond(speaker.to(dtype)))
        packing.clear(x)
        rate, blocks = 1, iter(self.resblocks)
        for up, step in zip(self.ups, self.sizes.rates, strict=True):
            rate *= step
            x = packing.clear(up(functional.leaky_relu_(x, self.sizes.slope)), rate)
            total: Tensor | None = None
            for _ in self.sizes.kernels:
                given = cast(Tensor, next(blocks)(x, packing, rate))
                total = given if total is None else total.add_(given)
            assert total is not None
            x = total.div_(len(self.sizes.kernels))
        return torch.tanh(self.conv_post(functional.leaky_relu_(x, 0.01)).float())[0, 0]
