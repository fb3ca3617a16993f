"""Tokens to the prior of the latents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from models.vits.config import EncoderSizes
from models.vits.parts.attention import Padded, Transformer


@dataclass(frozen=True, slots=True)
class Prosody:
    """What is known of tokens beside their symbols: ``tones`` and ``languages`` int64 [rows, time]; the ``features``
    float32 [pieces, n] of all pieces of text that the rows have, whose projection is named ``projection``; ``pieces``
    int64 [rows, time], the piece of each token."""

    tones: Tensor
    languages: Tensor
    features: Tensor
    projection: str
    pieces: Tensor


class TextEncoder(nn.Module):
    """An embedding of the tokens, a transformer, and a projection to mean and log deviation."""

    def __init__(self, sizes: EncoderSizes, latent: int, conditioning: int = 0) -> None:
        super().__init__()
        self.scale = math.sqrt(sizes.hidden)
        self.emb = nn.Embedding(sizes.symbols, sizes.hidden)
        self.projections = tuple(sizes.features)
        if sizes.tones:
            self.tone_emb = nn.Embedding(sizes.tones, sizes.hidden)
            self.language_emb = nn.Embedding(sizes.languages, sizes.hidden)
            for name, size in sizes.features.items():
                self.add_module(name, nn.Conv1d(size, sizes.hidden, 1))
        self.encoder = Transformer(sizes, conditioning)
        self.proj = nn.Conv1d(sizes.hidden, 2 * latent, 1)

    def forward(
        self, tokens: Tensor, mask: Tensor, speaker: Tensor | None = None, prosody: Prosody | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``tokens`` int64 [rows, time], ``mask`` [rows, 1, time], ``speaker`` [rows, conditioning, 1] if the
        transformer is given it → hidden [rows, hidden, time], and mean and log deviation [rows, latent, time]."""
        embedded = self.emb(tokens)
        if prosody is not None:
            embedded = embedded + self.tone_emb(prosody.tones) + self.language_emb(prosody.languages)
            embedded += self._projected(prosody)
        layout = Padded(mask)
        hidden = self.encoder(layout.clear((embedded * self.scale).transpose(1, 2)), layout, speaker)
        mean, log_deviation = layout.clear(self.proj(hidden)).chunk(2, dim=1)
        return hidden, mean, log_deviation

    def _projected(self, prosody: Prosody) -> Tensor:
        """The features of each token, projected: once per piece, since its tokens share them. A projection whose
        features are zero gives its bias."""
        used = self._projection(prosody.projection)
        projected = functional.linear(prosody.features.to(used.weight.dtype), used.weight[:, :, 0], used.bias)
        for name in self.projections:
            if name != prosody.projection:
                projected += cast(Tensor, self._projection(name).bias)
        return projected[prosody.pieces]

    def _projection(self, name: str) -> nn.Conv1d:
        return cast(nn.Conv1d, self.get_submodule(name))
