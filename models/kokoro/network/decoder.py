"""Hidden states, pitch and energy to audio: blocks at the rate of frames, then the generator."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.kokoro.network.layers import ResidualBlock, StyleNorm
from models.kokoro.network.layout import Layout
from models.kokoro.network.sizes import GeneratorSizes, Sizes
from models.kokoro.network.source import Source, Spectrum


class SnakeBlock(nn.Module):
    """Pairs of convolutions, each of a row normalized by the style and bent by x + sin²(αx) / α (Ziyin et al. 2020,
    arXiv:2006.08195)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], style: int) -> None:
        super().__init__()

        def convolutions(spread: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2) for d in spread
            )

        self.convs1, self.convs2 = convolutions(dilations), convolutions((1,) * len(dilations))
        self.adain1 = nn.ModuleList(StyleNorm(style, channels) for _ in dilations)
        self.adain2 = nn.ModuleList(StyleNorm(style, channels) for _ in dilations)
        self.alpha1 = nn.ParameterList(nn.Parameter(torch.ones(1, channels, 1)) for _ in dilations)
        self.alpha2 = nn.ParameterList(nn.Parameter(torch.ones(1, channels, 1)) for _ in dilations)

    def forward(self, row: Tensor, layout: Layout, rate: int, style: Tensor, more: int) -> Tensor:
        first = zip(self.adain1, self.alpha1, self.convs1, strict=True)
        second = zip(self.adain2, self.alpha2, self.convs2, strict=True)
        for pair in zip(first, second, strict=True):
            inner = row
            for norm, alpha, convolution in cast(Iterable[tuple[StyleNorm, Tensor, nn.Conv1d]], pair):
                scale, shift = norm.affine(inner, layout, rate, style, more)
                inner = layout.clear(_snake(inner, scale, shift, alpha), rate, more)
                inner = layout.clear(convolution(inner), rate, more)
            row = inner.add_(row)
        return row


def _snake(row: Tensor, scale: Tensor, shift: Tensor, alpha: Tensor) -> Tensor:
    """y + sin²(αy) / α of y = ``scale`` x ``row`` + ``shift`` [channels, chunks, 1], as y + (1 - cos 2αy) / 2α: fewer
    passes over the row."""
    chunks = row.view(row.shape[1], scale.shape[1], -1)
    twice = 2 * alpha.view(-1, 1, 1)
    waves = torch.addcmul(twice * shift, chunks, twice * scale).cos_()
    bent = torch.addcmul(shift + 1 / twice, chunks, scale).addcmul_(waves, -1 / twice)
    return bent.view(row.shape)


class Generator(nn.Module):
    """Upsampling convolutions, to each of which the source's spectrum is added, and a transform back to samples."""

    def __init__(self, sizes: GeneratorSizes, style: int) -> None:
        super().__init__()
        self.sizes = sizes
        widths = [sizes.channels // 2 ** (i + 1) for i in range(len(sizes.rates))]
        self.m_source = Source(sizes)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(2 * width, width, kernel, rate, padding=(kernel - rate) // 2)
            for width, kernel, rate in zip(widths, sizes.rate_kernels, sizes.rates, strict=True)
        )
        self.noise_convs, self.noise_res, self.resblocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(widths):
            step = math.prod(sizes.rates[i + 1 :])
            self.noise_convs.append(
                nn.Conv1d(2 * sizes.bins, width, 2 * step, step, padding=(step + 1) // 2)
                if i + 1 < len(widths)
                else nn.Conv1d(2 * sizes.bins, width, 1)
            )
            self.noise_res.append(SnakeBlock(width, 7 if i + 1 < len(widths) else 11, (1, 3, 5), style))
            for kernel, dilations in zip(sizes.kernels, sizes.dilations, strict=True):
                self.resblocks.append(SnakeBlock(width, kernel, dilations, style))
        self.conv_post = nn.Conv1d(widths[-1], 2 * sizes.bins, 7, padding=3)

    def forward(self, row: Tensor, spectrum: Tensor, layout: Layout, style: Tensor) -> tuple[Tensor, Tensor]:
        """``row`` [1, channels, total x 2] and the source's ``spectrum`` [1, 2 bins, total x 2 columns] → magnitudes
        and phases float32, zero behind each item."""
        rate, more, blocks = 2, 0, iter(self.resblocks)
        for i, (up, step) in enumerate(zip(self.ups, self.sizes.rates, strict=True)):
            row = up(functional.leaky_relu_(row, 0.1))
            rate *= step
            if i == len(self.ups) - 1:
                layout.clear(row, rate)
                row, more = _reflected(row, layout, rate), 1
            beside = layout.clear(self.noise_convs[i](spectrum), rate, more)
            row = layout.clear(row.add_(self.noise_res[i](beside, layout, rate, style, more)), rate, more)
            total: Tensor | None = None
            for _ in self.sizes.kernels:
                given = next(blocks)(row, layout, rate, style, more)
                total = given if total is None else total.add_(given)
            assert total is not None
            row = total.div_(len(self.sizes.kernels))
        made = self.conv_post(functional.leaky_relu_(row, 0.01)).float()
        magnitudes, phases = made.split(self.sizes.bins, dim=1)
        return layout.clear(magnitudes.exp(), rate, more), torch.sin(phases)


def _reflected(row: Tensor, layout: Layout, rate: int) -> Tensor:
    """The row with one more value at the front of each item: its second one again."""
    shifted = functional.pad(row[:, :, :-1], (1, 0))
    first = layout.ends.first * (rate // 2)
    shifted[:, :, first] = row[:, :, first + 1]
    return shifted


class Decoder(nn.Module):
    """Blocks that are given the text, the pitch and the energy, and the generator."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, style = sizes.width, sizes.style
        self.sizes = sizes.generator
        self.encode = ResidualBlock(sizes.hidden + 2, width, style)
        given = width + sizes.residual + 2
        self.decode = nn.ModuleList(ResidualBlock(given, width, style) for _ in range(3))
        self.decode.append(ResidualBlock(given, sizes.generator.channels, style, doubles=True))
        self.F0_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.N_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.asr_res = nn.Sequential(nn.Conv1d(sizes.hidden, sizes.residual, 1))
        self.generator = Generator(sizes.generator, style)

    def forward(
        self,
        text: Tensor,
        pitch: Tensor,
        energy: Tensor,
        noise: Tensor,
        layout: Layout,
        style: Tensor,
        spectrum: Spectrum,
    ) -> Tensor:
        """``text`` float32 [1, hidden, total], ``pitch`` and ``energy`` float64 [1, 1, total x 2], ``noise`` float64
        [total x hop], ``style`` float32 [items, n] → audio float32 [total x hop]. Computed in the dtype of the weights
        but for source, statistics and spectra."""
        dtype = self.F0_conv.weight.dtype
        columns = 2 * self.sizes.columns
        source = spectrum.of(self.generator.m_source(pitch, noise, layout), layout, columns).to(dtype)
        text = text.to(dtype)
        low = [
            layout.clear(convolution(curve.to(dtype)))
            for convolution, curve in ((self.F0_conv, pitch), (self.N_conv, energy))
        ]
        again = [layout.clear(self.asr_res(text)), *low]
        row = self.encode(torch.cat((text, *low), 1), layout, 1, style)
        for block in self.decode:
            row = block(torch.cat((row, *again), 1), layout, 1, style)
        magnitudes, phases = self.generator(row, source, layout, style)
        return spectrum.back(magnitudes, phases, layout, columns)
