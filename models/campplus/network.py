"""CAM++ (Wang et al. 2023, arXiv:2303.00332) in torch, for many recordings in one pass and exact for each.

The paper's configuration for 80-bin features and 192-dimensional embeddings: a front end of 2-D residual
convolutions, a TDNN that halves the frames, three densely connected blocks of 12, 24 and 16 context-aware
masking layers, the pooling of mean and deviation, a linear layer and a last normalisation without scale.
Names of the weights are those of 3D-Speaker's checkpoints (Apache-2.0).

Recordings are not padded to one length, which would cost more than a batch saves. The front end takes one after
another: its tensors soon outgrow the cache. From there on they lie end to end along time, with two frames of
zeros between them that are made zero again before each convolution that could see past them. So nothing is
spent on padding, and a recording alone has nothing to mask. Batch normalisations are folded into the
convolutions before them. Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.base import WeightsReport
from models.campplus.checkpoint import BINS, BLOCKS, CHANNELS, COUNTER, shapes
from models.shared.torch import check_tensors

_POOLED = 100  #: frames of one segment of a context-aware mask
_GAP = 2  #: frames between recordings: what a kernel of 3 with dilation 2 sees
_EPSILON = 1e-5  #: of the batch normalisations


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where recordings lie along time."""

    spans: tuple[tuple[int, int], ...]
    gaps: Tensor  #: int64, frames between them
    pooling: Tensor  #: [segments, frames]: mean over a segment plus mean over its recording
    segment_of: Tensor  #: int64 [frames]

    @staticmethod
    def of(lengths: Sequence[int], device: torch.device) -> _Layout:
        """For recordings of these numbers of frames."""
        spans: list[tuple[int, int]] = []
        for length in lengths:
            start = spans[-1][1] + _GAP if spans else 0
            spans.append((start, start + length))
        total = spans[-1][1]
        gaps = torch.ones(total, dtype=torch.bool)
        segment_of = torch.zeros(total, dtype=torch.int64)
        pooling: list[Tensor] = []
        for start, end in spans:
            gaps[start:end] = False
            for first in range(start, end, _POOLED):
                last = min(end, first + _POOLED)
                segment_of[first:last] = len(pooling)
                share = torch.zeros(total)
                share[start:end] = 1 / (end - start)
                share[first:last] += 1 / (last - first)
                pooling.append(share)
        return _Layout(
            spans=tuple(spans),
            gaps=gaps.nonzero()[:, 0].to(device),
            pooling=torch.stack(pooling).to(device),
            segment_of=segment_of.to(device),
        )


