"""Many sequences end to end in one row, with gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.vits.groups import padded

if TYPE_CHECKING:
    from models.vits.parts.attention import Attention

#: Frames of one padded group in attention, whose memory grows by a row's square.
MAX_PADDED = 8192
#: Of the items of one group, the shortest over the longest.
SIMILAR = 0.75


class Rows:
    """Items of one packed row as padded rows, on ``device``.

    ``columns``: of the packed row, int64 [items, longest]; past an item's end its last one again. ``allowed``: whether
    a column is not past the end, bool [items, 1, 1, longest]. ``places``: those columns in the flattened rows, int64
    [frames]; ``frames``: and in the packed row."""

    def __init__(self, starts: Sequence[int], lengths: Sequence[int], device: torch.device) -> None:
        counts = np.asarray(lengths, np.int64)[:, None]
        times = np.arange(counts.max())
        own = times < counts
        columns = np.asarray(starts, np.int64)[:, None] + np.minimum(times, counts - 1)
        places = np.flatnonzero(own)
        self.columns = to_device(columns, device)
        self.allowed = to_device(own[:, None, None], device)
        self.places = to_device(places, device)
        self.frames = to_device(columns.reshape(-1)[places], device)


class Packing:
    """Where items stand in one row: ``lengths`` frames each, ``gap`` frames apart.

    A convolution whose input is zero in the gaps gives each item what it would give it alone, since an item alone is
    padded with zeros. Biases fill the gaps again, so they are cleared after each layer, which costs little: a gap is a
    few frames. ``gap`` must be as wide as the widest convolution reaches.
    """

    def __init__(self, lengths: Sequence[int], gap: int, device: torch.device) -> None:
        self.lengths = tuple(lengths)
        self.gap = gap
        self.device = device
        steps = np.asarray(self.lengths, np.int64) + gap
        self.starts: tuple[int, ...] = tuple((np.cumsum(steps) - steps).tolist())
        #: frames of the row; after the last item there is no gap
        self.total = int(steps.sum()) - gap
        self._gaps: dict[int, Tensor] = {}

    def spans(self, rate: int = 1) -> list[slice]:
        """The place of each item, at ``rate`` samples per frame."""
        pairs = zip(self.starts, self.lengths, strict=True)
        return [slice(start * rate, (start + length) * rate) for start, length in pairs]

    def clear(self, row: Tensor, rate: int = 1) -> Tensor:
        """Set the gaps of ``row`` [1, channels, total x rate] to zero, in place. Returns it."""
        if self.device.type != "cpu" and len(self.lengths) > 1:
            return row.index_fill_(2, self._columns(rate), 0.0)  # one call for all gaps
        for before, after in pairwise(self.spans(rate)):
            row[:, :, before.stop : after.start] = 0.0
        return row

    @cached_property
    def owners(self) -> Tensor:
        """The item of each frame, int64 [total]; a gap belongs to the item before it."""
        numbers = np.repeat(np.arange(len(self.lengths)), np.asarray(self.lengths) + self.gap)[: self.total]
        return to_device(numbers, self.device)

    def spread(self, values: Tensor) -> Tensor:
        """The ``values`` [items, channels, 1] of each item at each of its frames: [1, channels, total], or
        [1, channels, 1] for one item."""
        if len(self.lengths) == 1:
            return values
        return values[:, :, 0].t().index_select(1, self.owners)[None]

    def attend(self, attention: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """``attention`` within each item, in padded rows of items of similar length; the gaps are zero after it."""
        out = torch.zeros_like(value)
        for group in self._groups:
            shape = (-1, *group.columns.shape)
            given = (x[0].index_select(1, group.columns.reshape(-1)).reshape(shape) for x in (query, key, value))
            query_, key_, value_ = (x.transpose(0, 1) for x in given)
            mixed = attention(query_, key_, value_, group.allowed)
            mixed = mixed.transpose(0, 1).reshape(value.shape[1], -1)
            out[0].index_copy_(1, group.frames, mixed.index_select(1, group.places))
        return out

    @cached_property
    def _groups(self) -> list[Rows]:
        groups = padded(range(len(self.lengths)), self.lengths.__getitem__, MAX_PADDED, shortest=SIMILAR)
        return [
            Rows([self.starts[i] for i in items], [self.lengths[i] for i in items], self.device) for items in groups
        ]

    def _columns(self, rate: int) -> Tensor:
        if rate not in self._gaps:
            ends = [span.stop for span in self.spans(rate)[:-1]]
            columns = np.asarray(ends, np.int64)[:, None] + np.arange(self.gap * rate)
            self._gaps[rate] = to_device(columns.reshape(-1), self.device)
        return self._gaps[rate]


def to_device(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """The array on the device. A copy to a GPU does not wait: it is made from pinned memory."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
