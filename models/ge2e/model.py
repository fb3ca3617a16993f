"""Recordings to GE2E embeddings: the partials of all of them in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audio.samples import Samples
from core.errors import ChorusError, ConfigurationError, ModelFailed, OutOfMemory, WeightsError
from models.base import Embedding, Item, Model, Output
from models.shared import recordings

_FRAMES_PER_SECOND = 100
#: Partials that go through the network together, at about 0.7 MB each.
_AT_ONCE = {"cpu": 64, "cuda": 4096}


class Ge2eModel(Model):
    """One GE2E encoder. Gives `models.base.Embedding` of 256 numbers per item, or `core.errors.NoSpeech`."""

    _network: Any = None

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` where the file is no GE2E checkpoint."""
        import torch

        from models.ge2e.network import Network

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigurationError("this torch sees no CUDA device")
        self.bounds = self.spec.bounds(device)
        self._torch = torch
        self._device = torch.device(device)
        try:
            checkpoint = torch.load(self.files("model"), map_location="cpu", weights_only=True)
        except Exception as error:  # pickle, zipfile and torch raise classes of their own
            raise WeightsError(f"{self.spec.name}: the model is no readable file of weights") from error
        state = checkpoint.get("model_state") if isinstance(checkpoint, Mapping) else None
        if not isinstance(state, Mapping):
            raise WeightsError(f"{self.spec.name}: the checkpoint has no model_state")
        self._network = Network(state, self._device)
        with torch.inference_mode():
            self._network(torch.ones(1, 160, 40, device=self._device))

    def cost(self, item: Item) -> int:
        """Frames of 10 ms that are heard at most."""
        return max(1, math.ceil(recordings.seconds_heard(item) * _FRAMES_PER_SECOND))

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
        outcomes |= self._embed(partials)
        return [outcomes[place] for place in range(len(items))]

    def _embed(self, partials: Mapping[int, Any]) -> dict[int, Output | ChorusError]:
        """Outcomes by place. What fails in company is done again alone: one bad item spoils no other."""
        if not partials:
            return {}
        try:
            pooled = self._torch.cat(list(partials.values()))
            vectors = np.concatenate([self._network(part).cpu().numpy() for part in self._chunks(pooled)])
            ends = np.cumsum([len(p) for p in partials.values()])
            rows = np.split(vectors, ends[:-1])
            return {place: self._embedding(row) for place, row in zip(partials, rows, strict=True)}
        except self._torch.OutOfMemoryError:
            failure: ChorusError = OutOfMemory()
        except RuntimeError as error:
            failure = ModelFailed(f"{type(error).__name__}: {str(error)[:300]}")
        if len(partials) == 1:
            return dict.fromkeys(partials, failure)
        return {place: outcome for one, p in partials.items() for place, outcome in self._embed({one: p}).items()}

    def _chunks(self, pooled: Any) -> Sequence[Any]:
        """Equal portions: a last pass with few rows would be a slow one."""
        count = math.ceil(len(pooled) / _AT_ONCE[self._device.type])
        chunks: Sequence[Any] = self._torch.tensor_split(pooled, count)
        return chunks

    def _embedding(self, vectors: Samples) -> Embedding | ChorusError:
        mean = vectors.mean(axis=0)
        norm = float(np.linalg.norm(mean))
        if not 1e-12 < norm < math.inf:  # nor is it NaN
            return ModelFailed("the embedding is not finite")
        return Embedding((mean / norm).astype(np.float32), self.spec.name)
