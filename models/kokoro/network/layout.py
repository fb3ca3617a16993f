"""Items of a micro-batch end to end in one row, each in whole chunks, so that sums over an item are sums of chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from models.vits.parts.packing import to_device

CHUNK = 8  #: frames
GAP = 2  #: frames behind an item, at least: what a convolution of the network reaches, at any of its rates


class Layout:
    """Where items of ``lengths`` frames stand in one row: each begins with a chunk, and `GAP` frames or more follow.

    A convolution whose input is zero behind each item gives the item what it would give it alone, since an item alone
    is padded with zeros; so what biases and shifts write there is cleared. A row may have several values (``rate``) a
    frame, and an item ``more`` values than that."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        self.device = device
        chunks = -(-(self.lengths + GAP) // CHUNK)
        ends = np.cumsum(chunks)
        self.starts: NDArray[np.int64] = (ends - chunks) * CHUNK
        self.chunks = int(ends[-1])
        self._owners = np.repeat(np.arange(len(lengths)), chunks)
        self._gaps: dict[tuple[int, int], Tensor] = {}
        self._counts: dict[tuple[int, int], Tensor] = {}

    @property
    def total(self) -> int:
        """Frames of the row."""
        return self.chunks * CHUNK

    def spans(self, rate: int = 1, more: int = 0) -> list[slice]:
        """The place of each item."""
        pairs = zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        return [slice(start * rate, (start + length) * rate + more) for start, length in pairs]

    def clear(self, row: Tensor, rate: int = 1, more: int = 0) -> Tensor:
        """Set ``row`` [1, channels, total x rate] to zero behind each item, in place. Returns it."""
        if self.device.type != "cpu":
            return row.index_fill_(2, self._behind(rate, more), 0.0)  # one call for all gaps
        for span, end in zip(self.spans(rate, more), [*self.starts[1:].tolist(), self.total], strict=True):
            row[:, :, span.stop : end * rate] = 0.0
        return row

    @cached_property
    def owners(self) -> Tensor:
        """The item of each chunk, int64 [chunks]."""
        return to_device(self._owners, self.device)

    @cached_property
    def membership(self) -> Tensor:
        """1 where a chunk is an item's, else 0: float64 [chunks, items]."""
        return to_device((self._owners[:, None] == np.arange(len(self.lengths))).astype(np.float64), self.device)

    def counts(self, rate: int, more: int = 0) -> Tensor:
        """The values of each item, float64 [items]."""
        if (rate, more) not in self._counts:
            self._counts[rate, more] = to_device((self.lengths * rate + more).astype(np.float64), self.device)
        return self._counts[rate, more]

    @cached_property
    def order(self) -> Order:
        """The frames in the order of a recurrent network."""
        return Order(self.starts, self.lengths, self.device)

    @cached_property
    def ends(self) -> Ends:
        """Where the two values that each frame's pitch has begin and end."""
        chunks = np.bincount(self._owners)
        return Ends(
            first=to_device(2 * self.starts, self.device),
            last=to_device(2 * (self.starts + self.lengths) - 1, self.device),
            values=to_device(2 * CHUNK * chunks, self.device),
        )

    def _behind(self, rate: int, more: int) -> Tensor:
        """The columns that belong to no item."""
        if (rate, more) not in self._gaps:
            free = np.ones(self.total * rate, bool)
            for span in self.spans(rate, more):
                free[span] = False
            self._gaps[rate, more] = to_device(np.flatnonzero(free), self.device)
        return self._gaps[rate, more]


@dataclass(frozen=True, slots=True)
class Ends:
    """Of each item, int64 [items]: where its first and last value are, and how many there are up to the next item."""

    first: Tensor
    last: Tensor
    values: Tensor


class Order:
    """The order in which a recurrent network takes the values of items: the first one of each, the second ones, and so
    on, longest item first. ``index``: their places in the row, int64 [values]."""

    def __init__(self, starts: NDArray[np.int64], lengths: NDArray[np.int64], device: torch.device) -> None:
        longest_first = np.argsort(-lengths, kind="stable")
        times = np.arange(int(lengths.max()))[:, None]
        there = times < lengths[longest_first]
        self.places: NDArray[np.int64] = (starts[longest_first] + times)[there]
        self.index = to_device(self.places, device)
        self._sizes = torch.from_numpy(there.sum(1))

    def through(self, network: nn.LSTM, values: Tensor) -> Tensor:
        """What a recurrent network makes of ``values`` [values, n], which are in this order, as its output is."""
        packed: PackedSequence = network(PackedSequence(values, self._sizes))[0]
        return packed.data
