"""Tokens to the prior of the latents."""

from __future__ import annotations

import math

from torch import Tensor, nn

from models.vits.config import EncoderSizes
from models.vits.parts.attention import Transformer


class TextEncoder(nn.Module):
    """An embedding of the tokens, a transformer, and a projection to mean and log deviation."""

    def __init__(self, sizes: EncoderSizes, latent: int) -> None:
        super().__init__()
        self.scale = math.sqrt(sizes.hidden)
        self.emb = nn.Embedding(sizes.symbols, sizes.hidden)
        self.encoder = Transformer(sizes)
        self.proj = nn.Conv1d(sizes.hidden, 2 * latent, 1)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``tokens`` int64 [rows, time], ``mask`` [rows, 1, time] → hidden [rows, hidden, time], and mean and log
        deviation [rows, latent, time]."""
        hidden = self.encoder((self.emb(tokens) * self.scale).transpose(1, 2), mask)
        mean, log_deviation = (self.proj(hidden) * mask).chunk(2, dim=1)
        return hidden, mean, log_deviation
