"""The styles of Kokoro's voices: one for each length of an utterance, from a file of all voices or of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audio.samples import Samples
from core.errors import WeightsError
from models.base import ModelSpec
from models.kokoro import MAX_TOKENS, VOICE_FILES, parse_voice


class Styles:
    """Styles by voice, float32 [510, n]: the first half of the numbers is the decoder's, the second the prosody's."""

    def __init__(self, voices: dict[str, Samples], size: int) -> None:
        self.voices, self.size = voices, size

    def of(self, voice: str, tokens: int) -> Samples:
        """The style of a voice, or of a mix, for an utterance of so many tokens without pads: float32 [n].

        Raises `core.errors.InvalidRequest` for an unknown voice or mix."""
        weights = parse_voice(voice, self.voices)
        parts = [weight * self.voices[name][tokens - 1].astype(np.float64) for name, weight in weights.items()]
        mixed: Samples = np.sum(parts, axis=0).astype(np.float32)
        return mixed


def read_styles(spec: ModelSpec, files: Callable[[str], Path], size: int) -> Styles:
    """The voices of an entry, of ``size`` numbers a style, from its weights ``voices`` (``.npz``) and ``voice_NAME``
    (``.pt``). Raises `core.errors.WeightsError` if a file cannot be read, or one of the entry's voices is missing."""
    found: dict[str, Any] = {}
    if "voices" in spec.weights:
        found |= _of_all(files("voices"))
    for key in sorted(spec.weights):
        if key.startswith(VOICE_FILES):
            found[key.removeprefix(VOICE_FILES)] = _of_one(files(key), spec.name)
    voices = {name: _shaped(name, styles, size) for name, styles in found.items()}
    if missing := sorted(spec.voices.keys() - voices.keys()):
        raise WeightsError(f"{spec.name}: the weights have no voice {missing[0]!r}.")
    if not voices:
        raise WeightsError(f"{spec.name}: the weights have no voices.")
    return Styles(voices, size)


def _of_all(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], np.float32) for name in file.files}
    except Exception as error:  # zipfile and numpy raise classes of their own
        raise WeightsError(f"The voices file {path} cannot be read.") from error


def _of_one(path: Path, model: str) -> Any:
    from models.shared.torch import read_tensor

    return read_tensor(path, model).float().numpy()


def _shaped(name: str, styles: Any, size: int) -> Samples:
    """Raises `core.errors.WeightsError` for what are no styles."""
    if styles.size != MAX_TOKENS * size or styles.shape[0] != MAX_TOKENS:
        raise WeightsError(f"The voice {name!r} does not have the shape [{MAX_TOKENS}, 1, {size}].")
    if not np.isfinite(styles).all():
        raise WeightsError(f"The voice {name!r} is not finite.")
    shaped: Samples = styles.reshape(MAX_TOKENS, size)
    return shaped
