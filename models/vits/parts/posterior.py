"""Spectrograms to the posterior of the latents, on packed rows."""

from __future__ import annotations

from torch import Tensor, nn

from models.vits.config import NetworkSizes
from models.vits.parts.layers import WaveNet
from models.vits.parts.packing import Packing


class PosteriorEncoder(nn.Module):
    """A WaveNet over a linear spectrogram, and a projection to mean and log deviation."""

    def __init__(self, sizes: NetworkSizes, bins: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(bins, sizes.hidden, 1)
        self.enc = WaveNet(sizes.hidden, sizes.posterior, sizes.conditioning)
        self.proj = nn.Conv1d(sizes.hidden, 2 * sizes.latent, 1)

    def forward(self, spectrum: Tensor, packing: Packing, speaker: Tensor | None) -> tuple[Tensor, Tensor]:
        """[1, bins, total] and ``speaker`` [items, conditioning, 1] → mean and log deviation [1, latent, total]."""
        x = self.enc(packing.clear(self.pre(spectrum)), packing, speaker)
        mean, log_deviation = packing.clear(self.proj(x)).chunk(2, dim=1)
        return mean, log_deviation
