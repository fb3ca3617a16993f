"""Phonemes to hidden states: of an ALBERT, which prosody hears, and of the text encoder, which the decoder hears.

The sentences of a micro-batch stand end to end: hidden states are [tokens, n]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AlbertConfig, AlbertModel

from models.kokoro.network.layers import EPSILON
from models.kokoro.network.layout import Order
from models.kokoro.network.sizes import Sizes
from models.vits.parts.packed_attention import ATTENTION
from models.vits.parts.packing import Packing, Rows, to_device


class Sentences:
    """Where the tokens of sentences of ``lengths`` stand, end to end."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.device = device

    @cached_property
    def owners(self) -> Tensor:
        """The sentence of each token, int64 [tokens]."""
        return to_device(np.repeat(np.arange(len(self.lengths)), self.lengths), self.device)

    @cached_property
    def order(self) -> Order:
        """The tokens in the order of a recurrent network."""
        return Order(self.starts, self.lengths, self.device)

    def recur(self, network: nn.LSTM, states: Tensor) -> Tensor:
        """What a recurrent network makes of the ``states`` of each sentence."""
        given = self.order.through(network, states.index_select(0, self.order.index))
        return torch.empty_like(given).index_copy_(0, self.order.index, given)


class Bert(AlbertModel):
    """The ALBERT (Lan et al. 2019, arXiv:1909.11942; PL-BERT: Li et al. 2023, arXiv:2301.08810), without its pooler."""

    def __init__(self, sizes: Sizes) -> None:
        config = AlbertConfig(
            vocab_size=sizes.symbols,
            embedding_size=sizes.bert.embedding,
            hidden_size=sizes.bert.hidden,
            num_attention_heads=sizes.bert.heads,
            intermediate_size=sizes.bert.filters,
            num_hidden_layers=sizes.bert.layers,
            max_position_embeddings=sizes.bert.positions,
        )
        config._attn_implementation = ATTENTION
        super().__init__(config, add_pooling_layer=False)

    def read(self, tokens: Tensor, sentences: Sentences) -> Tensor:
        """``tokens`` int64 [tokens] to hidden states."""
        positions = np.concatenate([np.arange(length) for length in sentences.lengths])
        hidden: Tensor = self(
            input_ids=tokens[None],
            position_ids=to_device(positions, sentences.device)[None],
            rows=Rows(sentences.starts.tolist(), sentences.lengths.tolist(), sentences.device),
        ).last_hidden_state
        return hidden[0]


class ChannelNorm(nn.Module):
    """Layer normalization over the channels of a row."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, row: Tensor) -> Tensor:
        normed = functional.layer_norm(row.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, EPSILON)
        return normed.transpose(1, 2)


class TextEncoder(nn.Module):
    """Convolutions and a recurrent network in both directions."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, self.reach = sizes.hidden, sizes.kernel // 2
        self.embedding = nn.Embedding(sizes.symbols, hidden)
        self.cnn = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(hidden, hidden, sizes.kernel, padding=self.reach), ChannelNorm(hidden), nn.LeakyReLU(0.2)
            )
            for _ in range(sizes.layers)
        )
        self.lstm = nn.LSTM(hidden, hidden // 2, bidirectional=True)

    def forward(self, tokens: Tensor, sentences: Sentences) -> Tensor:
        """``tokens`` int64 [tokens] to hidden states."""
        packing = Packing(sentences.lengths.tolist(), self.reach, sentences.device)
        places = to_device(
            np.concatenate([np.arange(span.start, span.stop) for span in packing.spans()]), packing.device
        )
        embedded = self.embedding(tokens)
        row = embedded.new_zeros(packing.total, embedded.shape[1]).index_copy_(0, places, embedded).t()[None]
        for layer in self.cnn:
            row = packing.clear(layer(row))
        return sentences.recur(self.lstm, row[0].t().index_select(0, places))
