"""The configuration of an OpenVoice checkpoint, its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from models.openvoice import EMBEDDING
from models.shared.files import read_json
from models.vits.upstream import Lenient, ModelSizes, Size


class _Data(Lenient):
    sampling_rate: int = Field(ge=8000, le=192_000)
    filter_length: Size = 1024
    win_length: Size = 1024
    n_speakers: int = Field(0, ge=0, le=100_000)
    add_blank: bool = True


class _Model(ModelSizes):
    gin_channels: Size = EMBEDDING
    zero_g: bool = False  #: only the flow is given the speakers


class Configuration(Lenient):
    """The parts that matter of ``config.json``."""

    data: _Data
    model: _Model
    symbols: Sequence[str] = ()
    speakers: Mapping[str, int] = {}


def read_configuration(path: Path) -> Configuration:
    """Raises `core.errors.WeightsError` if the file is not a configuration of OpenVoice."""
    return read_json(path, Configuration, "an OpenVoice configuration")
