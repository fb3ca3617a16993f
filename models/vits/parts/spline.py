"""The inverse of a monotonic rational-quadratic spline (Durkan et al. 2019, arXiv:1906.04032), with linear tails."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_LEAST = 1e-3  #: width and height of a bin, and derivative at a knot
_TAIL = math.log(math.exp(1 - _LEAST) - 1)  #: gives the derivative 1


def inverse_spline(y: Tensor, widths: Tensor, heights: Tensor, derivatives: Tensor, tail: float) -> Tensor:
    """The x for each ``y`` of any shape; outside of ±``tail`` it is ``y`` itself.

    ``widths`` and ``heights`` [..., bins] and ``derivatives`` [..., bins - 1] are the network's, not yet normalized.
    """
    xs, wide = _knots(widths, tail)
    ys, high = _knots(heights, tail)
    slopes = _LEAST + functional.softplus(functional.pad(derivatives, (1, 1), value=_TAIL))
    inner = y.clamp(-tail, tail)
    place = (inner[..., None] >= ys[..., 1:-1]).sum(dim=-1, keepdim=True)

    def here(values: Tensor) -> Tensor:
        return values.gather(-1, place)[..., 0]

    width, height, low = here(wide), here(high), here(ys)
    left, right = here(slopes), here(slopes[..., 1:])
    slope = height / width
    above = inner - low
    bend = left + right - 2 * slope
    a = above * bend + height * (slope - left)
    b = height * left - above * bend
    c = -slope * above
    root = 2 * c / (-b - (b * b - 4 * a * c).clamp_(min=0).sqrt())
    return torch.where(y.abs() <= tail, root * width + here(xs), y)


def _knots(parts: Tensor, tail: float) -> tuple[Tensor, Tensor]:
    """Knots [..., bins + 1] from -tail to tail, and the distances between them [..., bins]."""
    bins = parts.shape[-1]
    shares = _LEAST + (1 - _LEAST * bins) * functional.softmax(parts, dim=-1)
    knots = functional.pad(2 * tail * shares.cumsum(dim=-1) - tail, (1, 0), value=-tail)
    knots[..., -1] = tail
    return knots, knots.diff(dim=-1)
