"""The BERTs that a process has loaded. Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from torch import Tensor
from transformers import BertConfig, BertModel

from core.errors import WeightsError
from models.base import ModelSpec
from models.melo.bert import UNUSED_LAYERS, Features
from models.melo.config import BertConfiguration, read_bert_configuration
from models.shared.torch import load_strictly, open_device, read_safetensors, read_tensors
from models.vits.parts.packed_attention import ATTENTION

_loaded: WeakValueDictionary[tuple[str, str, str], Features] = WeakValueDictionary()
_loading = threading.Lock()


def open_features(spec: ModelSpec, files: Callable[[str], Path], device: str) -> Features:
    """The BERT of an entry on ``device``, loaded once in a process for all entries with the same files.

    Raises `core.errors.WeightsError`, `core.errors.ConfigurationError` if torch has no such device."""
    key = (spec.weights["bert"].sha256, spec.weights["bert_config"].sha256, device)
    with _loading:
        if (features := _loaded.get(key)) is None:
            network = read_bert(files("bert"), files("bert_config"), spec.name)
            place = open_device(device)
            features = _loaded[key] = Features(network.to(place), place)
    return features


def read_bert(weights: Path, configuration: Path, name: str) -> BertModel:
    """The layers of a BERT that are used. Raises `core.errors.WeightsError`."""
    sizes = read_bert_configuration(configuration)
    try:
        config = BertConfig.from_json_file(configuration)
        config.num_hidden_layers = sizes.num_hidden_layers - UNUSED_LAYERS
        config._attn_implementation = ATTENTION
        config.is_decoder = config.add_cross_attention = False
        config.chunk_size_feed_forward = 0
        network = BertModel(config, add_pooling_layer=False)
    except Exception as error:  # transformers checks its configurations with errors of many classes
        raise WeightsError(f"{name}: {configuration.name} is not the configuration of a BERT: {error}") from error
    read = read_safetensors if weights.suffix == ".safetensors" else read_tensors
    load_strictly(network, _used(read(weights, name), sizes), "BERT")
    return network.float()


def _used(tensors: Mapping[str, Tensor], sizes: BertConfiguration) -> dict[str, Tensor]:
    """The tensors of the layers that are used, by the names of today: older checkpoints call the parameters of a
    normalization gamma and beta, and some are of a BERT without a head."""
    used = {}
    for name, tensor in tensors.items():
        ours = name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
        ours = ours.replace("LayerNorm.beta", "LayerNorm.bias")
        part, _, rest = ours.partition(".")
        if part == "encoder" and int(rest.split(".")[1]) >= sizes.num_hidden_layers - UNUSED_LAYERS:
            continue
        if part in ("encoder", "embeddings") and not ours.endswith("_ids"):
            used[ours] = tensor
    return used
