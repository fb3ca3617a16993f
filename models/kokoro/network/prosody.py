"""How long each token is, and the pitch and energy of what is said."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.kokoro.network.encoder import Sentences
from models.kokoro.network.layers import EPSILON, ResidualBlock
from models.kokoro.network.layout import Layout
from models.kokoro.network.sizes import Sizes


class StyleLayerNorm(nn.Module):
    """Layer normalization whose scale and shift follow from the style."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style, 2 * channels)

    def forward(self, states: Tensor, style: Tensor, owners: Tensor) -> Tensor:
        """``states`` [tokens, n], ``style`` [items, n], the item of each token int64 [tokens]."""
        gain, offset = self.fc(style).index_select(0, owners).chunk(2, dim=1)
        normed = functional.layer_norm(states, states.shape[1:], eps=EPSILON)
        return torch.addcmul(offset, normed, 1 + gain)


class DurationEncoder(nn.Module):
    """Recurrent networks in both directions, each given the style again."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, style = sizes.hidden, sizes.style
        self.lstms = nn.ModuleList()
        for _ in range(sizes.layers):
            self.lstms.append(nn.LSTM(hidden + style, hidden // 2, bidirectional=True))
            self.lstms.append(StyleLayerNorm(style, hidden))

    def forward(self, states: Tensor, style: Tensor, sentences: Sentences) -> Tensor:
        """[tokens, hidden] → [tokens, hidden + style]."""
        owners = sentences.owners
        given = style.index_select(0, owners)
        states = torch.cat((states, given), 1)
        for layer in self.lstms:
            if isinstance(layer, StyleLayerNorm):
                states = torch.cat((layer(states, style, owners), given), 1)
            else:
                states = sentences.recur(layer, states)  # type: ignore[arg-type]
        return states


class Projection(nn.Module):
    """A linear layer, under upstream's name."""

    def __init__(self, size: int, out: int) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(size, out)

    def forward(self, states: Tensor) -> Tensor:
        projected: Tensor = self.linear_layer(states)
        return projected


class ProsodyPredictor(nn.Module):
    """Durations of tokens, and from tokens that are stretched to frames their pitch and energy."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, half, style = sizes.hidden, sizes.hidden // 2, sizes.style
        self.text_encoder = DurationEncoder(sizes)
        self.lstm = nn.LSTM(hidden + style, half, bidirectional=True)
        self.duration_proj = Projection(hidden, sizes.longest)
        self.shared = nn.LSTM(hidden + style, half, bidirectional=True)
        for name in ("F0", "N"):
            blocks = (
                ResidualBlock(hidden, hidden, style),
                ResidualBlock(hidden, half, style, doubles=True),
                ResidualBlock(half, half, style),
            )
            self.add_module(name, nn.ModuleList(blocks))
            self.add_module(f"{name}_proj", nn.Conv1d(half, 1, 1))

    def durations(self, states: Tensor, style: Tensor, sentences: Sentences) -> tuple[Tensor, Tensor]:
        """Hidden states [tokens, hidden] → durations [tokens] in frames, neither scaled nor rounded, and what
        `curves` needs of each token [tokens, hidden + style]."""
        encoded = self.text_encoder(states, style, sentences)
        logits = self.duration_proj(sentences.recur(self.lstm, encoded))
        return torch.sigmoid(logits).sum(1), encoded

    def curves(self, encoded: Tensor, style: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Tokens stretched to frames, in the layout's order of a recurrent network [frames, hidden + style] → pitch in
        Hz and energy, both [1, 1, total x 2]: two values a frame, zero behind each item."""
        shared = layout.order.through(self.shared, encoded)
        row = shared.new_zeros(layout.total, shared.shape[1]).index_copy_(0, layout.order.index, shared)
        row = row.t()[None].contiguous()
        return self._curve("F0", row, style, layout), self._curve("N", row, style, layout)

    def _curve(self, name: str, row: Tensor, style: Tensor, layout: Layout) -> Tensor:
        for block, rate in zip(cast(nn.ModuleList, self.get_submodule(name)), (1, 1, 2), strict=True):
            row = block(row, layout, rate, style)
        curve: Tensor = self.get_submodule(f"{name}_proj")(row)
        return layout.clear(curve, 2)
