"""MeloTTS's checkpoints: ``config.json`` and ``checkpoint.pth`` to a network.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import WeightsError
from models.base import WeightsReport
from models.melo.config import Configuration
from models.melo.voices import PROJECTIONS
from models.shared.torch import read_tensors
from models.vits.config import DurationSizes, EncoderSizes, NetworkSizes, TransformerSizes, WaveNetSizes
from models.vits.network import Network
from models.vits.weights import TRAINING, load_network

#: The layer before which a transformer is given the speaker.
_CONDITIONED = 2
_FLOW_KERNEL = 5


def read_network(path: Path, configuration: Configuration, name: str) -> tuple[Network, WeightsReport]:
    """The network of a voice. Raises `core.errors.WeightsError`."""
    network = Network(network_sizes(configuration, name))
    return network, load_network(network, read_tensors(path, name, "model"), "MeloTTS", TRAINING)


def network_sizes(configuration: Configuration, name: str) -> NetworkSizes:
    """Raises `core.errors.WeightsError` for a network that upstream's published voices do not have."""
    model = configuration.model
    if model.flow_share_parameter or model.use_vc:
        raise WeightsError(f"{name}: networks with flow_share_parameter or use_vc are not supported.")
    layers = {"n_layers": model.n_layers, "n_layers_trans_flow": model.n_layers_trans_flow}
    for field, count in layers.items():
        if count <= _CONDITIONED:
            raise WeightsError(f"{name}: {field} is {count}; a transformer has at least {_CONDITIONED + 1} layers.")
    flow = TransformerSizes(
        hidden=model.hidden_channels,
        filters=model.filter_channels,
        heads=model.n_heads,
        layers=model.n_layers_trans_flow,
        kernel=_FLOW_KERNEL,
        conditioned=_CONDITIONED,
    )
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
            conditioned=_CONDITIONED if model.use_spk_conditioned_encoder else None,
            tones=configuration.num_tones,
            languages=configuration.num_languages,
            features=PROJECTIONS,
        ),
        durations=DurationSizes(stochastic=True, deterministic=True),
        flows=model.n_flow_layer,
        flow=flow if model.use_transformer_flow else WaveNetSizes(),
        speakers=configuration.data.n_speakers,
        conditioning=model.gin_channels,
    )
