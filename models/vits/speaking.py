"""Rows to speech on torch: stage A in padded batches of similar length, stage B in packs of similar length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from audio.samples import Samples
from core.errors import ChorusError, WeightsError
from models.base import ModelSpec, Speech
from models.shared.failures import together
from models.shared.torch import open_device
from models.vits.groups import packs, padded
from models.vits.network import Network
from models.vits.parts.packing import Packing, to_device
from models.vits.parts.text_encoder import Prosody
from models.vits.rows import Row, Voices


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What goes through the network at once: padded tokens in stage A, frames in stage B."""

    tokens: int
    shortest: float  #: of the rows of one pass of stage A, over the longest: padding costs a CPU what it saves
    frames: int


#: A CPU gains from company until a pack leaves its cache; a GPU is full at about 16 utterances.
AT_ONCE = {
    "cpu": AtOnce(tokens=2048, shortest=0.6, frames=1100),
    "cuda": AtOnce(tokens=32_768, shortest=0.25, frames=8192),
}

#: Bytes that a frame takes in the decoder at most, in float32.
_FRAME_BYTES = 400_000


@dataclass(slots=True)
class _Encoded:
    """Stage A of one row: where the prior of its tokens is."""

    row: Row
    mean: Tensor  #: float32 [tokens, latent]
    log_deviation: Tensor


