"""The type of all audio in memory."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]  #: [n] mono, nominally within -1 to 1
