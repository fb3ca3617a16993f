"""The transformer of the text encoder and of some flows: self-attention with relative positions (Shaw et al. 2018,
arXiv:1803.02155) and convolutions. Works on padded rows [rows, channels, time], or on one packed row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vits.config import TransformerSizes
from models.vits.parts.layers import ChannelNorm


class Layout(Protocol):
    """Where the items are in a tensor [rows, channels, time]."""

    def clear(self, row: Tensor) -> Tensor:
        """Zero outside of the items; may be done in place."""

    def spread(self, values: Tensor) -> Tensor:
        """``values`` [items, channels, 1] as they are added to a tensor."""

    def attend(self, attention: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """``attention`` within each item; all tensors [rows, channels, time]."""


#: Query, key and value [rows, channels, time] and the positions that may be attended to [rows, 1, 1, time], to the
#: mixed values [rows, channels, time].
Attention: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Padded:
    """The layout of padded rows; ``mask`` [rows, 1, time] is 1 within a row's length, else 0."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def clear(self, row: Tensor) -> Tensor:
        return row * self.mask

    def spread(self, values: Tensor) -> Tensor:
        return values

    def attend(self, attention: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attention(query, key, value, self.mask[:, None].bool())


class RelativeAttention(nn.Module):
    """Self-attention that knows the distances up to ``window``; heads share their embeddings."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        self.emb_rel_k = nn.Parameter(torch.zeros(1, 2 * window + 1, channels // heads))
        self.emb_rel_v = nn.Parameter(torch.zeros(1, 2 * window + 1, channels // heads))

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        mixed = layout.attend(self._mix, self.conv_q(x), self.conv_k(x), self.conv_v(x))
        return self.conv_o(mixed)  # type: ignore[no-any-return]

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
        query, key, value = (self._split(x) for x in (query, key, value))
        query = query / math.sqrt(query.shape[-1])
        time = query.shape[2]
        scores = torch.matmul(query, key.transpose(2, 3))
        scores += self._onto_diagonals(torch.matmul(query, self.emb_rel_k.transpose(1, 2)), time)
        weights = functional.softmax(scores.masked_fill(~allowed, -1e4), dim=-1)
        out = torch.matmul(weights, value)
        out += torch.matmul(self._diagonals(weights, time), self.emb_rel_v)
        return out.transpose(2, 3).flatten(1, 2)

    def _split(self, x: Tensor) -> Tensor:
        """[rows, channels, time] to [rows, heads, time, channels of one head]."""
        rows, channels, time = x.shape
        return x.reshape(rows, self.heads, channels // self.heads, time).transpose(2, 3)

    def _near(self, time: int, device: torch.device) -> Tensor:
        """The columns of each position's neighbours, in rows that begin ``window`` earlier: [time, 2 window + 1]."""
        return torch.arange(time, device=device)[:, None] + torch.arange(2 * self.window + 1, device=device)

    def _onto_diagonals(self, values: Tensor, time: int) -> Tensor:
        """[rows, heads, time, 2 window + 1] by distance to [rows, heads, time, time] by position, else zero."""
        wide = values.new_zeros(*values.shape[:3], time + 2 * self.window)
        wide.scatter_(3, self._near(time, values.device).expand_as(values), values)
        return wide[..., self.window : self.window + time]

    def _diagonals(self, weights: Tensor, time: int) -> Tensor:
        """[rows, heads, time, time] by position to [rows, heads, time, 2 window + 1] by distance."""
        wide = functional.pad(weights, (self.window, self.window))
        return wide.gather(3, self._near(time, weights.device).expand(*weights.shape[:2], -1, -1))


class FeedForward(nn.Module):
    """Two convolutions over time."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.margin = ((kernel - 1) // 2, kernel // 2)
        self.conv_1 = nn.Conv1d(channels, filters, kernel)
        self.conv_2 = nn.Conv1d(filters, channels, kernel)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """``x`` is zero outside of the items."""
        inner = functional.relu(self.conv_1(functional.pad(x, self.margin)))
        return layout.clear(self.conv_2(functional.pad(layout.clear(inner), self.margin)))


class Transformer(nn.Module):
    """Layers of attention and feed-forward, each with a residual connection that is normalized after it."""

    def __init__(self, sizes: TransformerSizes, conditioning: int = 0) -> None:
        super().__init__()
        count = range(sizes.layers)
        self.conditioned = sizes.conditioned if conditioning else None
        if self.conditioned is not None:
            self.spk_emb_linear = nn.Linear(conditioning, sizes.hidden)
        self.attn_layers = nn.ModuleList(RelativeAttention(sizes.hidden, sizes.heads, sizes.window) for _ in count)
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(sizes.hidden) for _ in count)
        self.ffn_layers = nn.ModuleList(FeedForward(sizes.hidden, sizes.filters, sizes.kernel) for _ in count)
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(sizes.hidden) for _ in count)

    def forward(self, x: Tensor, layout: Layout, speaker: Tensor | None = None) -> Tensor:
        """``x`` [rows, channels, time] is zero outside of the items, as the result is; ``speaker`` [items,
        conditioning, 1]."""
        layers = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for number, (attend, first, feed, second) in enumerate(layers):
            if number == self.conditioned and speaker is not None:
                given = self.spk_emb_linear(speaker.transpose(1, 2)).transpose(1, 2)
                x = layout.clear(x + layout.spread(given))
            x = layout.clear(first(x + attend(x, layout)))
            x = layout.clear(second(x + feed(x, layout)))
        return x
