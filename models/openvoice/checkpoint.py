"""OpenVoice's checkpoints: ``config.json`` and ``checkpoint.pth`` to a network.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from pathlib import Path

import torch

from audio.samples import Samples
from core.errors import WeightsError
from models.base import WeightsReport
from models.openvoice import EMBEDDING
from models.openvoice.config import Configuration
from models.shared.torch import read_tensors
from models.vits.config import DurationSizes, EncoderSizes, NetworkSizes, WaveNetSizes
from models.vits.network import Network
from models.vits.weights import TRAINING, load_network


def read_speaker(path: Path, configuration: Configuration, name: str) -> tuple[Network, WeightsReport]:
    """The network of a base speaker. Raises `core.errors.WeightsError`."""
    return _read(path, speaker_sizes(configuration), name, TRAINING)


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
        decoder=model.decoder,
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
        decoder=model.decoder,
        posterior=WaveNetSizes(layers=16),
        spectrum=data.filter_length // 2 + 1,
        conditioning=model.gin_channels,
    )
