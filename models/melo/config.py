"""The configuration of a MeloTTS checkpoint, its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from models.shared.files import read_json
from models.vits.upstream import Lenient, ModelSizes, Size


class _Data(Lenient):
    sampling_rate: int = Field(ge=8000, le=192_000)
    n_speakers: int = Field(ge=1, le=100_000)
    add_blank: bool = True
    disable_bert: bool = False
    spk2id: Mapping[str, int] = {}


class _Model(ModelSizes):
    use_spk_conditioned_encoder: bool = True
    use_transformer_flow: bool = True
    n_flow_layer: Size = 4
    n_layers_trans_flow: Size = 6
    flow_share_parameter: bool = False
    use_vc: bool = False


class Configuration(Lenient):
    """The parts that matter of ``config.json``."""

    data: _Data
    model: _Model
    symbols: list[str] = Field(min_length=3)
    num_tones: Size
    num_languages: Size


class BertConfiguration(Lenient):
    """The parts that matter of a BERT's ``config.json``; ``transformers`` reads it whole."""

    model_type: Literal["bert"] = "bert"
    vocab_size: int = Field(ge=5, le=1_000_000)
    hidden_size: Size
    num_hidden_layers: int = Field(ge=3, le=128)
    max_position_embeddings: int = Field(ge=8, le=8192)


class TokenizerConfiguration(Lenient):
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
