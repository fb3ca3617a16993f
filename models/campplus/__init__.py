"""CAM++: a speaker embedding of 192 numbers (Wang et al. 2023, arXiv:2303.00332).

An entry in ``models.yaml`` gives the weights ``model``: a state dict of 3D-Speaker's CAM++ (Apache-2.0) for
80-bin Kaldi features at 16 kHz.

An item's ``inputs``: ``samples`` float32 [n] mono at ``rate`` 16,000 Hz and perhaps ``segments``, a list of
``[start, end]`` in seconds; at most the first 60 s of speech are used, see `models.shared.recordings`.
Speech above 20 s is cut into windows of one length; the embedding is the mean of the windows' unit embeddings,
made unit length. Its cost is in frames of 10 ms.

The last batch normalisation, which has no scale and which some ports omit, is applied as in the published model,
so cosines match the published ones: two recordings are of one speaker from about 0.5 up. Over 510 trials
of whole recordings of 2 to 16 s one speaker's were never below 0.65 and two speakers' never above 0.45.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family

FAMILY = Family(
    type="campplus",
    role=Role.EMBED,
    model="models.campplus.model:CampplusModel",
    weights=("model",),
    runtime=Runtime.TORCH,
)
