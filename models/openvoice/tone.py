"""The tone converter's network: recordings to embeddings, and speech from one embedding to another.

Imports torch: only `Model.load` may import this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audio.samples import Samples
from models.base import WeightsReport
from models.vits.groups import packs, padded
from models.vits.network import Network
from models.vits.parts.packing import Packing, to_device

#: Frames that go through the network at once: padded ones of embeddings, packed ones of conversions.
_EMBEDDED_AT_ONCE = {"cpu": 2000, "cuda": 65_536}
_CONVERTED_AT_ONCE = {"cpu": 1100, "cuda": 8192}
#: Of the recordings that are embedded in one pass, the shortest over the longest: padding costs a CPU what it saves.
_SHORTEST = {"cpu": 0.7, "cuda": 0.3}

_LEAST = 1e-6  #: added to the power, as in training


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """Speech float32 [n] at the network's rate, the two embeddings float32 [256], and the item's own noise."""

    samples: Samples
    source: Samples
    target: Samples
    tau: float
    noise: np.random.Generator


@dataclass(frozen=True, slots=True)
class Spectrum:
    """How a tone converter hears."""

    rate: int = 22_050  #: Hz
    fft: int = 1024  #: samples
    window: int = 1024  #: samples
    flow_only: bool = False  #: only the flow is given the speakers, neither the encoder nor the decoder


class ToneNetwork:
    """A tone converter on one device. ``forwards`` counts its passes."""

    def __init__(
        self, network: Network, spectrum: Spectrum, device: torch.device, report: WeightsReport | None = None
    ) -> None:
        self.network, self.device, self.report = network, device, report
        self.rate, self.hop = spectrum.rate, network.hop
        self._fft, self._window = spectrum.fft, torch.hann_window(spectrum.window, device=device)
        self._margin = (spectrum.fft - self.hop) // 2
        self._shortest = self._margin + self.hop + 1  # samples that a reflection needs
        self._zero_g = spectrum.flow_only
        self.forwards = 0

    @torch.inference_mode()
    def embed(self, recordings: Sequence[Samples]) -> Samples:
        """Embeddings float32 [recordings, 256] of samples float32 [n] each. Raises what torch raises."""
        found = np.zeros((len(recordings), self.network.sizes.conditioning), np.float32)
        kind = self.device.type
        groups = padded(
            range(len(recordings)),
            lambda i: len(recordings[i]),
            _EMBEDDED_AT_ONCE[kind] * self.hop,
            shortest=_SHORTEST[kind],
        )
        for group in groups:
            self.forwards += 1
            spectra, lengths = self._spectra([recordings[i] for i in group], whole=False)
            found[group] = self.network.ref_enc(spectra.transpose(1, 2), torch.tensor(lengths)).cpu().numpy()
        return found

    @torch.inference_mode()
    def convert(self, items: Sequence[Conversion], *, whole: bool = True) -> list[Samples]:
        """The speech in the target's voice, as long as it was. Without ``whole`` what does not fill its last frame is
        dropped, as upstream does. One pass; raises what torch raises."""
        self.forwards += 1
        spectra, lengths = self._spectra([item.samples for item in items], whole=whole)
        packing = Packing(lengths, self.network.gap, self.device)
        latent = self.network.sizes.latent
        row = spectra.new_zeros(1, spectra.shape[1], packing.total)
        noise = np.zeros((packing.total, latent), np.float32)
        for i, (item, span) in enumerate(zip(items, packing.spans(), strict=True)):
            row[0, :, span] = spectra[i, :, : lengths[i]]
            noise[span] = item.noise.standard_normal((lengths[i], latent), np.float32) * np.float32(item.tau)
        source = self._embeddings([item.source for item in items])
        target = self._embeddings([item.target for item in items])
        none = torch.zeros_like(source)
        mean, log_deviation = self.network.enc_q(row, packing, none if self._zero_g else source)
        z = mean.addcmul_(to_device(noise, self.device).t()[None], log_deviation.exp_())
        z = self.network.flow.inverse(self.network.flow(packing.clear(z), packing, source), packing, target)
        audio = self.network.vocode(z, packing, none if self._zero_g else target).cpu().numpy()
        spans = packing.spans(self.hop)
        return [audio[span][: len(item.samples)].copy() for item, span in zip(items, spans, strict=True)]

    def packs(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Which items of so many samples go through `convert` together, the longest first."""
        most = _CONVERTED_AT_ONCE[self.device.type]
        return packs(range(len(lengths)), lambda i: -(-lengths[i] // self.hop), most)

    def _spectra(self, recordings: Sequence[Samples], *, whole: bool) -> tuple[Tensor, list[int]]:
        """Linear spectrograms float32 [recordings, bins, frames of the longest], and their lengths in frames.

        If ``whole``, a last frame that is not full is completed by the recording's reflection, else it is dropped."""
        # Silence fills up what is too short for a reflection.
        filled = [np.pad(samples, (0, max(0, self._shortest - len(samples)))) for samples in recordings]
        lengths = [len(samples) // self.hop for samples in filled]
        if whole:
            lengths = [-(-len(samples) // self.hop) for samples in recordings]
        waves = np.zeros((len(recordings), max(lengths) * self.hop + 2 * self._margin), np.float32)
        for wave, samples in zip(waves, filled, strict=True):
            long = np.pad(samples, (self._margin, self._margin + self.hop), mode="reflect")[: len(wave)]
            wave[: len(long)] = long
        found = torch.stft(
            to_device(waves, self.device),
            self._fft,
            hop_length=self.hop,
            win_length=len(self._window),
            window=self._window,
            center=False,
            return_complex=True,
        )
        return (torch.view_as_real(found).square_().sum(-1) + _LEAST).sqrt_(), lengths

    def _embeddings(self, vectors: Sequence[Samples]) -> Tensor:
        return to_device(np.stack(vectors).astype(np.float32), self.device)[:, :, None]