@dataclass(frozen=True, slots=True)
class _Folded:
    """A convolution or linear layer with its batch normalisation."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class _Residual:
    first: _Folded
    second: _Folded
    shortcut: _Folded | None
    stride: int


@dataclass(frozen=True, slots=True)
class _Dense:
    """One context-aware masking layer; ``scale`` and ``shift`` are the normalisation before it."""

    scale: Tensor
    shift: Tensor
    narrow: _Folded
    local: Tensor  #: [3, 128, 32]
    squeeze: _Folded
    excite: _Folded


@dataclass(frozen=True, slots=True)
class _Transit:
    scale: Tensor
    shift: Tensor
    linear: _Folded


class Network:
    """CAM++ with the weights of a checkpoint (``state_dict``) on ``device``, in float32. Time comes first
    in every tensor and channels last, which on a CPU is the fastest at every length.

    Raises `core.errors.WeightsError` if the weights are not those of CAM++."""

    def __init__(self, weights: Mapping[str, Tensor], device: torch.device) -> None:
        self._device = device
        unused = tuple(name for name in weights if name.endswith(COUNTER))
        own = {name: tensor for name, tensor in weights.items() if name not in unused}
        check_tensors(shapes(), own, "CAM++")
        self._weights = {name: tensor.to(device, torch.float32) for name, tensor in own.items()}
        self.report = WeightsReport(loaded=len(own), unused=unused)
        self._read()
        del self._weights

    @torch.inference_mode()
    def embed(self, features: Sequence[Tensor]) -> Tensor:
        """Embeddings [n, 192], not normalised, of ``features`` float32 [frames, 80] each, on the device."""
        rows = [self._tdnn_of(self._front(feature)) for feature in features]
        layout = _Layout.of([len(row) for row in rows], self._device)
        x = rows[0]
        if len(rows) > 1:
            gap = x.new_zeros(_GAP, x.shape[1])
            x = torch.cat([part for row in rows for part in (row, gap)][:-1])
        for (_, dilation), layers, transit in zip(BLOCKS, self._blocks, self._transits, strict=True):
            x = _block(x, layers, dilation, layout)
            x = _linear(_normalised(x, transit.scale, transit.shift), transit.linear)
        x = x.relu_()
        return _linear(torch.stack([_statistics(x[start:end]) for start, end in layout.spans]), self._dense)

    def _front(self, x: Tensor) -> Tensor:
        """[frames, 80] to [frames, 320]."""
        x = _convolve(x[None, None], self._first, 1).relu_()  # [1, channels, frames, bins]
        for layer in self._residuals:
            y = _convolve(_convolve(x, layer.first, layer.stride).relu_(), layer.second, 1)
            y += _convolve(x, layer.shortcut, layer.stride) if layer.shortcut else x
            x = y.relu_()
        x = _convolve(x, self._last, 2).relu_()
        return x[0].permute(1, 2, 0).flatten(1)

    def _tdnn_of(self, x: Tensor) -> Tensor:
        """Kernel 5, stride 2: [frames, 320] to [frames / 2, 128]."""
        patches = functional.pad(x, (0, 0, 2, 2)).unfold(0, 5, 2)  # [frames / 2, 320, 5]
        return _linear(patches.flatten(1), self._tdnn).relu_()

    def _read(self) -> None:
        self._first = self._convolution("head.conv1", "head.bn1")
        self._residuals = [self._residual(f"head.layer{i}.{j}", stride=2 - j) for i in (1, 2) for j in (0, 1)]
        self._last = self._convolution("head.conv2", "head.bn2")
        tdnn = self._folded("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
        # The front end gives bins of channels here, where the checkpoint wants channels of bins.
        weight = tdnn.weight.reshape(len(tdnn.weight), CHANNELS, BINS // 8, -1).transpose(1, 2)
        self._tdnn = _Folded(weight.flatten(1).contiguous(), tdnn.bias)
        self._blocks, self._transits = [], []
        for i, (count, _) in enumerate(BLOCKS, start=1):
            self._blocks.append([self._layer(f"xvector.block{i}.tdnnd{j}") for j in range(1, count + 1)])
            # The last one is followed by a separate normalisation.
            after = "xvector.out_nonlinear.batchnorm" if i == len(BLOCKS) else None
            self._transits.append(self._transit(f"xvector.transit{i}", after))
        self._dense = self._pointwise("xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")

    def _normalisation(self, name: str) -> tuple[Tensor, Tensor]:
        """Scale and shift of a batch normalisation [channels]; the last one of CAM++ has no weights."""
        mean, variance = self._weights[f"{name}.running_mean"], self._weights[f"{name}.running_var"]
        scale = (variance + _EPSILON).rsqrt() * self._weights.get(f"{name}.weight", torch.ones_like(mean))
        return scale, self._weights.get(f"{name}.bias", torch.zeros_like(mean)) - mean * scale

    def _folded(self, name: str, normalisation: str | None) -> _Folded:
        weight = self._weights[f"{name}.weight"]
        bias = self._weights.get(f"{name}.bias", torch.zeros(len(weight), device=self._device))
        if normalisation is None:
            return _Folded(weight, bias)
        scale, shift = self._normalisation(normalisation)
        return _Folded(weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias * scale + shift)

    def _convolution(self, name: str, normalisation: str) -> _Folded:
        """A 2-D convolution with time and bins swapped: in a checkpoint bins come first."""
        folded = self._folded(name, normalisation)
        weight = folded.weight.transpose(2, 3).contiguous(memory_format=torch.channels_last)
        return _Folded(weight, folded.bias)

    def _pointwise(self, name: str, normalisation: str | None) -> _Folded:
        folded = self._folded(name, normalisation)
        return _Folded(folded.weight[:, :, 0].contiguous(), folded.bias)

    def _residual(self, name: str, stride: int) -> _Residual:
        return _Residual(
            first=self._convolution(f"{name}.conv1", f"{name}.bn1"),
            second=self._convolution(f"{name}.conv2", f"{name}.bn2"),
            shortcut=self._convolution(f"{name}.shortcut.0", f"{name}.shortcut.1") if stride > 1 else None,
            stride=stride,
        )

    def _layer(self, name: str) -> _Dense:
        scale, shift = self._normalisation(f"{name}.nonlinear1.batchnorm")
        return _Dense(
            scale=scale,
            shift=shift,
            narrow=self._pointwise(f"{name}.linear1", f"{name}.nonlinear2.batchnorm"),
            local=self._weights[f"{name}.cam_layer.linear_local.weight"].permute(2, 1, 0).contiguous(),
            squeeze=self._pointwise(f"{name}.cam_layer.linear1", None),
            excite=self._pointwise(f"{name}.cam_layer.linear2", None),
        )

    def _transit(self, name: str, after: str | None) -> _Transit:
        scale, shift = self._normalisation(f"{name}.nonlinear.batchnorm")
        return _Transit(scale, shift, self._pointwise(f"{name}.linear", after))


def _linear(x: Tensor, layer: _Folded) -> Tensor:
    return functional.linear(x, layer.weight, layer.bias)


def _convolve(x: Tensor, layer: _Folded, stride: int) -> Tensor:
    """A convolution over [1, channels, frames, bins] that keeps the frames; ``stride`` is that of the bins."""
    return functional.conv2d(x, layer.weight, layer.bias, stride=(1, stride), padding=layer.weight.shape[2] // 2)


def _normalised(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, x, scale).relu_()


def _block(x: Tensor, layers: Sequence[_Dense], dilation: int, layout: _Layout) -> Tensor:
    """A densely connected block: [frames, channels] to [frames, channels + 32 x layers]."""
    frames, known = x.shape
    grown = x.new_empty(frames, known + CHANNELS * len(layers))
    grown[:, :known] = x
    for layer in layers:
        h = _linear(_normalised(grown[:, :known], layer.scale, layer.shift), layer.narrow).relu_()
        if len(layout.gaps):
            h.index_fill_(0, layout.gaps, 0)
        local = h @ layer.local[1]
        local[dilation:].addmm_(h[:-dilation], layer.local[0])
        local[:-dilation].addmm_(h[dilation:], layer.local[2])
        mask = _linear(_linear(layout.pooling @ h, layer.squeeze).relu_(), layer.excite).sigmoid_()
        torch.mul(local, mask[layout.segment_of], out=grown[:, known : known + CHANNELS])
        known += CHANNELS
    return grown


def _statistics(x: Tensor) -> Tensor:
    """Mean and unbiased deviation over time: [frames, channels] to [2 x channels]."""
    deviation, mean = torch.std_mean(x, dim=0, unbiased=True)
    return torch.cat([mean, deviation])
