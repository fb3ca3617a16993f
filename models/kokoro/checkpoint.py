"""Checkpoints of Kokoro to a network: the hub's ``kokoro-v1_0.pth`` with its ``config.json``.

Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from core.errors import WeightsError
from models.base import WeightsReport
from models.kokoro.network.network import Network
from models.kokoro.network.sizes import BertSizes, GeneratorSizes, Sizes
from models.shared.files import read_json
from models.shared.torch import read_state_dicts
from models.vits.weights import load_network

#: What no pass uses: the pooler of the ALBERT, and the numbers of its positions.
UNUSED = r"bert\.pooler\.|bert\.embeddings\.(position|token_type)_ids$"
#: Scale and shift that instance normalization may have of its own, beside those of the style: they are 1 and 0.
_OWN_AFFINE = re.compile(r".*\.norm\.(weight|bias)$")

_Size = Annotated[int, Field(ge=1, le=8192)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bert(_Lenient):
    hidden_size: _Size = 768
    num_attention_heads: _Size = 12
    intermediate_size: _Size = 2048
    max_position_embeddings: _Size = 512
    num_hidden_layers: _Size = 12
    embedding_size: _Size = 128


class _Generator(_Lenient):
    upsample_rates: list[_Size]
    upsample_kernel_sizes: list[_Size]
    upsample_initial_channel: _Size
    resblock_kernel_sizes: list[_Size]
    resblock_dilation_sizes: list[list[_Size]]
    gen_istft_n_fft: _Size
    gen_istft_hop_size: _Size


class Configuration(_Lenient):
    """What matters of a ``config.json`` (hexgrad/Kokoro-82M)."""

    istftnet: _Generator
    plbert: _Bert
    hidden_dim: _Size
    style_dim: _Size
    n_layer: _Size
    n_token: _Size
    max_dur: _Size
    text_encoder_kernel_size: _Size


def read_checkpoint(path: Path, configuration: Path, name: str) -> tuple[Network, WeightsReport]:
    """The network of a checkpoint of the hub. Raises `core.errors.WeightsError`."""
    config = read_json(configuration, Configuration, "a configuration of Kokoro")
    tensors = {
        f"{part}.{key.removeprefix('module.')}": tensor
        for part, state in read_state_dicts(path, name).items()
        for key, tensor in state.items()
    }
    tensors = _without_own_affine(tensors, name)
    return load(_sizes(config, tensors, name), tensors)


def load(sizes: Sizes, tensors: Mapping[str, Tensor]) -> tuple[Network, WeightsReport]:
    """A network of these sizes with exactly these tensors. Raises `core.errors.WeightsError`."""
    network = Network(sizes)
    return network, load_network(network, tensors, "Kokoro", UNUSED)


def _without_own_affine(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Raises `core.errors.WeightsError` if instance normalization has a scale or shift of its own."""
    own = [key for key in tensors if _OWN_AFFINE.match(key)]
    for key in own:
        expected = torch.ones if key.endswith("weight") else torch.zeros
        if not torch.equal(tensors[key], expected(tensors[key].shape, dtype=tensors[key].dtype)):
            raise WeightsError(f"{name}: {key} of instance normalization is not supported: it changes something.")
    return {key: tensor for key, tensor in tensors.items() if key not in own}


def _sizes(config: Configuration, tensors: Mapping[str, Tensor], name: str) -> Sizes:
    """The sizes by the configuration; those that it does not say, of the decoder, by the tensors."""
    head, bert = config.istftnet, config.plbert
    generator = GeneratorSizes(
        rates=tuple(head.upsample_rates),
        rate_kernels=tuple(head.upsample_kernel_sizes),
        channels=head.upsample_initial_channel,
        kernels=tuple(head.resblock_kernel_sizes),
        dilations=tuple(tuple(dilations) for dilations in head.resblock_dilation_sizes),
        window=head.gen_istft_n_fft,
        hop=head.gen_istft_hop_size,
    )
    try:
        return Sizes(
            symbols=config.n_token,
            hidden=config.hidden_dim,
            style=config.style_dim,
            layers=config.n_layer,
            kernel=config.text_encoder_kernel_size,
            longest=config.max_dur,
            width=tensors["decoder.encode.conv1.bias"].shape[0],
            residual=tensors["decoder.asr_res.0.bias"].shape[0],
            bert=BertSizes(
                embedding=bert.embedding_size,
                hidden=bert.hidden_size,
                heads=bert.num_attention_heads,
                filters=bert.intermediate_size,
                layers=bert.num_hidden_layers,
                positions=bert.max_position_embeddings,
            ),
            generator=generator,
        )
    except (KeyError, IndexError) as error:
        raise WeightsError(f"{name}: these are not Kokoro weights: missing: {error}.") from error
