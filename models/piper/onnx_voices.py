"""A Piper voice on ONNX Runtime: rows to speech, one by one or in one padded pass.

Only the decoder, which is nine tenths of the work, is batched. The encoder always processes one row: padding shifts
its sums by 1e-5, which the vocoder amplifies to 1e-4 and which occasionally rounds a duration differently.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ChorusError
from models.base import Bounds, Speech
from models.piper.graph import split
from models.shared.devices import parse
from models.shared.failures import failure, together
from models.shared.onnx import open_session
from models.vits.groups import padded
from models.vits.rows import Row, Voices

#: Padded frames (rows x longest) that the decoder takes at once, at about 0.25 MB each.
_DECODED_AT_ONCE = {"cpu": 4096, "cuda": 32_768}


@dataclass(slots=True)
class _Encoded:
    """A row with its sample of the prior, float32 [channels, frames]."""

    row: Row
    prior: Samples


class OnnxVoices:
    """A voice's graph, cut in two halves. Without noise its samples equal those of Piper's own graph exactly."""

    hop: int  #: samples per frame

    def __init__(self, graph: Any, name: str, voices: Voices, device: str, bounds: Bounds) -> None:
        """Cut the graph (``onnx.ModelProto``) and start both halves on ``device`` (``cpu``, ``cuda``, ``cuda:1``).

        Raises `core.errors.WeightsError` if it is not that of a Piper voice, `core.errors.ConfigurationError` if ONNX
        Runtime has no such device."""
        self.voices = voices
        self._at_once = _DECODED_AT_ONCE[parse(device)[0]] if bounds.padded else 0
        halves = split(graph, masked=bounds.padded)
        self._stochastic, self._many, self.hop = halves.stochastic, halves.speakers, halves.hop
        self._encoder = open_session(halves.encoder, device, name)
        self._decoder = open_session(halves.decoder, device, name)
        del halves
        gc.collect()

    def speak(self, rows: Sequence[Row]) -> list[Speech | ChorusError]:
        """One outcome per row, in order; a failure is that of its row alone."""
        outcomes: dict[int, Speech | ChorusError] = {}
        encoded: dict[int, _Encoded] = {}
        for place, row in enumerate(rows):
            try:
                encoded[place] = self._encode(row)
            except Exception as error:  # whatever ONNX Runtime raises
                outcomes[place] = failure(error)
        for group in padded(encoded, lambda place: rows[place].frames, self._at_once):
            spoken = together(group, lambda places: self._decode([encoded[place] for place in places]))
            outcomes.update(zip(group, spoken, strict=True))
        return [outcomes[place] for place in range(len(rows))]

    def _encode(self, row: Row) -> _Encoded:
        """The row with its durations and its sample of the prior. Raises `core.errors.ModelFailed`."""
        feeds: dict[str, NDArray[Any]] = {"input": row.tokens[None], "input_lengths": np.array([row.tokens.size])}
        if self._stochastic:
            feeds["chorus_noise"] = row.rhythm_noise()[None]
        weights, mean, deviation = self._encoder.run(None, self._with_speakers(feeds, [row]))
        row.last(weights[0, 0], self.hop, self.voices.rate)
        middle = np.repeat(mean[0], row.durations, axis=0)
        spread = np.repeat(np.exp(deviation[0]), row.durations, axis=0)
        noise = row.prior_noise(middle.shape[1])
        return _Encoded(row, (middle + noise * spread * np.float32(row.noise_scale)).T)

    def _decode(self, group: Sequence[_Encoded]) -> list[Speech | ChorusError]:
        """The rows come longest first."""
        longest = group[0].row.frames
        prior = np.zeros((len(group), group[0].prior.shape[0], longest), np.float32)
        mask = np.zeros((len(group), 1, longest), np.float32)
        for i, one in enumerate(group):
            prior[i, :, : one.row.frames] = one.prior
            mask[i, :, : one.row.frames] = 1
        feeds = self._with_speakers({"chorus_prior": prior, "chorus_mask": mask}, [one.row for one in group])
        audio: Samples = self._decoder.run(None, feeds)[0].reshape(len(group), -1)
        return [self._speech(one.row, spoken) for one, spoken in zip(group, audio, strict=True)]

    def _speech(self, row: Row, audio: Samples) -> Speech | ChorusError:
        # A copy: the slice would keep the whole batch in memory.
        samples = audio[: row.frames * self.hop].astype(np.float32, copy=True)
        return row.speech(samples, self.hop, self.voices.rate)

    def _with_speakers(self, feeds: dict[str, NDArray[Any]], rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
        if self._many:
            feeds["sid"] = np.array([row.speaker for row in rows], np.int64)
        return feeds
