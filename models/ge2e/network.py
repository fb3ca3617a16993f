"""The network of GE2E (Wan et al. 2017, arXiv:1710.10467) and its mel energies.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from models.shared.recordings import RATE
from models.shared.torch import load_strictly

HOP = 160  #: samples of one frame: 10 ms
PARTIAL = 160  #: frames
STEP = 80  #: frames between the starts of two partials
MIN_COVERAGE = 0.75  #: of a last partial that is filled up with silence; below, it is left out
DIMENSIONS = 256

_LOSS = ("similarity_weight", "similarity_bias")  #: the scale and shift of the loss, in the checkpoint
_FRAME = 400  #: samples: 25 ms
_BINS = 40
_LOUDNESS = -30.0  #: dBFS that quieter recordings are raised to


class Network(nn.Module):
    """Three LSTM layers and a linear one with a checkpoint's ``model_state``.

    Raises `core.errors.WeightsError` if the weights are not those of GE2E."""

    def __init__(self, weights: Mapping[str, Tensor], device: torch.device) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BINS, DIMENSIONS, 3, batch_first=True)
        self.linear = nn.Linear(DIMENSIONS, DIMENSIONS)
        unused = tuple(name for name in _LOSS if name in weights)
        own = {name: tensor for name, tensor in weights.items() if name not in unused}
        self.report = replace(load_strictly(self, own, "GE2E"), unused=unused)
        self.to(device, torch.float32)
        self._window = torch.hann_window(_FRAME, device=device)
        # The mel filters of librosa's defaults, which the network was trained on.
        self._filters = torchaudio.functional.melscale_fbanks(
            _FRAME // 2 + 1, 0.0, RATE / 2, _BINS, RATE, norm="slaney", mel_scale="slaney"
        ).to(device)

    @torch.inference_mode()
    def partials(self, samples: Tensor) -> Tensor:
        """Mel energies [partials, 160, 40] of ``samples`` [n] at 16 kHz, amplified if they are quiet.

        As ``compute_partial_slices`` and ``wav_to_mel_spectrogram`` of Resemblyzer (Apache-2.0): energies, not
        their logarithms, of frames centred on every 160th sample."""
        samples = _raised(samples)
        starts = partial_starts(len(samples))
        padded = functional.pad(samples, (0, max(0, (starts[-1] + PARTIAL) * HOP - len(samples))))
        spectrum = torch.stft(
            padded, _FRAME, HOP, window=self._window, center=True, pad_mode="constant", return_complex=True
        )
        energies = (spectrum.real.square() + spectrum.imag.square()).T @ self._filters  # [frames, 40]
        return torch.stack([energies[start : start + PARTIAL] for start in starts])

    @torch.inference_mode()
    def forward(self, partials: Tensor) -> Tensor:
        """Unit embeddings [n, 256] of partials [n, 160, 40]."""
        _, (hidden, _) = self.lstm(partials)
        return functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


def partial_starts(samples: int) -> Sequence[int]:
    """First frame of each partial of a recording of so many samples: at least one partial."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - PARTIAL + STEP + 1), STEP))
    if len(starts) > 1 and (samples / HOP - starts[-1]) / PARTIAL < MIN_COVERAGE:
        starts.pop()
    return starts


def _raised(samples: Tensor) -> Tensor:
    loudness = 10 * torch.log10(samples.double().square().mean())
    gain = 10 ** ((_LOUDNESS - loudness) / 20)
    return samples * gain.float() if gain > 1 else samples
