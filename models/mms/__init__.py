"""MMS-TTS: a voice for each of 1,100 languages (Pratap et al. 2023, arXiv:2305.13516), and any other checkpoint of
transformers' ``VitsModel``.

An entry in ``models.yaml`` gives the weights ``model`` (``model.safetensors`` or ``pytorch_model.bin``), ``config``
(``config.json``), ``vocab`` (``vocab.json``) and, if there is one, ``tokenizer`` (``tokenizer_config.json``). The
weights of Meta's checkpoints are CC BY-NC 4.0.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family
from models.vits.options import PRECISIONS, speaking_options

FAMILY = Family(
    type="mms",
    role=Role.SYNTHESIZE,
    model="models.mms.model:MmsModel",
    frontend="models.mms.frontend:MmsFrontend",
    options=speaking_options(),
    weights=("model", "config", "vocab"),
    more_weights=("tokenizer",),
    runtime=Runtime.TORCH,
    precisions=PRECISIONS,
)
"""The options' defaults are for display: an item without them has those of its checkpoint."""
