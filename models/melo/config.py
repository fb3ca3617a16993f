"""The configuration of a MeloTTS checkpoint, its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.shared.files import read_json

_Size = Annotated[int, Field(ge=1, le=8192)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Data(_Lenient):
    sampling_rate: int = Field(ge=8000, le=192_000)
    n_speakers: int = Field(ge=1, le=100_000)
    add_blank: bool = True
    disable_bert: bool = False
    spk2id: Mapping[str, int] = {}


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
    gin_channels: _Size = 256
    use_spk_conditioned_encoder: bool = True
    use_transformer_flow: bool = True
    n_flow_layer: _Size = 4
    n_layers_trans_flow: _Size = 6
    flow_share_parameter: bool = False
    use_vc: bool = False


class Configuration(_Lenient):
    """The parts that matter of ``config.json``."""

    data: _Data
    model: _Model
    symbols: list[str] = Field(min_length=3)
    num_tones: _Size
    num_languages: _Size


class BertConfiguration(_Lenient):
    """The parts that matter of a BERT's ``config.json``; ``transformers`` reads it whole."""

    model_type: Literal["bert"] = "bert"
    vocab_size: int = Field(ge=5, le=1_000_000)
    hidden_size: _Size
    num_hidden_layers: int = Field(ge=3, le=128)
    max_position_embeddings: int = Field(ge=8, le=8192)


class TokenizerConfiguration(_Lenient):
    """The parts that matter of a BERT's ``tokenizer_config.json``."""

    do_lower_case: bool | None = None
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True


def read_configuration(path: Path) -> Configuration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of MeloTTS."""
    return read_json(path, Configuration, "a MeloTTS configuration")


def read_bert_configuration(path: Path) -> BertConfiguration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of a BERT."""
    return read_json(path, BertConfiguration, "the configuration of a BERT")


def read_tokenizer_configuration(path: Path) -> TokenizerConfiguration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of a tokenizer."""
    return read_json(path, TokenizerConfiguration, "the configuration of a tokenizer")
