"""Random checkpoints of MMS-TTS, as ``facebook/mms-tts-eng`` has them for ``transformers.VitsModel``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file

from tests.checkpoints import vits
from tests.checkpoints.tensors import Tensors

Size = Literal["full", "small"]
#: ``parametrizations``: as transformers writes them today; ``weight_g``: as those on the hub were written
WeightNorm = Literal["parametrizations", "weight_g"]

#: English, in the order of their ids: 0 is also the blank
CHARACTERS = "k'zyudhesw–3cp-1jmi flo0bra42n_xvtq56g"

_FULL: dict[str, Any] = {
    "activation_dropout": 0.1,
    "architectures": ["VitsModel"],
    "attention_dropout": 0.1,
    "depth_separable_channels": 2,
    "depth_separable_num_layers": 3,
    "duration_predictor_dropout": 0.5,
    "duration_predictor_filter_channels": 256,
    "duration_predictor_flow_bins": 10,
    "duration_predictor_kernel_size": 3,
    "duration_predictor_num_flows": 4,
    "duration_predictor_tail_bound": 5.0,
    "ffn_dim": 768,
    "ffn_kernel_size": 3,
    "flow_size": 192,
    "hidden_act": "relu",
    "hidden_dropout": 0.1,
    "hidden_size": 192,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-05,
    "layerdrop": 0.1,
    "leaky_relu_slope": 0.1,
    "model_type": "vits",
    "noise_scale": 0.667,
    "noise_scale_duration": 0.8,
    "num_attention_heads": 2,
    "num_hidden_layers": 6,
    "num_speakers": 1,
    "posterior_encoder_num_wavenet_layers": 16,
    "prior_encoder_num_flows": 4,
    "prior_encoder_num_wavenet_layers": 4,
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "resblock_kernel_sizes": [3, 7, 11],
    "sampling_rate": 16000,
    "speaker_embedding_size": 0,
    "speaking_rate": 1.0,
    "spectrogram_bins": 513,
    "torch_dtype": "float32",
    "transformers_version": "4.33.0.dev0",
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_rates": [8, 8, 2, 2],
    "use_bias": True,
    "use_stochastic_duration_prediction": True,
    "vocab_size": len(CHARACTERS),
    "wavenet_dilation_rate": 1,
    "wavenet_dropout": 0.0,
    "wavenet_kernel_size": 5,
    "window_size": 4,
}
_SMALL: dict[str, Any] = {
    **_FULL,
    "ffn_dim": 64,
    "flow_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "posterior_encoder_num_wavenet_layers": 4,
    "upsample_initial_channel": 64,
}

#: from the names of the original VITS to those of transformers, applied in order
_NAMES = [
    (r"^enc_p\.emb\.", "text_encoder.embed_tokens."),
    (r"^enc_p\.proj\.", "text_encoder.project."),
    (r"^enc_p\.encoder\.attn_layers\.(\d+)\.conv_o\.", r"text_encoder.encoder.layers.\1.attention.out_proj."),
    (r"^enc_p\.encoder\.attn_layers\.(\d+)\.conv_(\w)\.", r"text_encoder.encoder.layers.\1.attention.\2_proj."),
    (r"^enc_p\.encoder\.attn_layers\.(\d+)\.", r"text_encoder.encoder.layers.\1.attention."),
    (r"^enc_p\.encoder\.norm_layers_1\.(\d+)\.", r"text_encoder.encoder.layers.\1.layer_norm."),
    (r"^enc_p\.encoder\.norm_layers_2\.(\d+)\.", r"text_encoder.encoder.layers.\1.final_layer_norm."),
    (r"^enc_p\.encoder\.ffn_layers\.(\d+)\.", r"text_encoder.encoder.layers.\1.feed_forward."),
    (r"^dp\.(post_)?(pre|proj)\.", r"duration_predictor.\1conv_\2."),
    (r"^dp\.(post_)?convs\.", r"duration_predictor.\1conv_dds."),
    (r"^dp\.((?:post_)?flows\.\d+)\.(pre|proj)\.", r"duration_predictor.\1.conv_\2."),
    (r"^dp\.((?:post_)?flows\.\d+)\.convs\.", r"duration_predictor.\1.conv_dds."),
    (r"^dp\.((?:post_)?flows\.0)\.m$", r"duration_predictor.\1.translate"),
    (r"^dp\.((?:post_)?flows\.0)\.logs$", r"duration_predictor.\1.log_scale"),
    (r"convs_sep", "convs_dilated"),
    (r"convs_1x1", "convs_pointwise"),
    (r"^flow\.(flows\.\d+)\.(pre|post)\.", r"flow.\1.conv_\2."),
    (r"^flow\.(flows\.\d+)\.enc\.", r"flow.\1.wavenet."),
    (r"^enc_q\.(pre|proj)\.", r"posterior_encoder.conv_\1."),
    (r"^enc_q\.enc\.", "posterior_encoder.wavenet."),
    (r"^dec\.ups\.", "decoder.upsampler."),
    (r"^dec\.", "decoder."),
    (r"gamma$", "weight"),
    (r"beta$", "bias"),
]


def mms(
    folder: Path,
    *,
    seed: int = 0,
    size: Size = "full",
    weight_norm: WeightNorm = "parametrizations",
    pickled: bool = False,
) -> Path:
    """A voice of MMS-TTS: ``config.json``, ``vocab.json``, ``tokenizer_config.json`` and ``model.safetensors`` (or
    ``pytorch_model.bin``, if ``pickled``). Gives ``folder``."""
    config = _FULL if size == "full" else _SMALL
    tokenizer = {
        "add_blank": True,
        "clean_up_tokenization_spaces": True,
        "is_uroman": False,
        "language": "eng",
        "model_max_length": 10**30,
        "normalize": True,
        "pad_token": CHARACTERS[0],
        "phonemize": False,
        "tokenizer_class": "VitsTokenizer",
        "unk_token": "<unk>",
    }
    state = mms_state(config, seed, weight_norm)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(CHARACTERS)}, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2))
    if pickled:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def mms_state(config: dict[str, Any], seed: int, weight_norm: WeightNorm) -> dict[str, torch.Tensor]:
    """The state dict with transformers' names. The decoder has no weight norm: conversion removes it."""
    shape = vits.Shape(
        inter=config["flow_size"],
        hidden=config["hidden_size"],
        filters=config["ffn_dim"],
        heads=config["num_attention_heads"],
        layers=config["num_hidden_layers"],
        kernel=config["ffn_kernel_size"],
        resblock="1",
        resblock_kernels=tuple(config["resblock_kernel_sizes"]),
        resblock_dilations=tuple(map(tuple, config["resblock_dilation_sizes"])),
        upsample_rates=tuple(config["upsample_rates"]),
        upsample_initial=config["upsample_initial_channel"],
        upsample_kernels=tuple(config["upsample_kernel_sizes"]),
        gin=0,
    )
    tensors = Tensors(seed)
    vits.text_encoder(tensors, shape, config["vocab_size"])
    vits.stochastic_duration_predictor(tensors, shape.hidden, 0, name="dp")
    vits.flow(tensors, shape)
    vits.posterior_encoder(tensors, shape, config["spectrogram_bins"], config["posterior_encoder_num_wavenet_layers"])
    vits.decoder(tensors, shape, weight_norm=False)
    return {_name(name, weight_norm): _value(name, value) for name, value in tensors.state.items()}


def _name(name: str, weight_norm: WeightNorm) -> str:
    # transformers does not count the flips between flows
    if name.startswith("flow."):
        name = re.sub(r"flows\.(\d+)", lambda m: f"flows.{int(m[1]) // 2}", name)
    elif name.startswith("dp."):
        name = re.sub(r"flows\.(\d+)", lambda m: f"flows.{(int(m[1]) + 1) // 2}", name)
    for pattern, new in _NAMES:
        name = re.sub(pattern, new, name)
    if weight_norm == "parametrizations":
        name = name.replace(".weight_g", ".parametrizations.weight.original0")
        name = name.replace(".weight_v", ".parametrizations.weight.original1")
    return name


def _value(name: str, value: torch.Tensor) -> torch.Tensor:
    """The projections of the attention are linear layers in transformers."""
    return value.squeeze(-1) if re.search(r"\.conv_[qkvo]\.weight$", name) else value
