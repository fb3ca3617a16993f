"""Random Piper voices, as Piper's own exporter writes them: small, but with the graphs that published voices have.

`make_piper_voices` made them. As in published voices, the names of weights that the exporter has folded
(``onnx::Conv_NUMBER``, the exponential of the first affine flow) depend on the version of torch, and in a voice with
one speaker the embedding of tokens is called ``sid``.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.checkpoints.vits import Shape

SYMBOLS = 256  # as in published voices
RATE = 22050


@dataclass(frozen=True, slots=True)
class PiperVoice:
    """What a voice is made of."""

    shape: Shape
    speakers: int = 1
    stochastic: bool = True  #: its durations; every published voice has them so


def _shape(*, high: bool = False, gin: int = 0) -> Shape:
    return Shape(
        inter=12,
        hidden=12,
        filters=24,
        heads=2,
        layers=2,
        kernel=3,
        resblock="1" if high else "2",
        resblock_kernels=(3, 7, 11) if high else (3, 5, 7),
        resblock_dilations=((1, 3, 5),) * 3 if high else ((1, 2), (2, 6), (3, 12)),
        upsample_rates=(8, 8, 2, 2) if high else (8, 8, 4),
        upsample_initial=32,
        upsample_kernels=(16, 16, 4, 4) if high else (16, 16, 8),
        gin=gin,
    )


#: ``medium`` and ``high`` as upstream's qualities, ``speakers`` medium with four, ``deterministic`` without ``use_sdp``
VOICES = {
    "medium": PiperVoice(_shape()),
    "high": PiperVoice(_shape(high=True)),
    "speakers": PiperVoice(_shape(gin=32), speakers=4),
    "deterministic": PiperVoice(_shape(), stochastic=False),
}


def path_of(name: str) -> Path:
    """Where the compressed graph of a voice is kept."""
    return Path(__file__).parent / f"piper_{name}.onnx.xz"


def piper_voice(folder: Path, name: str = "medium") -> Path:
    """Write the voice ``name`` as ``NAME.onnx`` and ``NAME.onnx.json``; gives the path of the graph."""
    voice = VOICES[name]
    config: dict[str, Any] = {
        "audio": {"sample_rate": RATE, "quality": "high" if voice.shape.resblock == "1" else "medium"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], " ": [3], **{chr(ord("a") + i): [14 + i] for i in range(26)}},
        "num_symbols": SYMBOLS,
        "num_speakers": voice.speakers,
        "speaker_id_map": {f"speaker{i}": i for i in range(voice.speakers)} if voice.speakers > 1 else {},
    }
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / f"{name}.onnx"
    graph.write_bytes(lzma.decompress(path_of(name).read_bytes()))
    graph.with_suffix(".onnx.json").write_text(json.dumps(config, indent=2))
    return graph
