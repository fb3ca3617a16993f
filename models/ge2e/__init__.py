"""GE2E: the speaker encoder of Wan et al. 2017 (arXiv:1710.10467), 256 numbers.

The architecture that Harmony Speech and Resemblyzer share: three LSTM layers of 256 over 40 mel energies, a
linear layer, ReLU, unit length. An entry in ``models.yaml`` gives the weights ``model``: a checkpoint of
Resemblyzer (Apache-2.0) or of CorentinJ/Real-Time-Voice-Cloning (MIT), with its ``model_state``.

An item's ``inputs``: ``samples`` float32 [n] mono at ``rate`` 16,000 Hz and perhaps ``segments``, a list of
``[start, end]`` in seconds; at most the first 60 s of speech are used, see `models.shared.recordings`.
It is cut into partials of 160 frames of 10 ms that overlap by half; the embedding is the mean of theirs, made
unit length. Its cost is in frames.

All numbers of an embedding are positive or zero, so cosines are high: two recordings are of one speaker from
about 0.74 up (equal error rate 0.3 % over 510 trials of whole recordings of 2 to 16 s).
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family

FAMILY = Family(
    type="ge2e",
    role=Role.EMBED,
    model="models.ge2e.model:Ge2eModel",
    weights=("model",),
    runtime=Runtime.TORCH,
)
