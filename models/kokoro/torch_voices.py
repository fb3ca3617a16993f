"""Rows to speech on torch: stage A by tokens, stage B by frames, each in packs without padding.

Imports torch: only `Model.load` may import this module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.errors import ChorusError
from core.names import Precision
from models.base import Speech
from models.kokoro.network.encoder import Sentences
from models.kokoro.network.layout import Layout
from models.kokoro.network.network import Network
from models.kokoro.rows import HOP, Row
from models.shared.failures import failure, together
from models.vits.groups import packs, padded
from models.vits.parts.packing import to_device


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What goes through the network at once: tokens in stage A, frames in stage B."""

    tokens: int
    shortest: float  #: of the sentences of one pass of stage A, over the longest: attention is padded
    frames: int


AT_ONCE = {
    "cpu": AtOnce(tokens=2048, shortest=0.6, frames=320),
    "cuda": AtOnce(tokens=16_384, shortest=0.25, frames=8192),
}

#: Bytes that a frame takes in the decoder at most, in float32.
_FRAME_BYTES = 1_000_000


@dataclass(slots=True)
class _Encoded:
    """Stage A of one row."""

    row: Row
    encoded: Tensor  #: what prosody needs of each token, float64 [tokens, n]
    text: Tensor  #: what the decoder needs of it, float32 [tokens, hidden]


class TorchVoices:
    """A network that speaks rows. ``forwards`` counts the passes of both stages."""

    #: whether the source has noise, as it had in training; without, its seed changes nothing in an item
    noisy = True

    def __init__(self, network: Network, device: torch.device, precision: Precision) -> None:
        self.network = network.settle(device, precision)
        self.device = device
        self.at_once = _fitting(AT_ONCE[device.type], device)
        self.forwards = 0

    def speak(self, rows: Sequence[Row]) -> list[Speech | ChorusError]:
        """One outcome per row, in order; a failure is that of its row alone.

        On a GPU nothing waits between packs: the noise of one is drawn while the one before is computed."""
        outcomes: dict[int, Speech | ChorusError] = {}
        encoded: dict[int, _Encoded] = {}
        decoded: dict[int, Tensor] = {}
        count = range(len(rows))
        for group in padded(
            count, lambda place: rows[place].tokens.size, self.at_once.tokens, shortest=self.at_once.shortest
        ):
            for place, one in zip(group, together(group, lambda g: self._encode([rows[i] for i in g])), strict=True):
                if isinstance(one, ChorusError):
                    outcomes[place] = one
                else:
                    encoded[place] = one
        for pack in packs(encoded, lambda place: rows[place].frames, self.at_once.frames):
            for place, audio in zip(pack, together(pack, lambda p: self._decode([encoded[i] for i in p])), strict=True):
                if isinstance(audio, ChorusError):
                    outcomes[place] = audio
                else:
                    decoded[place] = audio
        if self.device.type != "cpu":
            torch.cuda.current_stream(self.device).synchronize()
        for place, audio in decoded.items():
            try:
                outcomes[place] = rows[place].speech(audio.numpy().copy())
            except ChorusError as error:
                outcomes[place] = error
        return [outcomes[place] for place in count]

    def packs_of(self, rows: Sequence[Row]) -> list[list[Row]]:
        """How rows whose durations are known go through stage B."""
        return list(packs(rows, lambda row: row.frames, self.at_once.frames))

    @torch.inference_mode()
    def _encode(self, rows: Sequence[Row]) -> list[_Encoded | ChorusError]:
        """Stage A of the rows, whose durations are set. Raises what torch raises."""
        self.forwards += 1
        lengths = [row.tokens.size for row in rows]
        sentences = Sentences(lengths, self.device)
        tokens = to_device(np.concatenate([row.tokens for row in rows]), self.device)
        durations, encoded, text = self.network.encode(tokens, sentences, self._styles(rows))
        frames = durations.cpu()  # waits: the lengths decide what follows
        parts = zip(rows, *(torch.split(states, lengths) for states in (frames, encoded, text)), strict=True)
        return [self._lasting(row, own.numpy() / row.speed, *states) for row, own, *states in parts]

    def _lasting(self, row: Row, frames: np.ndarray, encoded: Tensor, text: Tensor) -> _Encoded | ChorusError:
        try:
            row.last(frames)
        except ChorusError as error:
            return failure(error)
        return _Encoded(row, encoded, text)

    @torch.inference_mode()
    def _decode(self, pack: Sequence[_Encoded]) -> list[Tensor]:
        """The samples of each row, which are there once the device has finished. Raises what torch raises."""
        self.forwards += 1
        rows = [one.row for one in pack]
        layout = Layout([row.frames for row in rows], self.device)
        tokens = np.zeros(layout.total, np.int64)  # behind an item any token will do: it is cleared
        noise = np.zeros(layout.total * HOP, np.float32)
        before = 0
        for row, span, samples in zip(rows, layout.spans(), layout.spans(HOP), strict=True):
            tokens[span] = np.repeat(np.arange(before, before + row.tokens.size), row.durations)
            before += row.tokens.size
            if self.noisy:
                noise[samples] = row.noise()
        audio = self.network.decode(
            torch.cat([one.encoded for one in pack]),
            torch.cat([one.text for one in pack]),
            to_device(tokens, self.device),
            to_device(noise, self.device).double(),
            self._styles(rows),
            layout,
        )
        here = audio
        if self.device.type != "cpu":
            here = torch.empty(audio.shape, dtype=audio.dtype, pin_memory=True)
            here.copy_(audio, non_blocking=True)
        return [here[span] for span in layout.spans(HOP)]

    def _styles(self, rows: Sequence[Row]) -> Tensor:
        """float64 [rows, n]."""
        return to_device(np.stack([row.style for row in rows]).astype(np.float64), self.device)


def _fitting(at_once: AtOnce, device: torch.device) -> AtOnce:
    """The bounds, lowered to what half of the free memory of a GPU can contain."""
    if device.type != "cuda":
        return at_once
    free, _ = torch.cuda.mem_get_info(device)
    return replace(at_once, frames=max(256, min(at_once.frames, free // 2 // _FRAME_BYTES)))