class TorchVoices:
    """A network that speaks rows. ``forwards`` counts the passes of both stages."""

    def __init__(self, network: Network, voices: Voices, device: torch.device) -> None:
        sizes = network.sizes
        if sizes.encoder is None or sizes.encoder.symbols < voices.symbols or max(1, sizes.speakers) < voices.speakers:
            raise WeightsError("The weights have fewer symbols or speakers than the configuration.")
        self.network, self.voices, self.device = network, voices, device
        self.at_once = _fitting(AT_ONCE[device.type], device)
        self.forwards = 0

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return self.network.hop

    def speak(self, rows: Sequence[Row]) -> list[Speech | ChorusError]:
        """One outcome per row, in order; a failure is that of its row alone.

        On a GPU nothing waits before the end: the noise of one pack is drawn while the pack before is computed."""
        outcomes: dict[int, Speech | ChorusError] = {}
        encoded: dict[int, _Encoded] = {}
        decoded: dict[int, Tensor] = {}
        groups = padded(
            range(len(rows)), lambda place: rows[place].tokens.size, self.at_once.tokens, shortest=self.at_once.shortest
        )
        for group in groups:
            found = together(group, lambda places: self._encode([rows[place] for place in places]))
            for place, one in zip(group, found, strict=True):
                if isinstance(one, ChorusError):
                    outcomes[place] = one
                else:
                    encoded[place] = one
        for pack in packs(encoded, lambda place: rows[place].frames, self.at_once.frames):
            made = together(pack, lambda places: self._decode([encoded[place] for place in places]))
            for place, samples in zip(pack, made, strict=True):
                if isinstance(samples, ChorusError):
                    outcomes[place] = samples
                else:
                    decoded[place] = samples
        self._wait()
        for place, samples in decoded.items():
            outcomes[place] = rows[place].speech(samples.numpy().copy(), self.hop, self.voices.rate)
        return [outcomes[place] for place in range(len(rows))]

    def packs_of(self, rows: Sequence[Row]) -> list[list[Row]]:
        """How rows whose durations are known go through stage B."""
        return list(packs(rows, lambda row: row.frames, self.at_once.frames))

    def speakers_of(self, rows: Sequence[Row]) -> Tensor | None:
        """The embeddings of the rows' speakers [rows, conditioning, 1], if the network has a table of them."""
        numbers = np.array([row.speaker for row in rows], np.int64)
        return self.network.speaker(to_device(numbers, self.device))

    def prosody(self, rows: Sequence[Row], longest: int) -> Prosody | None:
        """What the encoder is told of rows, padded to ``longest`` tokens, beside their tokens."""
        return None

    @torch.inference_mode()
    def _encode(self, rows: Sequence[Row]) -> list[_Encoded | ChorusError]:
        """Durations and prior of each row. Raises what torch raises."""
        self.forwards += 1
        longest = max(row.tokens.size for row in rows)
        tokens = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.float64)
        noise = np.zeros((len(rows), 2, longest), np.float64)
        stochastic = hasattr(self.network, "sdp")
        for i, row in enumerate(rows):
            tokens[i, : row.tokens.size] = row.tokens
            mask[i, : row.tokens.size] = 1
            if stochastic:
                noise[i, :, : row.tokens.size] = row.rhythm_noise()
        durations, mean, log_deviation = self.network.encode(
            to_device(tokens, self.device),
            to_device(mask, self.device),
            self.speakers_of(rows),
            to_device(noise, self.device) if stochastic else None,
            self.voices.share,
            self.prosody(rows, longest),
        )
        given = durations.cpu().numpy()  # waits: the lengths decide what follows
        return [self._encoded(row, given[i], mean[i], log_deviation[i]) for i, row in enumerate(rows)]

    def _encoded(self, row: Row, durations: Samples, mean: Tensor, log_deviation: Tensor) -> _Encoded | ChorusError:
        count = row.tokens.size
        try:
            row.last(durations[:count], self.hop, self.voices.rate)
        except ChorusError as error:
            return error
        return _Encoded(row, mean[:count], log_deviation[:count])

    @torch.inference_mode()
    def _decode(self, pack: Sequence[_Encoded]) -> list[Tensor]:
        """The samples of each row, which are there after `_wait`. Raises what torch raises."""
        self.forwards += 1
        packing = Packing([one.row.frames for one in pack], self.network.gap, self.device)
        prior = self._prior(pack, packing)
        audio = self.network.decode(prior, packing, self.speakers_of([one.row for one in pack]))
        here = audio
        if self.device.type != "cpu":
            here = torch.empty(audio.shape, dtype=audio.dtype, pin_memory=True)
            here.copy_(audio, non_blocking=True)
        return [here[span] for span in packing.spans(self.hop)]

    def _prior(self, pack: Sequence[_Encoded], packing: Packing) -> Tensor:
        """Samples of the prior [1, latent, total]: each token's mean and deviation for as long as it lasts."""
        latent = self.network.sizes.latent
        index = np.zeros(packing.total, np.int64)  # a gap takes any token: it is cleared
        noise = np.zeros((packing.total, latent), np.float32)
        tokens = 0
        for one, span in zip(pack, packing.spans(), strict=True):
            row = one.row
            index[span] = np.repeat(np.arange(tokens, tokens + row.tokens.size), row.durations)
            noise[span] = row.prior_noise(latent) * np.float32(row.noise_scale)
            tokens += row.tokens.size
        frames = to_device(index, self.device)
        mean = torch.cat([one.mean for one in pack]).index_select(0, frames)
        deviation = torch.cat([one.log_deviation for one in pack]).exp_().index_select(0, frames)
        prior = mean.addcmul_(to_device(noise, self.device), deviation).t()[None].contiguous()
        return packing.clear(prior)

    def _wait(self) -> None:
        if self.device.type != "cpu":
            torch.cuda.current_stream(self.device).synchronize()


def open_voices(network: Network, voices: Voices, spec: ModelSpec, device: str) -> TorchVoices:
    """The network of an entry, placed on ``device`` in the entry's precision. Raises
    `core.errors.ConfigurationError` if torch has no such device, `core.errors.WeightsError`."""
    place = open_device(device)
    return TorchVoices(network.settle(place, spec.precision_on(device)), voices, place)


def _fitting(at_once: AtOnce, device: torch.device) -> AtOnce:
    """The bounds, lowered to what half of the free memory of a GPU can contain."""
    if device.type != "cuda":
        return at_once
    free, _ = torch.cuda.mem_get_info(device)
    return replace(at_once, frames=max(256, min(at_once.frames, free // 2 // _FRAME_BYTES)))
