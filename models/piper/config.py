"""The configuration of a Piper voice, its ``.onnx.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.shared.files import read_json

_Id = Annotated[int, Field(ge=0)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Audio(_Lenient):
    sample_rate: int = Field(ge=4000, le=192_000)


class _Espeak(_Lenient):
    voice: str = ""


class _Inference(_Lenient):
    noise_scale: float = Field(0.667, ge=0, le=10)
    length_scale: float = Field(1.0, gt=0, le=10)
    noise_w: float = Field(0.8, ge=0, le=10)


class VoiceConfig(_Lenient):
    """The parts that matter of a voice's ``.onnx.json`` (rhasspy/piper, ``docs/TRAINING.md``)."""

    audio: _Audio
    espeak: _Espeak = _Espeak()
    inference: _Inference = _Inference()
    phoneme_type: Literal["espeak", "text"] = "espeak"
    phoneme_map: Mapping[str, tuple[str, ...]] = {}
    phoneme_id_map: Mapping[str, tuple[_Id, ...]]
    num_symbols: int = Field(ge=1, le=100_000)
    num_speakers: int = Field(1, ge=1, le=100_000)
    speaker_id_map: Mapping[str, _Id] = {}


def read_config(path: Path) -> VoiceConfig:
    """The voice's configuration. Raises `core.errors.WeightsError` if it cannot be read."""
    return read_json(path, VoiceConfig, "a Piper voice configuration")
