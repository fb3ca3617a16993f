"""The configuration of an OpenVoice checkpoint, its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.openvoice import EMBEDDING
from models.shared.files import read_json

_Size = Annotated[int, Field(ge=1, le=8192)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Data(_Lenient):
    sampling_rate: int = Field(ge=8000, le=192_000)
    filter_length: _Size = 1024
    win_length: _Size = 1024
    n_speakers: int = Field(0, ge=0, le=100_000)
    add_blank: bool = True


class ModelSizes(_Lenient):
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
    model: ModelSizes
    symbols: list[str] = []
    speakers: Mapping[str, int] = {}


def read_configuration(path: Path) -> Configuration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of OpenVoice."""
    return read_json(path, Configuration, "an OpenVoice configuration")
