"""Speaker embeddings of unit length."""

from __future__ import annotations

import math

import numpy as np

from audio.samples import Samples
from core.errors import ModelFailed


def unit(vector: Samples) -> Samples:
    """The vector scaled to length 1, float32 [n]. Raises `core.errors.ModelFailed` if its length is zero or not
    finite."""
    norm = float(np.linalg.norm(vector))
    if not 1e-12 < norm < math.inf:  # nor is it NaN
        raise ModelFailed("The embedding is not finite.")
    return (vector / norm).astype(np.float32)
