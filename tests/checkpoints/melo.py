"""Random checkpoints of MeloTTS, and of BERTs.

A voice is a folder with ``config.json`` and ``checkpoint.pth``, as in ``myshell-ai/MeloTTS-English``; a BERT one with
``config.json``, ``vocab.txt`` and ``pytorch_model.bin``, as transformers' `BertForMaskedLM` saves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch

from tests.checkpoints import vits
from tests.checkpoints.tensors import Tensors

Size = Literal["full", "small"]

RATE, HOP = 44_100, 512
CONDITIONING = 256
#: of upstream's ``EN``: the five accents
SPEAKERS = {"EN-US": 0, "EN-BR": 1, "EN_INDIA": 2, "EN-AU": 3, "EN-Default": 4}
TONES, LANGUAGES = 16, 10

_FULL: dict[str, Any] = {
    "use_spk_conditioned_encoder": True,
    "use_noise_scaled_mas": True,
    "inter_channels": 192,
    "hidden_channels": 192,
    "filter_channels": 768,
    "n_heads": 2,
    "n_layers": 6,
    "n_layers_trans_flow": 3,
    "kernel_size": 3,
    "p_dropout": 0.1,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "upsample_rates": [8, 8, 2, 2, 2],
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": [16, 16, 8, 2, 2],
    "n_layers_q": 3,
    "use_spectral_norm": False,
    "gin_channels": CONDITIONING,
}
_SMALL: dict[str, Any] = {
    **_FULL,
    "inter_channels": 32,
    "hidden_channels": 32,
    "filter_channels": 64,
    "n_layers": 3,
    "upsample_initial_channel": 64,
}
_BERT = {
    "full": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "small": {"hidden_size": 768, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64},
}
#: upstream's list, from ``_`` on
SYMBOLS = (Path(__file__).parent / "melo_symbols.txt").read_text(encoding="utf-8").split("\n")[:-1]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def melo(
    folder: Path, symbols: Iterable[str], *, seed: int = 0, size: Size = "full", speakers: dict[str, int] | None = None
) -> Path:
    """A voice with these symbols after ``_``; gives ``folder``."""
    write_configuration(folder, speakers or SPEAKERS, ["_", *symbols], size)
    config = json.loads((folder / "config.json").read_text())
    checkpoint = {"model": melo_state(config, seed), "iteration": 0, "optimizer": None, "learning_rate": 0.0003}
    torch.save(checkpoint, folder / "checkpoint.pth")
    return folder


def write_configuration(
    folder: Path, speakers: dict[str, int], symbols: Iterable[str] = SYMBOLS, size: Size = "full"
) -> Path:
    """The ``config.json`` of a voice; gives ``folder``."""
    config = {
        "data": {
            "sampling_rate": RATE,
            "filter_length": 2048,
            "hop_length": HOP,
            "win_length": 2048,
            "add_blank": True,
            "n_speakers": max(speakers.values()) + 1,
            "spk2id": speakers,
        },
        "model": _FULL if size == "full" else _SMALL,
        "symbols": list(symbols),
        "num_tones": TONES,
        "num_languages": LANGUAGES,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2))
    return folder


def melo_state(config: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
    """The state dict of a voice."""
    tensors, shape = Tensors(seed), vits.Shape.of(config["model"])
    vits.decoder(tensors, shape)
    vits.posterior_encoder(tensors, shape, int(config["data"]["filter_length"]) // 2 + 1)
    vits.text_encoder(tensors, shape, len(config["symbols"]))
    tensors.put("enc_p.tone_emb.weight", (config["num_tones"], shape.hidden), shape.hidden**-0.5)
    tensors.put("enc_p.language_emb.weight", (config["num_languages"], shape.hidden), shape.hidden**-0.5)
    for name, size in (("bert_proj", 1024), ("ja_bert_proj", 768)):
        tensors.conv(f"enc_p.{name}", (shape.hidden, size, 1), gain=0.1)
    tensors.conv("enc_p.encoder.spk_emb_linear", (shape.hidden, shape.gin))
    half, layers = shape.inter // 2, config["model"]["n_layers_trans_flow"]
    for i in range(0, 8, 2):
        tensors.conv(f"flow.flows.{i}.pre", (shape.hidden, half, 1))
        vits.transformer(tensors, f"flow.flows.{i}.enc", shape, layers, 5)
        tensors.conv(f"flow.flows.{i}.enc.spk_emb_linear", (shape.hidden, shape.gin))
        tensors.conv(f"flow.flows.{i}.post", (half, shape.hidden, 1), gain=0.5)
    vits.stochastic_duration_predictor(tensors, shape.hidden, shape.gin)
    vits.duration_predictor(tensors, shape.hidden, shape.gin)
    tensors.put("emb_g.weight", (config["data"]["n_speakers"], shape.gin))
    return tensors.state


def bert(folder: Path, words: Iterable[str], *, seed: int = 0, size: Size = "full", vocabulary: int = 0) -> Path:
    """A BERT with a vocabulary of these words, filled up to ``vocabulary``, and a head; gives ``folder``."""
    from transformers import BertConfig, BertForMaskedLM

    write_vocabulary(folder, words, size, vocabulary)
    network = BertForMaskedLM(BertConfig.from_json_file(folder / "config.json"))
    tensors = Tensors(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and name != "cls.predictions.decoder.weight":
            wide = tensor.ndim > 1
            scale = 0.05 if not wide else 1.0 / tensor.shape[1] ** 0.5 if "embeddings" not in name else 0.3
            tensors.put(name, tuple(tensor.shape), scale, 1.0 if name.endswith("LayerNorm.weight") else 0.0)
    network.load_state_dict(tensors.state, strict=False)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    return folder


def write_vocabulary(folder: Path, words: Iterable[str], size: Size = "full", vocabulary: int = 0) -> Path:
    """The ``config.json`` and ``vocab.txt`` of a BERT; gives ``folder``."""
    named = [*SPECIAL, *words]
    named += [f"[unused{number}]" for number in range(len(named), vocabulary)]
    config = {"model_type": "bert", "vocab_size": len(named), "max_position_embeddings": 512, **_BERT[size]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(named) + "\n", encoding="utf-8")
    return folder


def letters(text: str) -> list[str]:
    """A vocabulary of the letters and marks of ``text``, alone and within words, in small letters."""
    found = sorted({*text.lower(), *"abcdefghijklmnopstuvwxyz.,!?'-"} - {" "})
    return [*found, *(f"##{letter}" for letter in found)]


def files(voice: Path, network: Path) -> dict[str, Path]:
    """The weights of an entry in ``models.yaml``."""
    return {
        "model": voice / "checkpoint.pth",
        "config": voice / "config.json",
        "bert": network / "pytorch_model.bin",
        "bert_config": network / "config.json",
        "bert_vocab": network / "vocab.txt",
    }
