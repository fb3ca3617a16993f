"""Checkpoints to networks: weight normalization folded, names translated, nothing missing and nothing superfluous."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from models.base import WeightsReport
from models.shared.torch import load_strictly

#: What only the training of a synthesizer uses, for `load_network`: the posterior encoder, and of the stochastic
#: predictor what `models.vits.parts.durations` names.
TRAINING = r"enc_q\.|sdp\.post_|sdp\.flows\.1\."

#: A regular expression, and what it becomes.
Renaming: TypeAlias = tuple[str, str | Callable[[re.Match[str]], str]]

#: How torch's two generations of weight normalization name magnitude and direction.
_SPELLINGS = ((".weight_g", ".weight_v"), (".parametrizations.weight.original0", ".parametrizations.weight.original1"))


def fold(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with each weight in place of its magnitude and direction (Salimans and Kingma 2016,
    arXiv:1602.07868): w = g v / |v|, the norm over all but the first dimension."""
    folded = dict(tensors)
    for magnitude, direction in _SPELLINGS:
        for name in [name for name in folded if name.endswith(magnitude)]:
            stem = name.removesuffix(magnitude)
            if stem + direction in folded:
                g, v = folded.pop(name).double(), folded.pop(stem + direction).double()
                norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
                folded[stem + ".weight"] = (v * (g / norm)).float()
    return folded


def renamed(tensors: Mapping[str, Tensor], patterns: Sequence[Renaming]) -> dict[str, Tensor]:
    """The tensors under new names: for each, all ``patterns`` in order."""

    def new(name: str) -> str:
        return functools.reduce(lambda name, pattern: re.sub(pattern[0], pattern[1], name), patterns, name)

    return {new(name): tensor for name, tensor in tensors.items()}


def load_network(network: nn.Module, tensors: Mapping[str, Tensor], kind: str, unused: str = "") -> WeightsReport:
    """Load exactly these weights. The network has no use for tensors that match the regular expression ``unused``,
    which may be missing.

    Raises `core.errors.WeightsError` for any other tensor that is missing or superfluous, or of another shape."""
    folded = fold(tensors)
    left = {name for name in folded if unused and re.match(unused, name)}
    report = load_strictly(network, {name: tensor for name, tensor in folded.items() if name not in left}, kind)
    return replace(report, unused=tuple(sorted(left)))
