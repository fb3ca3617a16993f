"""Recordings to GE2E embeddings: the partials of all of them in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ChorusError
from models.base import Embedding, Item, Model, Output
from models.shared import recordings
from models.shared.embeddings import unit
from models.shared.failures import together

#: Partials that go through the network together, at about 0.7 MB each.
_AT_ONCE = {"cpu": 64, "cuda": 4096}


class Ge2eModel(Model):
    """A GE2E encoder. Returns `models.base.Embedding` of 256 numbers per item, or `core.errors.NoSpeech`."""

    _network: Any = None

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the file is not a GE2E checkpoint."""
        import torch

        from models.ge2e.network import Network
        from models.shared.torch import open_device, read_tensors

        self.bounds = self.spec.bounds(device)
        self._torch = torch
        self._device = open_device(device)
        self._network = Network(read_tensors(self.files("model"), self.spec.name, "model_state"), self._device)
        self.report = self._network.report
        with torch.inference_mode():
            self._network(torch.ones(1, 160, 40, device=self._device))

    def cost(self, item: Item) -> int:
        """The maximum number of frames of 10 ms that are used."""
        return recordings.frames_heard(item)

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """One embedding per item, or why there is none."""
        outcomes: dict[int, Output | ChorusError] = {}
        partials: dict[int, Any] = {}
        for place, item in enumerate(items):
            try:
                samples = self._torch.from_numpy(recordings.speech(item)).to(self._device)
                partials[place] = self._network.partials(samples)
            except ChorusError as error:
                outcomes[place] = error
        outcomes.update(zip(partials, together(list(partials.values()), self._embed), strict=True))
        return [outcomes[place] for place in range(len(items))]

    def _embed(self, partials: Sequence[Any]) -> list[Embedding]:
        """One embedding per item, from its partials [n, 160, 40]. Raises what torch raises."""
        pooled = self._torch.cat(list(partials))
        vectors = np.concatenate([self._network(part).cpu().numpy() for part in self._chunks(pooled)])
        ends = np.cumsum([len(p) for p in partials])
        return [Embedding(unit(rows.mean(axis=0)), self.spec.name) for rows in np.split(vectors, ends[:-1])]

    def _chunks(self, pooled: Any) -> Sequence[Any]:
        """Equal portions: a last pass with few rows would be a slow one."""
        count = math.ceil(len(pooled) / _AT_ONCE[self._device.type])
        chunks: Sequence[Any] = self._torch.tensor_split(pooled, count)
        return chunks
