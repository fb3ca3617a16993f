"""MeloTTS: VITS with a transformer in its flow, which hears what a BERT makes of the text (myshell-ai/MeloTTS, MIT).
English, Chinese, Spanish, French, Japanese and Korean.

An entry in ``models.yaml`` has one language and gives the weights ``model`` (upstream's ``checkpoint.pth``), ``config``
(its ``config.json``), and those of the language's BERT: ``bert`` (``model.safetensors`` or ``pytorch_model.bin``),
``bert_config`` (``config.json``), ``bert_vocab`` (``vocab.txt``) and, if it has one, ``bert_tokenizer``
(``tokenizer_config.json``). Entries with the same files of a BERT share it in a process.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family
from models.vits.options import PRECISIONS, speaking_options

FAMILY = Family(
    type="melo",
    role=Role.SYNTHESIZE,
    model="models.melo.model:MeloModel",
    frontend="models.melo.frontend:MeloFrontend",
    options=speaking_options(noise_scale=0.6),
    weights=("model", "config", "bert", "bert_config", "bert_vocab"),
    more_weights=("bert_tokenizer",),
    runtime=Runtime.TORCH,
    precisions=PRECISIONS,
)
