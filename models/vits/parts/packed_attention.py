"""Attention of transformers' models over sentences that stand end to end in one row, so that nothing is padded but the
attention itself. Imports torch and transformers: only `Model.load` may import this module.

A model whose configuration names `ATTENTION` is called with one row of tokens, their ``position_ids`` and ``rows``
(`models.vits.parts.packing.Rows`).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

from models.vits.parts.packing import Rows

#: The name by which transformers knows `packed_attention`.
ATTENTION = "chorus_packed"


def packed_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **more: Any
) -> tuple[Tensor, None]:
    """Attention within each sentence; query, key and value [1, heads, total, size] → [1, total, heads, size]."""
    rows: Rows = more["rows"]
    heads, size = query.shape[1], query.shape[3]

    def padded(x: Tensor) -> Tensor:
        return x[0].index_select(1, rows.columns.reshape(-1)).view(heads, *rows.columns.shape, size).transpose(0, 1)

    mixed = functional.scaled_dot_product_attention(padded(query), padded(key), padded(value), attn_mask=rows.allowed)
    flat = mixed.transpose(1, 2).reshape(-1, heads, size)
    return flat.index_select(0, rows.places)[None], None


AttentionInterface.register(ATTENTION, packed_attention)
