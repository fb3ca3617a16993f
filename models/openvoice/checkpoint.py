"""OpenVoice's checkpoints: ``config.json`` and ``checkpoint.pth`` to a network.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audio.samples import Samples
from core.errors import WeightsError
from models.base import WeightsReport
from models.openvoice import EMBEDDING
from models.shared.torch import read_tensors
from models.vits.config import DecoderSizes, DurationSizes, EncoderSizes, NetworkSizes, WaveNetSizes
from models.vits.network import Network
from models.vits.weights import load_network

_Size = Annotated[int, Field(ge=1, le=8192)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Data(_Lenient):
    sampling_rate: int = Field(ge=8000, le=192_000)
    filter_length: _Size = 1024
    hop_length: _Size = 256
    win_length: _Size = 1024
    n_speakers: int = Field(0, ge=0, le=100_000)


class _Model(_Lenient):
    inter_channels: _Size
    hidden_channels: _Size
    filter_channels: _Size
    n_heads: _Size
    n_layers: _Size
    kernel_size: _Size
    resblock: Literal["1", "2"]
    resblock_kernel_sizes: list[_Size]
    resblock_dilation_sizes: list[list[_Size]]
    upsample_rates: list[_Size]
    upsample_initial_channel: _Size
    upsample_kernel_sizes: list[_Size]
    gin_channels: _Size = EMBEDDING
    zero_g: bool = False  #: only the flow is given the speakers


class Configuration(_Lenient):
    """The parts that matter of ``config.json``."""

    data: _Data
    model: _Model
    symbols: list[str] = []


def read_configuration(path: Path) -> Configuration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of OpenVoice."""
    try:
        return Configuration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsError(f"{path.name} is not an OpenVoice configuration: {error}") from error


def read_speaker(path: Path, configuration: Configuration, name: str) -> tuple[Network, WeightsReport]:
    """The network of a base speaker. Raises `core.errors.WeightsError`."""
    # The posterior encoder is for training alone; of the stochastic predictor see `models.vits.parts.durations`.
    return _read(path, speaker_sizes(configuration), name, r"enc_q\.|sdp\.post_|sdp\.flows\.1\.|dp\.post_")


def read_converter(path: Path, configuration: Configuration, name: str) -> tuple[Network, WeightsReport]:
    """The network of a tone converter. Raises `core.errors.WeightsError`."""
    return _read(path, converter_sizes(configuration), name, "")


def read_source(path: Path, name: str) -> Samples:
    """A source embedding, float32 [256], of a ``*_se.pth`` file. Raises `core.errors.WeightsError`."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zipfile and torch raise classes of their own
        raise WeightsError(f"{name}: the file {path.name} cannot be read.") from error
    if not isinstance(found, torch.Tensor) or found.numel() != EMBEDDING or not torch.isfinite(found).all():
        raise WeightsError(f"{name}: {path.name} is not an embedding of {EMBEDDING} finite numbers.")
    vector: Samples = found.detach().reshape(-1).float().numpy()
    return vector


def _read(path: Path, sizes: NetworkSizes, name: str, unused: str) -> tuple[Network, WeightsReport]:
    network = Network(sizes)
    return network, load_network(network, read_tensors(path, name, "model"), "OpenVoice", unused)


def speaker_sizes(configuration: Configuration) -> NetworkSizes:
    """Those of a base speaker. Raises `core.errors.WeightsError` if it has no symbols or speakers."""
    model = configuration.model
    if not configuration.symbols or not configuration.data.n_speakers:
        raise WeightsError("The configuration has no symbols or no speakers: it is not that of a base speaker.")
    return NetworkSizes(
        latent=model.inter_channels,
        hidden=model.hidden_channels,
        decoder=_decoder(model),
        encoder=EncoderSizes(
            symbols=len(configuration.symbols),
            hidden=model.hidden_channels,
            filters=model.filter_channels,
            heads=model.n_heads,
            layers=model.n_layers,
            kernel=model.kernel_size,
        ),
        durations=DurationSizes(stochastic=True, deterministic=True),
        speakers=configuration.data.n_speakers,
        conditioning=model.gin_channels,
    )


def converter_sizes(configuration: Configuration) -> NetworkSizes:
    """Those of a tone converter."""
    model, data = configuration.model, configuration.data
    return NetworkSizes(
        latent=model.inter_channels,
        hidden=model.hidden_channels,
        decoder=_decoder(model),
        posterior=WaveNetSizes(layers=16),
        spectrum=data.filter_length // 2 + 1,
        conditioning=model.gin_channels,
    )


def _decoder(model: _Model) -> DecoderSizes:
    return DecoderSizes(
        blocks=model.resblock,
        rates=tuple(model.upsample_rates),
        rate_kernels=tuple(model.upsample_kernel_sizes),
        channels=model.upsample_initial_channel,
        kernels=tuple(model.resblock_kernel_sizes),
        dilations=tuple(tuple(dilations) for dilations in model.resblock_dilation_sizes),
    )
