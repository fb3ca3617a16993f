"""Piper: one small VITS voice per model, on ONNX Runtime on a CPU and on torch on a GPU.

Any voice of rhasspy/piper (MIT) works: every quality, one speaker or many. An entry in ``models.yaml`` gives
the weights ``model`` (the voice's ``.onnx``) and ``config`` (its ``.onnx.json``).

``noise_scale`` and ``noise_w`` default to the values in the voice's ``config``, which apply to items without them.
The defaults below are those of nearly all voices, for display before any voice is loaded; so pass on only the
options that a job sets.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family
from models.vits.options import PRECISIONS, speaking_options

FAMILY = Family(
    type="piper",
    role=Role.SYNTHESIZE,
    model="models.piper.model:PiperModel",
    frontend="models.piper.frontend:PiperFrontend",
    options=speaking_options(unset="; unset: the voice's own"),
    weights=("model", "config"),
    runtime=Runtime.ONNX,
    cuda_runtime=Runtime.TORCH,
    precisions=PRECISIONS,
)
