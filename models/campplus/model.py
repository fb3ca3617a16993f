"""Recordings to CAM++ embeddings, many at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio.samples import Samples
from core.errors import ChorusError, WeightsError
from models.base import Embedding, Item, Model, Output
from models.shared import recordings
from models.shared.embeddings import unit
from models.shared.failures import together

MAX_WINDOW = 20.0  #: seconds that go through the network as one

_HOP, _FRAME = 160, 400  # samples of Kaldi's frames at 16 kHz
#: Mel energies at the top, above 5.9 kHz, that are passed over: AAC and its like cut there, and with them the same
#: voice in AAC and in FLAC had a cosine of 0.94 only; without them 0.99, and the equal error rate stays 0.
_DEAF = 9

#: Frames that go through the network together: on a CPU more would leave its cache.
_AT_ONCE = {"cpu": 1500, "cuda": 60_000}


@dataclass(frozen=True, slots=True)
class _Window:
    place: int
    samples: Samples

    @property
    def frames(self) -> int:
        """Frames that lie wholly within it."""
        return 1 + (len(self.samples) - _FRAME) // _HOP


class CampplusModel(Model):
    """A CAM++ model. Returns `models.base.Embedding` of 192 numbers per item, or `core.errors.NoSpeech`."""

    _network: Any = None

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the file is not a CAM++ model."""
        import torch

        from models.campplus.network import Network
        from models.shared.torch import open_device, read_tensors

        self.bounds = self.spec.bounds(device)
        self._torch = torch
        self._device = open_device(device)
        self._network = Network(read_tensors(self.files("model"), self.spec.name), self._device)
        self.report = self._network.report
        warm = self.run([Item({"samples": recordings.hum(), "rate": recordings.RATE})])[0]
        if not isinstance(warm, Embedding):
            raise WeightsError(f"{self.spec.name}: the model does not run: {warm}")

    def cost(self, item: Item) -> int:
        """The maximum number of frames of 10 ms that are used."""
        return recordings.frames_heard(item)

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """One embedding per item, or why there is none."""
        outcomes: dict[int, Output | ChorusError] = {}
        windows: list[_Window] = []
        for place, item in enumerate(items):
            try:
                windows += [_Window(place, cut) for cut in _cut(recordings.speech(item))]
            except ChorusError as error:
                outcomes[place] = error
        found: dict[int, list[Samples]] = {}
        for group in self._groups(windows):
            for window, vector in zip(group, together(group, self._embed), strict=True):
                if isinstance(vector, ChorusError):
                    outcomes[window.place] = vector
                else:
                    found.setdefault(window.place, []).append(vector)
        for place, vectors in found.items():
            outcomes.setdefault(place, self._embedding(vectors))
        return [outcomes[place] for place in range(len(items))]

    def _features(self, group: Sequence[_Window]) -> list[Any]:
        """80 log mel energies of Kaldi, less their mean over time: float32 [frames, 80] each, on the device.

        Frames are independent of each other, so the windows are processed end to end, each from the start of a
        frame, and the frames that reach from one into the next are left out."""
        from torchaudio.compliance import kaldi

        starts = np.cumsum([0] + [-(-len(window.samples) // _HOP) for window in group])
        pooled = np.zeros(int(starts[-1]) * _HOP, np.float32)
        for window, start in zip(group, starts.tolist(), strict=False):
            pooled[start * _HOP : start * _HOP + len(window.samples)] = window.samples
        wave = self._torch.from_numpy(pooled)[None].to(self._device)
        energies = kaldi.fbank(wave, num_mel_bins=80, sample_frequency=recordings.RATE, dither=0.0)
        rows = [energies[start : start + w.frames] for w, start in zip(group, starts.tolist(), strict=False)]
        features = [row - row.mean(dim=0) for row in rows]
        for row in features:
            row[:, -_DEAF:] = 0.0
        return features

    def _groups(self, windows: Sequence[_Window]) -> Iterator[list[_Window]]:
        """Windows that go through the network together: the shortest first, as few as fill it."""
        group: list[_Window] = []
        frames = 0
        for window in sorted(windows, key=lambda w: w.frames):
            if group and frames + window.frames > _AT_ONCE[self._device.type]:
                yield group
                group, frames = [], 0
            group.append(window)
            frames += window.frames
        if group:
            yield group

    def _embed(self, group: Sequence[_Window]) -> list[Samples]:
        """Unit vectors. Raises what torch raises."""
        return [unit(vector) for vector in self._network.embed(self._features(group)).cpu().numpy()]

    def _embedding(self, vectors: Sequence[Samples]) -> Embedding | ChorusError:
        # Windows of one item have one length, so the plain mean is the weighted one.
        try:
            return Embedding(unit(np.mean(vectors, axis=0)), self.spec.name)
        except ChorusError as error:
            return error


def _cut(samples: Samples) -> list[Samples]:
    """Windows of one length, as few as are at most `MAX_WINDOW` long; a last few samples may be left over."""
    count = max(1, math.ceil(len(samples) / (MAX_WINDOW * recordings.RATE)))
    return recordings.windows(samples, count)
