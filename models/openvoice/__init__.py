"""OpenVoice: base speakers, and a tone converter that gives speech the voice of a recording (Qin et al. 2023,
arXiv:2312.01479; myshell-ai/OpenVoice, MIT).

- ``openvoice_v1`` speaks with the base speakers of OpenVoice V1: English in nine styles, Chinese in one.
- ``openvoice_v1_tone_encoder`` and ``openvoice_v2_tone_encoder`` compute a speaker embedding of 256 numbers, which is
  not of unit length: its length matters to the converter.
- ``openvoice_v1_tone_converter`` and ``openvoice_v2_tone_converter`` convert speech from the voice of one embedding to
  that of another.

Each entry in ``models.yaml`` gives the weights ``model`` (upstream's ``checkpoint.pth``) and ``config`` (its
``config.json``). Encoder and converter have the same files; a process that runs both loads them once. A converter may
have the embeddings of base speakers as well: ``source_NAME`` (upstream's ``*_se.pth``), where NAME is the ``source`` of
a synthesizer's voice.
"""

from __future__ import annotations

from core.names import Role, Runtime
from models.base import Family, Option
from models.vits.options import PRECISIONS, speaking_options

EMBEDDING = 256  #: numbers of a speaker embedding
RATE = 22_050  #: Hz that a tone encoder hears
TAU = 0.3  #: of the posterior's noise, how much a conversion has


def _encoder(version: str) -> Family:
    return Family(
        type=f"openvoice_{version}_tone_encoder",
        role=Role.EMBED,
        model="models.openvoice.tone_models:ToneEncoder",
        weights=("model", "config"),
        runtime=Runtime.TORCH,
        hears=RATE,
    )


def _converter(version: str) -> Family:
    return Family(
        type=f"openvoice_{version}_tone_converter",
        role=Role.CONVERT,
        model="models.openvoice.tone_models:ToneConverter",
        options={"tau": Option(default=TAU, minimum=0.0, maximum=1.0, description="Noise of the conversion")},
        weights=("model", "config"),
        more_weights=("source_*",),
        hears=RATE,
        runtime=Runtime.TORCH,
        precisions=PRECISIONS,
    )


_SYNTHESIZER = Family(
    type="openvoice_v1",
    role=Role.SYNTHESIZE,
    model="models.openvoice.synthesizer:OpenVoiceModel",
    frontend="models.openvoice.frontend:OpenVoiceFrontend",
    options=speaking_options(noise_w=0.6),
    weights=("model", "config"),
    runtime=Runtime.TORCH,
    precisions=PRECISIONS,
)

FAMILIES = (_SYNTHESIZER, _encoder("v1"), _converter("v1"), _encoder("v2"), _converter("v2"))
