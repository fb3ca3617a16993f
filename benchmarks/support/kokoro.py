"""A Kokoro network of full size with random weights, and items for it. Imports torch and transformers, and no
pydantic."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.names import Precision
from models.base import Item
from models.kokoro import MAX_TOKENS
from models.kokoro.network.encoder import Sentences
from models.kokoro.network.layout import Layout
from models.kokoro.network.network import Network
from models.kokoro.network.sizes import Sizes
from models.kokoro.rows import HOP, RATE, Row, read_row
from models.kokoro.styles import Styles
from models.kokoro.torch_voices import TorchVoices

VOICE = "random"
FRAMES_PER_TOKEN = 3.0
_TABLES = ("embeddings.weight", "embedding.weight")


def random_kokoro(seed: int = 0) -> Network:
    """A network on the CPU whose tokens last about `FRAMES_PER_TOKEN`, whose pitch is that of a voice, and whose audio
    is neither silent nor saturated."""
    torch.manual_seed(seed)
    sizes = Sizes()
    network = Network(sizes)
    with torch.no_grad():
        for key, tensor in network.named_parameters():
            _fill(key, tensor)
        share = FRAMES_PER_TOKEN / sizes.longest
        _bias(network, "predictor.duration_proj.linear_layer").fill_(math.log(share / (1 - share)))
        _bias(network, "predictor.F0_proj").fill_(150.0)
        network.predictor.get_parameter("F0_proj.weight").mul_(40)
        network.decoder.get_parameter("F0_conv.weight").mul_(0.01)
        network.decoder.get_parameter("generator.conv_post.weight").mul_(0.15)
        _bias(network, "decoder.generator.conv_post").sub_(1.0)
    return network


def _bias(network: Network, layer: str) -> Tensor:
    return network.get_parameter(f"{layer}.bias")


def _fill(key: str, tensor: Tensor) -> None:
    if ".alpha" in key or key.endswith(("gamma", "LayerNorm.weight", "layer_norm.weight")):
        tensor.normal_(1.0, 0.1)
    elif tensor.ndim < 2:
        tensor.normal_(0.0, 0.05)
    elif key.endswith(_TABLES):
        tensor.normal_(0.0, 0.5)
    else:
        inputs = tensor[:, 0].numel() / 10 if ".ups." in key else tensor[0].numel()
        tensor.normal_(0.0, (0.3 if ".fc." in key else 1.0) / math.sqrt(max(1.0, inputs)))


def voices_on(network: Network, device: torch.device, precision: Precision = Precision.FLOAT32) -> TorchVoices:
    """A copy of the network on a device."""
    return TorchVoices(copy.deepcopy(network), device, precision)


def utterances(count: int, seconds: float = 5.0) -> list[Item]:
    """Ragged items, of about ``seconds`` each: from half to one and a half times that."""
    rng = np.random.default_rng(7)
    tokens = seconds * RATE / HOP / FRAMES_PER_TOKEN
    return [
        Item({"tokens": rng.integers(1, 178, max(2, round(tokens * share))).tolist(), "voice": VOICE}, seed=i)
        for i, share in enumerate(rng.uniform(0.5, 1.5, count))
    ]


def rows_of(items: Sequence[Item]) -> list[Row]:
    """The items as rows."""
    return [read_row(item, _STYLES, range(178), {}) for item in items]


def bare_decoding(voices: TorchVoices, rows: Sequence[Row]) -> Callable[[], Any]:
    """The network's passes over these items in the packs of a micro-batch, everything being on the device."""
    voices.speak(rows)
    device, made = voices.device, []
    for pack in voices.packs_of(rows):
        layout = Layout([row.frames for row in pack], device)
        lengths = [row.tokens.size for row in pack]
        sentences = Sentences(lengths, device)
        tokens = torch.from_numpy(np.concatenate([row.tokens for row in pack])).to(device)
        styles = torch.from_numpy(np.stack([row.style for row in pack])).double().to(device)
        frames = torch.zeros(layout.total, dtype=torch.int64, device=device)
        noise = torch.randn(layout.total * HOP, dtype=torch.float64, device=device)
        made.append((tokens, sentences, styles, frames, noise, layout))

    @torch.inference_mode()
    def bare() -> None:
        for tokens, sentences, styles, frames, noise, layout in made:
            _, encoded, text = voices.network.encode(tokens, sentences, styles)
            voices.network.decode(encoded, text, frames, noise, styles, layout)

    return bare


def _styles() -> Styles:
    numbers = np.random.default_rng(5).normal(0, 0.3, (1, 2 * Sizes().style)).astype(np.float32)
    return Styles({VOICE: np.repeat(numbers, MAX_TOKENS, 0)}, numbers.size)


_STYLES = _styles()
