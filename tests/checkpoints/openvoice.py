"""Random checkpoints of OpenVoice: base speakers (V1), tone converters (V1, V2) and source embeddings.

A checkpoint is a folder with ``config.json`` and ``checkpoint.pth`` (``torch.save`` of a dictionary whose ``model`` is
the state dict), as in ``myshell-ai/OpenVoice`` and ``myshell-ai/OpenVoiceV2``; an embedding is ``torch.save`` of a
tensor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch

from tests.checkpoints import vits
from tests.checkpoints.tensors import Tensors

Size = Literal["full", "small"]

#: upstream's ``text/symbols.py`` (``cjke_cleaners2``), which the configurations repeat
SYMBOLS = ["_", *",.!?-~…", *"NQabdefghijklmnopstuvwxyzɑæʃʑçɯɪɔɛɹðəɫɥɸʊɾʒθβŋɦ⁼ʰ`^#*=ˈˌ→↓↑ "]
#: 0 is the voice that no name leads to
ENGLISH_SPEAKERS = {
    "default": 1,
    "whispering": 2,
    "shouting": 3,
    "excited": 4,
    "cheerful": 5,
    "terrified": 6,
    "angry": 7,
    "sad": 8,
    "friendly": 9,
}
CHINESE_SPEAKERS = {"default": 0}
EMBEDDING = 256

_AUDIO = {"sampling_rate": 22050, "filter_length": 1024, "hop_length": 256, "win_length": 1024}
_FULL: dict[str, Any] = {
    "inter_channels": 192,
    "hidden_channels": 192,
    "filter_channels": 768,
    "n_heads": 2,
    "n_layers": 6,
    "kernel_size": 3,
    "p_dropout": 0.1,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "upsample_rates": [8, 8, 2, 2],
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "gin_channels": EMBEDDING,
}
_SMALL: dict[str, Any] = {
    **_FULL,
    "inter_channels": 32,
    "hidden_channels": 32,
    "filter_channels": 64,
    "n_layers": 2,
    "upsample_initial_channel": 64,
}


def openvoice_base(folder: Path, *, seed: int = 0, size: Size = "full", chinese: bool = False) -> Path:
    """A base speaker of OpenVoice V1, English with nine styles or Chinese with one voice; gives ``folder``."""
    speakers = CHINESE_SPEAKERS if chinese else ENGLISH_SPEAKERS
    model = {**(_FULL if size == "full" else _SMALL), "n_layers_q": 3, "use_spectral_norm": False}
    data = {
        "text_cleaners": ["cjke_cleaners2"],
        **_AUDIO,
        "n_mel_channels": 80,
        "add_blank": True,
        "cleaned_text": True,
        "n_speakers": max(speakers.values()) + 1,
    }
    config = {"data": data, "model": model, "symbols": SYMBOLS, "speakers": speakers}
    return _write(folder, config, base_state(config, seed))


def openvoice_converter(
    folder: Path, *, seed: int = 0, size: Size = "full", version: Literal["v1", "v2"] = "v2"
) -> Path:
    """A tone converter; V2's tells its version and sets ``zero_g``. Gives ``folder``."""
    model = {**(_FULL if size == "full" else _SMALL)}
    config: dict[str, Any] = {"data": {**_AUDIO, "n_speakers": 0}, "model": model}
    if version == "v2":
        model = {"zero_g": True, **model, "contentvec_final_proj": False}
        config = {"_version_": "v2", **config, "model": model}
    return _write(folder, config, converter_state(config, seed))


def source_embedding(path: Path, seed: int = 0) -> torch.Tensor:
    """Write the embedding of a base speaker, as the ``*_se.pth`` files are; gives it (float32 [1, 256, 1]).

    Those that are published have a standard deviation of about 0.7."""
    tensors = Tensors(seed)
    tensors.put("embedding", (1, EMBEDDING, 1), 0.7)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors.state["embedding"], path)
    return tensors.state["embedding"]


def base_state(config: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
    """The state dict of a base speaker."""
    tensors, shape = Tensors(seed), vits.Shape.of(config["model"])
    _common(tensors, shape, config)
    vits.text_encoder(tensors, shape, len(config["symbols"]))
    vits.stochastic_duration_predictor(tensors, shape.hidden, shape.gin)
    vits.duration_predictor(tensors, shape.hidden, shape.gin)
    tensors.put("emb_g.weight", (config["data"]["n_speakers"], shape.gin))
    return tensors.state


def converter_state(config: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
    """The state dict of a tone converter."""
    tensors, shape = Tensors(seed), vits.Shape.of(config["model"])
    _common(tensors, shape, config)
    vits.reference_encoder(tensors, _bins(config), shape.gin)
    return tensors.state


def _common(tensors: Tensors, shape: vits.Shape, config: dict[str, Any]) -> None:
    vits.decoder(tensors, shape)
    vits.posterior_encoder(tensors, shape, _bins(config))
    vits.flow(tensors, shape)


def _bins(config: dict[str, Any]) -> int:
    return int(config["data"]["filter_length"]) // 2 + 1


def _write(folder: Path, config: dict[str, Any], state: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    checkpoint = {"model": state, "iteration": 50000, "optimizer": None, "learning_rate": 0.0003}
    torch.save(checkpoint, folder / "checkpoint.pth")
    return folder
