"""Kokoro-82M (hexgrad, Apache-2.0; after StyleTTS 2, Li et al. 2023, arXiv:2306.07691), in torch.

An entry in ``models.yaml`` gives the weights ``model``, ``vocab`` (a JSON file whose ``vocab`` has the ids of the
phonemes) and the voices: ``voices`` (an ``.npz`` of float32 [510, 1, 256] styles by name) or ``voice_NAME`` for each
(a ``.pt`` of one). ``model`` is the hub's checkpoint (``kokoro-v1_0.pth``, whose ``vocab`` is ``config.json``), or an
int8 ONNX file with inputs ``tokens``, ``style`` and ``speed``, which is dequantised.

``runtime: onnx`` runs an ONNX file on ONNX Runtime, one utterance at a time. It has no noise in its source and sounds a
little different, so its artifacts have other names.

A voice may be a mix: ``jf_alpha:0.6+jm_kumo:0.4``; see `parse_voice`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container

from core.errors import InvalidRequest
from core.names import Role, Runtime
from models.base import Family, ModelSpec, Option, Voice
from models.vits.options import PRECISIONS

MAX_TOKENS = 510  #: of one utterance, without the pads at both ends: as many as a voice has styles
MAX_MIXED = 8  #: voices in one mix
MAX_WEIGHT = 1000.0
VOICE_FILES = "voice_"  #: how the names of weights begin that are one voice's styles

FAMILY = Family(
    type="kokoro",
    role=Role.SYNTHESIZE,
    model="models.kokoro.model:KokoroModel",
    frontend="models.kokoro.frontend:KokoroFrontend",
    voice="models.kokoro:mixed_voice",
    options={
        "speed": Option(
            default=1.0,
            minimum=0.25,
            maximum=4.0,
            description="Times the voice's own pace; no phoneme is shorter than 25 ms, so above 2 it is less than that",
        )
    },
    weights=("model", "vocab"),
    more_weights=("voices", f"{VOICE_FILES}*"),
    runtime=Runtime.TORCH,
    more_runtimes=(Runtime.ONNX,),
    polyglot=True,
    precisions=PRECISIONS,
    code_version=2,
)

_PART = re.compile(r"\s*([A-Za-z0-9_.-]{1,64})\s*(?::\s*([0-9]{1,8}(?:\.[0-9]{1,8})?|\.[0-9]{1,8})\s*)?")


def parse_voice(voice: str, known: Container[str]) -> dict[str, float]:
    """The weights of the voices in ``NAME`` or ``NAME[:WEIGHT]+NAME[:WEIGHT]…``, in order of name, sum 1.

    A weight is a plain decimal number above 0, by default 1. Raises `core.errors.InvalidRequest` with code
    ``invalid_voice_mix`` for an invalid mix, ``unknown_voice`` for a name that is not ``known``."""
    parts = voice[:1000].split("+") if isinstance(voice, str) else []
    if not 1 <= len(parts) <= MAX_MIXED or len(voice) > 1000:
        raise _no_mix(f"A voice must be a name, or a mix of at most {MAX_MIXED} such as first:0.6+second:0.4.")
    weights: dict[str, float] = {}
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None:
            raise _no_mix(f"{part.strip()[:80]!r} is not a voice with a weight, such as name:0.6.")
        name, weight = match[1], float(match[2] or 1)
        if name not in known:
            raise InvalidRequest(f"The voice {name!r} does not exist.", code="unknown_voice")
        if name in weights:
            raise _no_mix(f"The mix contains {name!r} twice.")
        if not 0 < weight <= MAX_WEIGHT:
            raise _no_mix(f"The weight of {name!r} must be above 0 and at most {MAX_WEIGHT:g}.")
        weights[name] = weight
    total = math.fsum(weights.values())
    return {name: weights[name] / total for name in sorted(weights)}


def written_voice(weights: dict[str, float]) -> str:
    """One spelling for each mix, so that the same mix is rendered once: ``first:0.6+second:0.4``."""
    if len(weights) == 1:
        return next(iter(weights))
    return "+".join(f"{name}:{_decimal(weight)}" for name, weight in sorted(weights.items()))


def _decimal(weight: float) -> str:
    # Rounded twice: 63/640 and 0.063/0.640 differ in their last bit, on either side of a half.
    return f"{max(round(weight, 9), 1e-6):.6f}".rstrip("0").rstrip(".")


def mixed_voice(spec: ModelSpec, name: str) -> Voice | None:
    """The voice that a mix means, in its one spelling; None where ``name`` is no mix. Raises as `parse_voice`."""
    if "+" not in name and ":" not in name:
        return None
    weights = parse_voice(name, spec.voices)
    return Voice(name=written_voice(weights), language=spec.voices[next(iter(weights))].language)


def _no_mix(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_voice_mix")
