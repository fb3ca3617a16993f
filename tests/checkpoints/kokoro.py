"""Random checkpoints of Kokoro as the hub has them: ``config.json``, ``kokoro-v1_0.pth``, ``voices/NAME.pt``.

They are small, the decoder too, whose width upstream fixes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.checkpoints.tensors import BIAS, Tensors, uniform

HIDDEN, STYLE, LAYERS, LONGEST, WIDTH, RESIDUAL = 32, 16, 2, 12, 48, 8
CHANNELS, HARMONICS, WINDOW = 32, 8, 20
VOICES = ("af_one", "am_two")
#: as many as the published vocabulary's, with some of its symbols
SYMBOLS = " .,?!" + "ˈˌ" + "abdfhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθAIOTWY"

CONFIG: dict[str, Any] = {
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": WINDOW,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
        "resblock_kernel_sizes": [3, 7],
        "upsample_initial_channel": CHANNELS,
    },
    "dim_in": 64,
    "dropout": 0.2,
    "hidden_dim": HIDDEN,
    "max_dur": LONGEST,
    "n_layer": LAYERS,
    "n_mels": 80,
    "n_token": len(SYMBOLS) + 1,
    "style_dim": STYLE,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": 48,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "num_hidden_layers": 3,
        "dropout": 0.1,
    },
    "vocab": {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)},
}


def kokoro(folder: Path, *, seed: int = 0, voices: Sequence[str] = VOICES) -> Path:
    """A checkpoint; gives ``folder``."""
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, ensure_ascii=False))
    torch.save(kokoro_state(seed), folder / "kokoro-v1_0.pth")
    for name in voices:
        torch.save(style(name), folder / "voices" / f"{name}.pt")
    return folder


def style(voice: str) -> torch.Tensor:
    """The styles of a voice, float32 [510, 1, 32]: alike for utterances of about the same length."""
    own = uniform(1, voice, (1, 1, 2 * STYLE)) * 0.3
    drift = np.linspace(-1, 1, 510, dtype=np.float32)[:, None, None]
    return torch.from_numpy(own + 0.1 * drift * uniform(2, voice, (1, 1, 2 * STYLE)))


def files(folder: Path, voices: Sequence[str] = VOICES) -> dict[str, Path]:
    """The weights of an entry in ``models.yaml``."""
    own = {f"voice_{name}": folder / "voices" / f"{name}.pt" for name in voices}
    return {"model": folder / "kokoro-v1_0.pth", "vocab": folder / "config.json", **own}


def kokoro_state(seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """The state dicts of a checkpoint by part, with the prefix that training in parallel leaves."""
    parts = {
        "bert": _bert,
        "bert_encoder": _linear,
        "predictor": _predictor,
        "text_encoder": _text,
        "decoder": _decoder,
    }
    made: dict[str, dict[str, torch.Tensor]] = {}
    for name, build in parts.items():
        tensors = Tensors(seed)
        build(tensors)
        made[name] = {f"module.{key}": tensor for key, tensor in tensors.state.items()}
    return made


def _bert(tensors: Tensors) -> None:
    sizes = CONFIG["plbert"]
    hidden, filters = sizes["hidden_size"], sizes["intermediate_size"]
    tables = {"word": CONFIG["n_token"], "position": sizes["max_position_embeddings"], "token_type": 2}
    for table, count in tables.items():
        tensors.put(f"embeddings.{table}_embeddings.weight", (count, 128), 0.5)
    tensors.state["embeddings.position_ids"] = torch.arange(sizes["max_position_embeddings"])[None]
    tensors.norm("embeddings.LayerNorm", 128, "weight", "bias")
    tensors.conv("encoder.embedding_hidden_mapping_in", (hidden, 128))
    layer = "encoder.albert_layer_groups.0.albert_layers.0"
    for name in ("query", "key", "value", "dense"):
        tensors.conv(f"{layer}.attention.{name}", (hidden, hidden))
    tensors.norm(f"{layer}.attention.LayerNorm", hidden, "weight", "bias")
    tensors.conv(f"{layer}.ffn", (filters, hidden))
    tensors.conv(f"{layer}.ffn_output", (hidden, filters))
    tensors.norm(f"{layer}.full_layer_layer_norm", hidden, "weight", "bias")
    tensors.conv("pooler", (hidden, hidden))


def _linear(tensors: Tensors) -> None:
    hidden = CONFIG["plbert"]["hidden_size"]
    tensors.put("weight", (HIDDEN, hidden), hidden**-0.5)
    tensors.put("bias", (HIDDEN,), BIAS)


def _lstm(tensors: Tensors, name: str, size: int, hidden: int) -> None:
    for suffix in ("", "_reverse"):
        for kind, width in (("ih", size), ("hh", hidden)):
            tensors.put(f"{name}.weight_{kind}_l0{suffix}", (4 * hidden, width), 1.5 * width**-0.5)
            tensors.put(f"{name}.bias_{kind}_l0{suffix}", (4 * hidden,), BIAS)


def _residual(tensors: Tensors, name: str, channels: int, out: int, doubles: bool = False) -> None:
    tensors.conv(f"{name}.norm1.fc", (2 * channels, STYLE), gain=0.3)
    tensors.conv(f"{name}.norm2.fc", (2 * out, STYLE), gain=0.3)
    tensors.normed(f"{name}.conv1", (out, channels, 3))
    tensors.normed(f"{name}.conv2", (out, out, 3))
    if channels != out:
        tensors.normed(f"{name}.conv1x1", (out, channels, 1))
        del tensors.state[f"{name}.conv1x1.bias"]
    if doubles:
        tensors.normed(f"{name}.pool", (channels, 1, 3))


def _predictor(tensors: Tensors) -> None:
    half = HIDDEN // 2
    for number in range(LAYERS):
        _lstm(tensors, f"text_encoder.lstms.{2 * number}", HIDDEN + STYLE, half)
        tensors.conv(f"text_encoder.lstms.{2 * number + 1}.fc", (2 * HIDDEN, STYLE), gain=0.3)
    _lstm(tensors, "lstm", HIDDEN + STYLE, half)
    tensors.conv("duration_proj.linear_layer", (LONGEST, HIDDEN), gain=2.0, bias_mean=-1.0)
    _lstm(tensors, "shared", HIDDEN + STYLE, half)
    for name, gain, mean in (("F0", 60.0, 120.0), ("N", 1.0, 0.0)):
        _residual(tensors, f"{name}.0", HIDDEN, HIDDEN)
        _residual(tensors, f"{name}.1", HIDDEN, half, doubles=True)
        _residual(tensors, f"{name}.2", half, half)
        tensors.conv(f"{name}_proj", (1, half, 1), gain=gain, bias_mean=mean)  # in Hz, at times without a voice


def _text(tensors: Tensors) -> None:
    tensors.put("embedding.weight", (CONFIG["n_token"], HIDDEN))
    for number in range(LAYERS):
        tensors.normed(f"cnn.{number}.0", (HIDDEN, HIDDEN, 5))
        tensors.norm(f"cnn.{number}.1", HIDDEN)
    _lstm(tensors, "lstm", HIDDEN, HIDDEN // 2)


def _decoder(tensors: Tensors) -> None:
    given = WIDTH + RESIDUAL + 2
    _residual(tensors, "encode", HIDDEN + 2, WIDTH)
    for number in range(3):
        _residual(tensors, f"decode.{number}", given, WIDTH)
    _residual(tensors, "decode.3", given, CHANNELS, doubles=True)
    for name in ("F0_conv", "N_conv"):
        tensors.normed(name, (1, 1, 3), gain=0.01 if name == "F0_conv" else 1.0)
    tensors.normed("asr_res.0", (RESIDUAL, HIDDEN, 1))
    tensors.conv("generator.m_source.l_linear", (1, HARMONICS + 1), gain=4.0)
    sizes, width = CONFIG["istftnet"], CHANNELS
    rates = sizes["upsample_rates"]
    for number, (rate, kernel) in enumerate(zip(rates, sizes["upsample_kernel_sizes"], strict=True)):
        width //= 2
        last = number + 1 == len(rates)
        tensors.normed(f"generator.ups.{number}", (2 * width, width, kernel), gain=(2 * rate) ** 0.5, bias=width)
        step = 1 if last else rates[number + 1]
        tensors.conv(f"generator.noise_convs.{number}", (width, WINDOW + 2, 1 if last else 2 * step))
        _snake(tensors, f"generator.noise_res.{number}", width, 11 if last else 7)
        for other, width_of in enumerate(sizes["resblock_kernel_sizes"]):
            _snake(tensors, f"generator.resblocks.{2 * number + other}", width, width_of)
    tensors.normed("generator.conv_post", (WINDOW + 2, width, 7), gain=0.15)
    tensors.put("generator.conv_post.bias", (WINDOW + 2,), BIAS, -1.0)


def _snake(tensors: Tensors, name: str, channels: int, kernel: int) -> None:
    for number in range(3):
        for pair in ("1", "2"):
            tensors.conv(f"{name}.adain{pair}.{number}.fc", (2 * channels, STYLE), gain=0.3)
            tensors.put(f"{name}.alpha{pair}.{number}", (1, channels, 1), 0.3, 1.0)
            tensors.normed(f"{name}.convs{pair}.{number}", (channels, channels, kernel))
