"""Noise that belongs to one item, whatever its company."""

from __future__ import annotations

import numpy as np

from core.errors import ModelFailed
from models.base import Item


def noise_of(item: Item) -> np.random.Generator:
    """The item's own generator: the same ``seed`` draws the same noise. Raises `core.errors.ModelFailed`."""
    try:
        return np.random.Generator(np.random.PCG64(item.seed))
    except (TypeError, ValueError) as error:
        raise ModelFailed(f"The item's seed is invalid: {error}") from error
