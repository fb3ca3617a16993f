"""What the parity tests compare with: the inputs of `openvoice_parity.npz`, its figures, and transformers for MMS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tests.checkpoints.tensors import Array


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
