"""A checkpoint of transformers' ``VitsModel`` as a network: its tensors under the names of VITS.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from core.errors import WeightsError
from models.base import WeightsReport
from models.shared.files import read_json
from models.shared.torch import read_safetensors, read_tensors
from models.vits.config import DecoderSizes, DurationSizes, EncoderSizes, NetworkSizes, WaveNetSizes
from models.vits.network import Network
from models.vits.weights import TRAINING, Renaming, load_network, renamed

_Size = Annotated[int, Field(ge=1, le=8192)]

#: transformers' names to those of VITS, in order (``modeling_vits.py`` of transformers, Apache-2.0).
_NAMES: tuple[Renaming, ...] = (
    (r"^text_encoder\.embed_tokens\.", "enc_p.emb."),
    (r"^text_encoder\.project\.", "enc_p.proj."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.([qkv])_proj\.", r"enc_p.encoder.attn_layers.\1.conv_\2."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.out_proj\.", r"enc_p.encoder.attn_layers.\1.conv_o."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.", r"enc_p.encoder.attn_layers.\1."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.layer_norm\.", r"enc_p.encoder.norm_layers_1.\1."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.final_layer_norm\.", r"enc_p.encoder.norm_layers_2.\1."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.feed_forward\.", r"enc_p.encoder.ffn_layers.\1."),
    (r"^flow\.flows\.(\d+)\.", lambda found: f"flow.flows.{2 * int(found[1])}."),
    (r"\.conv_pre\.", ".pre."),
    (r"\.conv_post\.", ".post."),
    (r"\.conv_proj\.", ".proj."),
    (r"\.wavenet\.", ".enc."),
    (r"^decoder\.upsampler\.", "dec.ups."),
    (r"^decoder\.pre\.", "dec.conv_pre."),
    (r"^decoder\.post\.", "dec.conv_post."),
    (r"^decoder\.", "dec."),
    (r"^posterior_encoder\.", "enc_q."),
    (r"^embed_speaker\.", "emb_g."),
    (r"\.(conv_dds|dds)\.", ".convs."),
    (r"\.convs_dilated\.", ".convs_sep."),
    (r"\.convs_pointwise\.", ".convs_1x1."),
    # Upstream counts a flip after each convolutional flow as a flow.
    (r"^duration_predictor\.flows\.([1-9]\d*)\.", lambda found: f"duration_predictor.flows.{2 * int(found[1]) - 1}."),
    (r"\.translate$", ".m"),
    (r"\.log_scale$", ".logs"),
)


class Configuration(BaseModel):
    """The parts that matter of ``config.json``, with transformers' defaults."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    vocab_size: int = Field(38, ge=1, le=1_000_000)
    hidden_size: _Size = 192
    num_hidden_layers: _Size = 6
    num_attention_heads: _Size = 2
    window_size: _Size = 4
    ffn_dim: _Size = 768
    ffn_kernel_size: _Size = 3
    hidden_act: str = "relu"
    flow_size: _Size = 192
    use_stochastic_duration_prediction: bool = True
    num_speakers: int = Field(1, ge=1, le=100_000)
    speaker_embedding_size: int = Field(0, ge=0, le=8192)
    upsample_initial_channel: _Size = 512
    upsample_rates: list[_Size] = [8, 8, 2, 2]
    upsample_kernel_sizes: list[_Size] = [16, 16, 4, 4]
    resblock_kernel_sizes: list[_Size] = [3, 7, 11]
    resblock_dilation_sizes: list[list[_Size]] = [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    leaky_relu_slope: float = 0.1
    depth_separable_num_layers: _Size = 3
    duration_predictor_flow_bins: _Size = 10
    duration_predictor_tail_bound: float = 5.0
    duration_predictor_kernel_size: _Size = 3
    duration_predictor_num_flows: _Size = 4
    duration_predictor_filter_channels: _Size = 256
    prior_encoder_num_flows: _Size = 4
    prior_encoder_num_wavenet_layers: _Size = 4
    wavenet_kernel_size: _Size = 5
    wavenet_dilation_rate: _Size = 1
    speaking_rate: float = Field(1.0, gt=0, le=10)
    noise_scale: float = Field(0.667, ge=0, le=10)
    noise_scale_duration: float = Field(0.8, ge=0, le=10)
    sampling_rate: int = Field(16_000, ge=4000, le=192_000)


def read_configuration(path: Path) -> Configuration:
    """Raises `core.errors.WeightsError` if the file is not the configuration of a ``VitsModel``."""
    found = read_json(path, Configuration, "the configuration of a VITS model")
    if found.hidden_act != "relu":
        raise WeightsError(f"{path.name}: the activation {found.hidden_act!r} is not supported, only relu.")
    return found


def read_network(path: Path, configuration: Configuration, name: str) -> tuple[Network, WeightsReport]:
    """The network of a checkpoint. Raises `core.errors.WeightsError`."""
    read = read_safetensors if path.suffix == ".safetensors" else read_tensors
    stochastic = configuration.use_stochastic_duration_prediction
    network = Network(_sizes(configuration))
    return network, load_network(network, _translated(read(path, name), stochastic), "MMS", TRAINING)


def _translated(tensors: dict[str, Tensor], stochastic: bool) -> dict[str, Tensor]:
    """The tensors under the names and in the shapes of VITS."""
    names = (*_NAMES, (r"^duration_predictor\.", "sdp." if stochastic else "dp."))
    found = renamed(tensors, names)
    for name in list(found):
        if ".attn_layers." in name and ".conv_" in name and name.endswith(".weight"):
            found[name] = found[name][:, :, None]  # a linear layer is a convolution of one step
        if ".norm" in name:
            found[name.replace(".weight", ".gamma").replace(".bias", ".beta")] = found.pop(name)
    return found


def _sizes(configuration: Configuration) -> NetworkSizes:
    own = configuration
    several = own.num_speakers > 1
    return NetworkSizes(
        latent=own.flow_size,
        hidden=own.hidden_size,
        decoder=DecoderSizes(
            blocks="1",
            rates=tuple(own.upsample_rates),
            rate_kernels=tuple(own.upsample_kernel_sizes),
            channels=own.upsample_initial_channel,
            kernels=tuple(own.resblock_kernel_sizes),
            dilations=tuple(tuple(dilations) for dilations in own.resblock_dilation_sizes),
            slope=own.leaky_relu_slope,
        ),
        encoder=EncoderSizes(
            symbols=own.vocab_size,
            hidden=own.hidden_size,
            filters=own.ffn_dim,
            heads=own.num_attention_heads,
            layers=own.num_hidden_layers,
            kernel=own.ffn_kernel_size,
            window=own.window_size,
        ),
        durations=DurationSizes(
            stochastic=own.use_stochastic_duration_prediction,
            deterministic=not own.use_stochastic_duration_prediction,
            filters=own.duration_predictor_filter_channels,
            kernel=own.duration_predictor_kernel_size,
            flows=own.duration_predictor_num_flows,
            layers=own.depth_separable_num_layers,
            bins=own.duration_predictor_flow_bins,
            tail=own.duration_predictor_tail_bound,
        ),
        flows=own.prior_encoder_num_flows,
        flow=WaveNetSizes(
            kernel=own.wavenet_kernel_size,
            dilation=own.wavenet_dilation_rate,
            layers=own.prior_encoder_num_wavenet_layers,
        ),
        speakers=own.num_speakers if several else 0,
        conditioning=own.speaker_embedding_size if several else 0,
    )
