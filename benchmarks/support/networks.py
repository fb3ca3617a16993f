"""VITS networks of full size with random weights, and items for them. Imports torch, and no pydantic."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from core.names import Precision
from models.base import Item
from models.melo.voices import PROJECTIONS
from models.vits.config import DecoderSizes, DurationSizes, EncoderSizes, NetworkSizes, TransformerSizes
from models.vits.network import Network
from models.vits.parts.durations import Affine
from models.vits.parts.packing import Packing
from models.vits.rows import Row, Voices, read_row
from models.vits.speaking import TorchVoices

RATE = 22_050  #: Hz of all of them
FRAMES_PER_TOKEN = 4.0

_LARGE = DecoderSizes(
    blocks="1",
    rates=(8, 8, 2, 2),
    rate_kernels=(16, 16, 4, 4),
    channels=512,
    kernels=(3, 7, 11),
    dilations=((1, 3, 5),) * 3,
)
#: Piper's "medium".
_MEDIUM = DecoderSizes(
    blocks="2",
    rates=(8, 8, 4),
    rate_kernels=(16, 16, 8),
    channels=256,
    kernels=(3, 5, 7),
    dilations=((1, 2), (2, 6), (3, 12)),
)
_SPEAKER = NetworkSizes(
    latent=192,
    hidden=192,
    decoder=_LARGE,
    encoder=EncoderSizes(symbols=256),
    durations=DurationSizes(),
)
SIZES = {
    "piper": replace(_SPEAKER, decoder=_MEDIUM),
    "openvoice_v1": replace(
        _SPEAKER, durations=DurationSizes(stochastic=True, deterministic=True), speakers=10, conditioning=256
    ),
    "mms": _SPEAKER,
    "melo": replace(
        _SPEAKER,
        decoder=replace(_LARGE, rates=(8, 8, 2, 2, 2), rate_kernels=(16, 16, 8, 2, 2)),
        encoder=EncoderSizes(symbols=219, conditioned=2, tones=16, languages=10, features=PROJECTIONS),
        durations=DurationSizes(stochastic=True, deterministic=True),
        flow=TransformerSizes(layers=3, kernel=5, conditioned=2),
        speakers=10,
        conditioning=256,
    ),
    "tone_converter": NetworkSizes(latent=192, hidden=192, decoder=_LARGE, spectrum=513, conditioning=256),
}


def random_network(name: str, seed: int = 0) -> Network:
    """A network of `SIZES` on the CPU, whose tokens last about `FRAMES_PER_TOKEN` and whose audio is neither silent
    nor saturated."""
    torch.manual_seed(seed)
    network = Network(SIZES[name])
    with torch.no_grad():
        for key, tensor in network.named_parameters():
            _fill(key, tensor)
        if hasattr(network, "sdp"):
            affine = cast(Affine, network.sdp.flows["0"])
            affine.logs.fill_(1.5)  # durations vary little
            affine.m.fill_(-math.log(FRAMES_PER_TOKEN) * math.exp(1.5))
        if hasattr(network, "dp"):
            network.dp.proj.weight.mul_(0.2)
            cast(Tensor, network.dp.proj.bias).fill_(math.log(FRAMES_PER_TOKEN))
        if hasattr(network, "enc_q"):
            mean, log_deviation = network.enc_q.proj.weight.chunk(2)
            mean.mul_(0.5)  # of about 1, with a deviation of about 1/e
            log_deviation.mul_(0.1)
            cast(Tensor, network.enc_q.proj.bias).chunk(2)[1].fill_(-1.0)
        network.eval()
        speaker = torch.zeros(1, 256, 1) if SIZES[name].conditioning else None
        probe = torch.randn(1, SIZES[name].latent, 40)
        loud: list[Tensor] = []
        hook = network.dec.conv_post.register_forward_hook(lambda _module, _given, made: loud.append(made))
        network.dec(probe, Packing([40], network.gap, torch.device("cpu")), speaker)
        hook.remove()
        network.dec.conv_post.weight.mul_(0.3 / float(loud[0].std()))
    return network


def _fill(key: str, tensor: Tensor) -> None:
    if key.endswith("gamma"):
        tensor.normal_(1.0, 0.1)
    elif tensor.ndim < 2 or key.endswith((".m", ".logs")):
        tensor.normal_(0.0, 0.05)
    elif key.endswith(("emb.weight", "emb_g.weight")):
        tensor.normal_(0.0, 0.1)
    else:
        inputs = tensor[:, 0].numel() if ".ups." in key else tensor[0].numel()
        gain = 0.5 if ".resblocks." in key else 1.0
        tensor.normal_(0.0, gain / math.sqrt(max(1, inputs)))


def voices_on(network: Network, device: torch.device, precision: Precision = Precision.FLOAT32) -> TorchVoices:
    """A copy of a synthesizer's network on a device."""
    sizes = network.sizes
    voices = Voices(symbols=256, speakers=max(1, sizes.speakers), max_tokens=3072, rate=RATE, share=0.2)
    return TorchVoices(copy.deepcopy(network).settle(device, precision), voices, device)


def utterances(count: int, seconds: float = 5.0) -> list[Item]:
    """Ragged items, of about ``seconds`` each: from half to one and a half times that."""
    rng = np.random.default_rng(7)
    tokens = seconds * RATE / 256 / FRAMES_PER_TOKEN
    return [
        Item({"tokens": rng.integers(1, 256, max(2, round(tokens * share))).tolist(), "speaker": i % 10}, seed=i)
        for i, share in enumerate(rng.uniform(0.5, 1.5, count))
    ]


def rows_of(items: Sequence[Item], voices: TorchVoices) -> list[Row]:
    """The items as rows; a row can only be spoken once."""
    speakers = voices.voices.speakers
    own = [Item({**item.inputs, "speaker": item.inputs["speaker"] % speakers}, seed=item.seed) for item in items]
    return [read_row(item, voices.voices, {}) for item in own]


def recordings(count: int, rate: int, seconds: float = 5.0) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Ragged synthetic recordings: tones that glide, with hiss."""
    rng = np.random.default_rng(11)
    made = []
    for i, share in enumerate(rng.uniform(0.5, 1.5, count)):
        time = np.arange(round(seconds * share * rate)) / rate
        tone = np.sin(2 * np.pi * (110 + 5 * i) * time * (1 + 0.05 * time)) * (0.6 + 0.4 * np.sin(17 * time))
        made.append((0.2 * tone + 0.02 * rng.standard_normal(time.size)).astype(np.float32))
    return made
