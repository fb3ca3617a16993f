"""The harmonic source of the generator, and the short-time Fourier transforms before and behind it.

After Wang et al. 2019 (arXiv:1904.12088), as hexgrad/kokoro has it. All is computed in float64: a phase adds up what
the pitch is wrong by, and one that is near ±π may change its sign by a rounding, which the generator hears."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.kokoro.network.layout import Layout
from models.kokoro.network.sizes import RATE, GeneratorSizes
from models.vits.parts.packing import to_device

AMPLITUDE = 0.1  #: of a sine
VOICED_NOISE, UNVOICED_NOISE = 0.003, AMPLITUDE / 3  #: standard deviations of the noise of each sine
VOICED = 10.0  #: Hz, above which there is a voice
#: What the spectrum is rounded to, so that where it is zero, its phase is not that of a rounding error.
QUANTUM = 2.0**-36


class Source(nn.Module):
    """Sines at the pitch and its multiples with noise, mixed to one signal."""

    def __init__(self, sizes: GeneratorSizes) -> None:
        super().__init__()
        self.samples = sizes.samples
        self.l_linear = nn.Linear(sizes.harmonics + 1, 1)

    def forward(self, pitch: Tensor, noise: Tensor, layout: Layout) -> Tensor:
        """``pitch`` float64 [1, 1, total x 2] and ``noise`` [total x hop], standard normal, → samples float64
        [total x hop].

        Each sine has a noise of its own upstream; their mixture is normal too, so one is drawn, with its deviation. The
        phase goes from the middle of one value of the pitch to that of the next, as upstream interpolates it."""
        weight, bias = self.l_linear.weight[0], self.l_linear.bias
        pitch = pitch[0, 0]
        from_middle = (torch.arange(self.samples, device=pitch.device, dtype=pitch.dtype) + 0.5) / self.samples - 0.5
        before, after = from_middle.clamp(max=0), from_middle.clamp(min=0)
        ends = layout.ends
        mixed = noise.new_zeros(pitch.numel(), self.samples)
        voiced = pitch > VOICED
        for number, share in enumerate(weight, start=1):
            steps = (pitch * number / RATE) % 1 * self.samples  # cycles from one value's middle to the next one's
            phase = _phase_of_items(steps, layout)
            into, out = steps.clone(), functional.pad(steps[1:], (0, 1))
            into[ends.first], out[ends.last] = 0.0, 0.0
            cycles = (phase % 1)[:, None] + into[:, None] * before + out[:, None] * after
            mixed.addcmul_(torch.sin(cycles.mul_(2 * math.pi)), share)
        mixed.mul_(AMPLITUDE * voiced[:, None])
        deviation = torch.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * torch.linalg.vector_norm(weight)
        return torch.tanh(mixed.addcmul_(noise.view_as(mixed), deviation[:, None]).add_(bias)).view(-1)


def _phase_of_items(steps: Tensor, layout: Layout) -> Tensor:
    """The sum of all steps of an item up to each one."""
    total = torch.cumsum(steps, 0)
    before = (total - steps)[layout.ends.first]
    return total - before.repeat_interleave(layout.ends.values, output_size=total.numel())


class Spectrum:
    """Magnitudes and phases of the source, and the way back from those that the generator gives."""

    def __init__(self, sizes: GeneratorSizes, device: torch.device) -> None:
        self.window, self.hop, self.bins = sizes.window, sizes.hop, sizes.bins
        times, bins = np.arange(self.window), np.arange(self.bins)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * times / self.window)
        angles = 2 * np.pi * np.outer(bins, times) / self.window
        self._forward = to_device(np.concatenate((np.cos(angles), -np.sin(angles))).T * hann[:, None], device)
        # What a real signal has twice: all bins but the first and the last.
        shares = np.where((bins == 0) | (bins == self.bins - 1), 1, 2)[:, None] / self.window
        sines = np.where((bins == 0) | (bins == self.bins - 1), 0, 2)[:, None] / self.window
        back = np.concatenate((shares * np.cos(angles), -sines * np.sin(angles))) * hann
        inside = np.add.reduce(hann.reshape(-1, self.hop) ** 2)  # what overlapping windows add up to
        self._back = to_device((back / np.tile(inside, self.window // self.hop))[:, None].astype(np.float32), device)
        self._edges = self._corrections(hann, inside)

    def of(self, samples: Tensor, layout: Layout, rate: int) -> Tensor:
        """``samples`` float64 [total x hop of a frame] → magnitudes and phases float32 [1, 2 bins, total x ``rate``],
        columns of the transform: an item has one more than ``rate`` a frame."""
        half = self.window // 2
        row = functional.pad(samples, (half, half))
        spans = layout.spans(rate * self.hop)
        reflected = np.arange(1, half + 1)
        # An item is reflected at its borders, into the gaps beside it.
        to = np.concatenate([np.concatenate((s.start - reflected, s.stop - 1 + reflected)) for s in spans]) + half
        of = np.concatenate([np.concatenate((s.start + reflected, s.stop - 1 - reflected)) for s in spans]) + half
        row[to_device(to, row.device)] = row[to_device(of, row.device)]
        framed = row.unfold(0, self.window, self.hop)[: layout.total * rate]
        real, imaginary = torch.round(framed @ self._forward / QUANTUM).mul_(QUANTUM).add_(0.0).t().chunk(2)
        found = torch.cat((torch.hypot(real, imaginary), torch.atan2(imaginary, real)))
        return layout.clear(found.float()[None], rate, 1)

    def back(self, magnitudes: Tensor, phases: Tensor, layout: Layout, rate: int) -> Tensor:
        """Magnitudes and phases float32 [1, bins, total x ``rate``], zero behind each item, → samples float32 [total x
        hop of a frame]."""
        parts = torch.cat((magnitudes * torch.cos(phases), magnitudes * torch.sin(phases)), 1)
        samples = functional.conv_transpose1d(parts, self._back, stride=self.hop, padding=self.window // 2)
        row = functional.pad(samples[0, 0], (0, layout.total * rate * self.hop - samples.shape[2]))
        spans = layout.spans(rate * self.hop)
        count = self.window // 2
        places = np.concatenate([[*range(s.start, s.start + count), *range(s.stop - count, s.stop)] for s in spans])
        index = to_device(places, row.device)
        factors = to_device(np.tile(self._edges, len(spans)).astype(np.float32), row.device)
        row[index] = row[index] * factors
        return row

    def _corrections(self, hann: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Factors for an item's first and last half window, over which fewer windows lie than inside."""
        half, count = self.window // 2, 3 * (self.window // self.hop)
        over = np.zeros((count - 1) * self.hop + self.window)
        for column in range(count):
            over[column * self.hop : column * self.hop + self.window] += hann**2
        everywhere = np.tile(inside, len(over) // self.hop + 1)[: len(over)]
        factors = everywhere / np.maximum(over, 1e-12)
        return np.concatenate((factors[half : 2 * half], factors[-2 * half : -half]))
