"""MMS-TTS: a voice for each of 1,100 languages (Pratap et al. 2023, arXiv:2305.13516), and any other checkpoint of
transformers' ``VitsModel``.

An entry in ``models.yaml`` gives the weights ``model`` (``model.safetensors`` or ``pytorch_model.bin``), ``config``
(``config.json``), ``vocab`` (``vocab.json``) and, if there is one, ``tokenizer`` (``tokenizer_config.json``). The
weights of Meta's checkpoints are CC BY-NC 4.0.
"""

from __future__ import annotations

from core.names import Precision, Role, Runtime
from models.base import Family, Option

FAMILY = Family(
    type="mms",
    role=Role.SYNTHESIZE,
    model="models.mms.model:MmsModel",
    frontend="models.mms.frontend:MmsFrontend",
    options={
        "speed": Option(default=1.0, minimum=0.25, maximum=4.0, description="Times the voice's own pace"),
        "noise_scale": Option(default=0.667, minimum=0.0, maximum=2.0, description="Liveliness of the sound"),
        "noise_w": Option(default=0.8, minimum=0.0, maximum=2.0, description="Liveliness of the rhythm"),
    },
    weights=("model", "config", "vocab"),
    more_weights=("tokenizer",),
    runtime=Runtime.TORCH,
    precisions=(Precision.FLOAT32, Precision.TF32, Precision.BFLOAT16),
)
"""The options' defaults are for display: an item without them has those of its checkpoint."""
