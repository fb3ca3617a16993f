"""Recordings to the probabilities of speech, many at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed
from models.base import Item, Model, Output, Recording, Segments, WeightsReport
from models.shared.onnx import read_graph
from models.shared.options import numbers
from models.shared.recordings import RATE, recording_of
from models.silero import FAMILY
from models.silero.segments import WINDOW, Parameters, segments

CONTEXT = 64  #: samples of the window before that each window sees

_HIDDEN = 128
_FRAME, _HOP = 256, 128  # of the spectrogram, in samples
_ROWS = 64  #: recordings side by side
_WINDOWS_AT_ONCE = 2048  #: windows in one pass, at about 15 KB each: hours take no more memory than seconds


class SileroModel(Model):
    """Silero VAD. Returns `models.base.Segments` per item."""

    _network: Any = None

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the file is not that of Silero VAD at 16 kHz."""
        import torch

        from models.shared.torch import open_device

        self.bounds = self.spec.bounds(device)
        self._torch = torch
        self._device = open_device(device)
        weights = _read_weights(self.files("model"), self.spec.name)
        self.report = WeightsReport(loaded=len(weights))
        self._network = _Network(torch, weights, self._device)
        self.probabilities([Item({"samples": np.zeros(4 * WINDOW, np.float32), "rate": RATE})])

    def cost(self, item: Item) -> int:
        """Seconds of audio."""
        return max(1, math.ceil(len(item.inputs["samples"]) / RATE))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """Segments per item, or `core.errors.ModelFailed` if its inputs are invalid."""
        outcomes: dict[int, Output | ChorusError] = {}
        sound: dict[int, Parameters] = {}
        for place, item in enumerate(items):
            try:
                _samples(item)
                sound[place] = Parameters(**numbers(FAMILY.options, item.options))
            except ChorusError as error:
                outcomes[place] = error
        probabilities = self.probabilities([items[place] for place in sound])
        for (place, parameters), found in zip(sound.items(), probabilities, strict=True):
            samples = len(items[place].inputs["samples"])
            outcomes[place] = Segments(segments(found, samples, parameters), samples / RATE)
        return [outcomes[place] for place in range(len(items))]

    def probabilities(self, items: Sequence[Item]) -> list[Samples]:
        """Float32 [windows] per item: how likely each window of 512 samples holds speech, the last one filled
        up with zeros. Raises `core.errors.ModelFailed` for samples that are no mono audio at 16 kHz."""
        recordings = [_samples(item) for item in items]
        result: list[Samples] = [np.zeros(0, np.float32)] * len(recordings)
        # Longest first: rows of like length share a pass, and those that end first are the last ones.
        order = sorted((i for i in range(len(recordings)) if len(recordings[i])), key=lambda i: -len(recordings[i]))
        for first in range(0, len(order), _ROWS):
            places = order[first : first + _ROWS]
            found = self._rows([recordings[i] for i in places])
            for place, row in zip(places, found, strict=True):
                result[place] = row
        return result

    def _rows(self, rows: Sequence[Recording]) -> list[Samples]:
        """Probabilities of rows that come longest first."""
        torch = self._torch
        counts = np.array([-(-len(row) // WINDOW) for row in rows])
        result = [np.zeros(n, np.float32) for n in counts]
        hidden = torch.zeros(1, len(rows), _HIDDEN, device=self._device)
        cell = torch.zeros_like(hidden)
        start = 0
        while start < counts[0]:
            if start:
                self.pause()
            active = int((counts > start).sum())
            steps = min(max(1, _WINDOWS_AT_ONCE // active), int(counts[0]) - start)
            windows = np.stack([_windows(row, start, steps) for row in rows[:active]], axis=1)
            present = np.arange(start, start + steps)[:, None] < counts[None, :active]
            with torch.inference_mode():
                packed, hidden, cell = self._network.step(
                    torch.from_numpy(windows[present]).to(self._device),
                    torch.from_numpy(present.sum(axis=1)),
                    hidden[:, :active].contiguous(),
                    cell[:, :active].contiguous(),
                )
            block = np.zeros(present.shape, np.float32)
            block[present] = packed.cpu().numpy()
            for i in range(active):
                end = min(start + steps, int(counts[i]))
                result[i][start:end] = block[: end - start, i]
            start += steps
        return result


class _Network:
    """The network in float32: a learned spectrogram, four convolutions, an LSTM and a logistic unit."""

    def __init__(self, torch: Any, weights: Mapping[str, Any], device: Any) -> None:
        self.torch = torch
        tensors = {name: tensor.to(device) for name, tensor in weights.items()}
        self.basis = tensors["model.stft.forward_basis_buffer"][:, 0].T.contiguous()  # [256, 258]
        self.convolutions = [
            (tensors[f"model.encoder.{i}.reparam_conv.weight"], tensors[f"model.encoder.{i}.reparam_conv.bias"])
            for i in range(4)
        ]
        self.lstm = torch.nn.LSTM(_HIDDEN, _HIDDEN).to(device).eval()
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self.lstm, f"{name}_l0").copy_(tensors[f"model.decoder.rnn.{name}"])
        self.weight = tensors["model.decoder.decoder.2.weight"].reshape(1, _HIDDEN)
        self.bias = tensors["model.decoder.decoder.2.bias"]

    def step(self, windows: Any, sizes: Any, hidden: Any, cell: Any) -> tuple[Any, Any, Any]:
        """Probabilities [packed] of ``windows`` [packed, 576], in the order of a `PackedSequence` whose steps
        have ``sizes`` rows, and the states after them, [1, rows, 128] each."""
        torch = self.torch
        packed = torch.nn.utils.rnn.PackedSequence(self._encode(windows), sizes)
        output, (hidden, cell) = self.lstm(packed, (hidden, cell))
        logits = torch.nn.functional.linear(output.data.relu(), self.weight, self.bias)
        return logits[:, 0].sigmoid(), hidden, cell

    def _encode(self, windows: Any) -> Any:
        """Features [n, 128] of windows [n, 576]."""
        torch = self.torch
        padded = torch.nn.functional.pad(windows, (0, CONTEXT), mode="reflect")
        spectrum = padded.unfold(1, _FRAME, _HOP) @ self.basis  # [n, 4, 258]
        half = spectrum.shape[2] // 2
        x = (spectrum[..., :half].square() + spectrum[..., half:].square()).sqrt_()
        # Four frames become four, two, one and one: as matrix products they cost half of what Conv1d does.
        for (weight, bias), stride in zip(self.convolutions, (1, 2, 2, 1), strict=True):
            x = _convolve(torch, x, weight, bias, stride)
        return x[:, 0]


def _convolve(torch: Any, x: Any, weight: Any, bias: Any, stride: int) -> Any:
    """Conv1d (kernel 3, padding 1) and ReLU over ``x`` [n, frames, channels]."""
    if x.shape[1] == 1:  # what lies beside a single frame is padding
        return torch.nn.functional.linear(x, weight[:, :, 1], bias).relu_()
    patches = torch.nn.functional.pad(x, (0, 0, 1, 1)).unfold(1, 3, stride)  # [n, frames, channels, 3]
    return torch.nn.functional.linear(patches.flatten(2), weight.flatten(1), bias).relu_()


def _windows(row: Recording, start: int, steps: int) -> NDArray[np.float32]:
    """Windows ``start`` to ``start + steps`` of a row with their context, zeros outside: [steps, 576]."""
    buffer = np.zeros(steps * WINDOW + CONTEXT, np.float32)
    first = start * WINDOW - CONTEXT
    piece = row[max(0, first) : first + len(buffer)]
    offset = max(0, -first)
    buffer[offset : offset + len(piece)] = piece
    return np.lib.stride_tricks.sliding_window_view(buffer, WINDOW + CONTEXT)[::WINDOW]


def _samples(item: Item) -> Recording:
    """The item's samples, checked. Raises `core.errors.ModelFailed`."""
    samples = recording_of(item, "Silero VAD")
    if isinstance(samples, np.ndarray) and not np.isfinite(samples).all():
        raise ModelFailed("Samples must be finite numbers.")
    return samples


def _read_weights(path: Path, model: str) -> dict[str, Any]:
    """The tensors of the graph, float32 on the CPU."""
    import torch
    from onnx import numpy_helper

    from models.shared.torch import check_tensors

    graph = read_graph(path, model).graph
    found = {t.name: torch.from_numpy(numpy_helper.to_array(t).astype(np.float32)) for t in graph.initializer}
    check_tensors(_SHAPES, found, "Silero VAD (16 kHz)")
    return found


_SHAPES: dict[str, tuple[int, ...]] = {
    "model.stft.forward_basis_buffer": (258, 1, 256),
    "model.encoder.0.reparam_conv.weight": (128, 129, 3),
    "model.encoder.0.reparam_conv.bias": (128,),
    "model.encoder.1.reparam_conv.weight": (64, 128, 3),
    "model.encoder.1.reparam_conv.bias": (64,),
    "model.encoder.2.reparam_conv.weight": (64, 64, 3),
    "model.encoder.2.reparam_conv.bias": (64,),
    "model.encoder.3.reparam_conv.weight": (128, 64, 3),
    "model.encoder.3.reparam_conv.bias": (128,),
    "model.decoder.rnn.weight_ih": (512, 128),
    "model.decoder.rnn.weight_hh": (512, 128),
    "model.decoder.rnn.bias_ih": (512,),
    "model.decoder.rnn.bias_hh": (512,),
    "model.decoder.decoder.2.weight": (1, 128, 1),
    "model.decoder.decoder.2.bias": (1,),
}
