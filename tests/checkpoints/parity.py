"""What the parity tests compare with: the inputs of `openvoice_parity.npz`, its figures, and transformers for MMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.checkpoints.tensors import Array

PATH = Path(__file__).parent / "openvoice_parity.npz"

RATE = 22050  # Hz
SPEEDS = (1.0, 0.8)
#: of the source's embedding and of the target's, for `tests.checkpoints.openvoice.source_embedding`
SOURCE_SEED, TARGET_SEED = 0, 1
VERSIONS = ("v1", "v2")

#: of the longer outputs one sample in so many is kept, and so many samples of the end
STEP, TAIL = 97, 512


@dataclass(frozen=True, slots=True)
class Line:
    """One input of a base speaker: its tokens, and its speaker's number."""

    tokens: tuple[int, ...]
    speaker: int


def _with_blanks(*ids: int) -> tuple[int, ...]:
    """As OpenVoice does: token 0 before, between and after."""
    return (0, *(token for each in ids for token in (each, 0)))


LINES = (
    Line(_with_blanks(32, 15, 22, 25), speaker=1),
    Line(_with_blanks(27, 60, 15, 19, 22, 67, 2, 8, 50, 24, 44, 67, 31, 12, 26, 3), speaker=5),
    Line(_with_blanks(*(1 + (7 * i * i + 3 * i) % 67 for i in range(41))), speaker=9),
)

#: samples of each recording: the first has fewer frames than the total stride of the reference encoder (64); none is a
#: multiple of the hop
RECORDING_LENGTHS = (9001, 31337, 60010)


def recording(number: int) -> Array:
    """A synthetic recording (float32 at 22,050 Hz): a gliding tone with harmonics, a hiss that comes and goes."""
    time = np.arange(RECORDING_LENGTHS[number]) / RATE
    pitch = 2 * np.pi * (110 + 70 * number) * time * (1 + 0.08 * time)
    tone = sum(np.sin(k * pitch) / k for k in (1, 2, 3, 5, 8)) * (0.55 + 0.45 * np.sin(2 * np.pi * 2.7 * time))
    hiss = np.sin(2 * np.pi * 5100 * time + 40 * np.sin(2 * np.pi * 613 * time)) * (np.sin(2 * np.pi * 1.9 * time) > 0)
    return (0.2 * tone + 0.05 * hiss).astype(np.float32)


def figures() -> Mapping[str, NDArray[Any]]:
    """What upstream gave: see `tests.checkpoints.make_openvoice_parity` for the names."""
    with np.load(PATH) as stored:
        return dict(stored)


def put(name: str, samples: Array, whole: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    """The figures that are kept of one output: all its samples, or its length, some of its samples and its tail."""
    if whole:
        yield f"{name}_samples", samples
    else:
        yield f"{name}_length", np.array(samples.size)
        yield f"{name}_some", samples[::STEP]
        yield f"{name}_tail", samples[-TAIL:]


def difference(name: str, samples: Array, expected: Mapping[str, NDArray[Any]]) -> float:
    """The largest difference between ``samples`` and what `put` kept as ``name``; a wrong length fails."""
    differences = []
    for key, ours in put(name, samples, whole=f"{name}_samples" in expected):
        assert ours.shape == expected[key].shape, f"{key} has shape {expected[key].shape}, not {ours.shape}"
        if key.endswith("_length"):
            assert ours == expected[key], f"{name} has {expected[key]} samples, not {ours}"
        else:
            differences.append(float(np.abs(ours - expected[key]).max()))
    return max(differences)


def mms_reference(folder: Path, tokens: Sequence[int], speed: float = 1.0) -> tuple[NDArray[np.int64], Array]:
    """What transformers' ``VitsModel`` gives for one input at noise 0: frames per token (int64 [n]), samples (float32).

    ``folder`` is that of `tests.checkpoints.mms.mms`; a missing or unexpected tensor fails."""
    from transformers import VitsModel

    model, loading = VitsModel.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), loading
    model.eval()
    model.noise_scale = model.noise_scale_duration = 0.0
    model.speaking_rate = speed
    predicted: list[torch.Tensor] = []
    model.duration_predictor.register_forward_hook(lambda _module, _inputs, output: predicted.append(output))
    with torch.inference_mode():
        spoken = model(input_ids=torch.tensor([list(tokens)]))
    durations = torch.ceil(torch.exp(predicted[0][0, 0]) / speed).long().numpy()
    samples = spoken.waveform[0, : int(spoken.sequence_lengths[0])].numpy()
    return durations, samples
