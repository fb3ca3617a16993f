"""A Piper voice on ONNX Runtime: tokens to audio, one by one or in one padded pass.

Only the decoder, which is nine tenths of the work, is batched. The encoder always processes one row: padding shifts
its sums by 1e-5, which the vocoder amplifies to 1e-4 and which occasionally rounds a duration differently.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed, WeightsError
from models.base import Item, Model, Output, Speech
from models.piper import FAMILY
from models.piper.config import MAX_TOKENS, VoiceConfig, read_config
from models.shared.devices import parse
from models.shared.failures import failure, together
from models.shared.noise import noise_of
from models.shared.onnx import open_session, read_graph
from models.shared.options import numbers

MAX_SECONDS = 60.0  #: of one utterance: the vocoder takes about 20 MB a second

#: Padded frames (rows x longest) that the decoder takes at once, at about 0.25 MB each.
_DECODED_AT_ONCE = {"cpu": 4096, "cuda": 32_768}


@dataclass(slots=True)
class _Row:
    """One item being processed: its options, then its durations and its sample of the prior."""

    place: int
    tokens: NDArray[np.int64]
    speaker: int
    length_scale: np.float32
    noise_scale: np.float32
    noise_w: np.float32
    noise: np.random.Generator
    durations: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  #: frames per token
    prior: Samples = field(default_factory=lambda: np.zeros((0, 0), np.float32))  #: [channels, frames]


class PiperModel(Model):
    """A Piper voice. Its items have ``tokens`` (list of int), ``speaker`` (int) and the options of the
    family. Noise comes from each item's own generator, rhythm first, then frame by frame, so an item
    does not depend on the other items; without noise it equals the output of Piper's own graph exactly."""

    config: VoiceConfig
    hop: int  #: samples per frame

    def load(self, device: str) -> None:
        """Cut the voice's graph in two and start both halves on ``device`` (``cpu``, ``cuda``, ``cuda:1``).

        Raises `core.errors.WeightsError` if the files are not a Piper voice, `core.errors.ConfigurationError`
        if ONNX Runtime has no such device."""
        from models.piper.graph import split

        kind, _ = parse(device)
        self.config = read_config(self.files("config"))
        self.bounds = self.spec.bounds(device)
        self._at_once = _DECODED_AT_ONCE[kind]
        halves = split(read_graph(self.files("model"), self.spec.name), masked=self.bounds.padded)
        self._stochastic, self._many, self.hop = halves.stochastic, halves.speakers, halves.hop
        self._encoder = open_session(halves.encoder, device, self.spec.name)
        self._decoder = open_session(halves.decoder, device, self.spec.name)
        del halves
        gc.collect()
        self._warm_up()

    def cost(self, item: Item) -> int:
        """Tokens."""
        return max(1, len(item.inputs.get("tokens", ())))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Speech` per item, or why there is none: `core.errors.ModelFailed` or `OutOfMemory`."""
        outcomes: dict[int, Output | ChorusError] = {}
        rows: list[_Row] = []
        for place, item in enumerate(items):
            try:
                row = self._row(place, item)
                self._encode(row)
                rows.append(row)
            except Exception as error:  # whatever ONNX Runtime raises
                outcomes[place] = failure(error)
        for group in self._groups(rows):
            outcomes.update(zip((row.place for row in group), together(group, self._decode), strict=True))
        return [outcomes[place] for place in range(len(items))]

    def _groups(self, rows: Sequence[_Row]) -> list[list[_Row]]:
        """Groups of rows to decode together: of similar length, limited by memory."""
        if not self.bounds.padded:
            return [[row] for row in rows]
        groups: list[list[_Row]] = []
        for row in sorted(rows, key=_frames, reverse=True):
            if groups and _frames(groups[-1][0]) * (len(groups[-1]) + 1) <= self._at_once:
                groups[-1].append(row)
            else:
                groups.append([row])
        return groups

    def _decode(self, rows: Sequence[_Row]) -> list[Speech | ChorusError]:
        audio = self._run_decoder(rows)
        return [self._speech(row, spoken) for row, spoken in zip(rows, audio, strict=True)]

    def _row(self, place: int, item: Item) -> _Row:
        """The item, checked. Raises `core.errors.ModelFailed`."""
        try:
            tokens = np.asarray(item.inputs["tokens"], np.int64)
            speaker = int(item.inputs.get("speaker", 0))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelFailed(f"The item's inputs cannot be read: {error}") from error
        if tokens.ndim != 1 or not 1 <= tokens.size <= MAX_TOKENS:
            raise ModelFailed(f"An item must have 1 to {MAX_TOKENS} tokens.")
        if tokens.min() < 0 or tokens.max() >= self.config.num_symbols:
            raise ModelFailed(f"Tokens must be between 0 and {self.config.num_symbols - 1}.")
        if not 0 <= speaker < self.config.num_speakers:
            raise ModelFailed(f"Speakers must be between 0 and {self.config.num_speakers - 1}.")
        own, options = self.config.inference, numbers(FAMILY.options, item.options)
        return _Row(
            place=place,
            tokens=tokens,
            speaker=speaker,
            length_scale=np.float32(own.length_scale / options.get("speed", 1.0)),
            noise_scale=np.float32(options.get("noise_scale", own.noise_scale)),
            noise_w=np.float32(options.get("noise_w", own.noise_w)),
            noise=noise_of(item),
        )

    def _encode(self, row: _Row) -> None:
        """Give the row its durations and its sample of the prior. Raises `core.errors.ModelFailed`."""
        feeds: dict[str, NDArray[Any]] = {"input": row.tokens[None], "input_lengths": np.array([row.tokens.size])}
        if self._stochastic:
            feeds["chorus_noise"] = row.noise.standard_normal((row.tokens.size, 2), np.float32).T[None] * row.noise_w
        weights, mean, deviation = self._encoder.run(None, self._with_speakers(feeds, [row]))
        frames = np.ceil(weights[0, 0] * row.length_scale)
        total = float(frames.sum())
        if not total * self.hop <= MAX_SECONDS * self.config.audio.sample_rate:  # nor is it NaN
            raise ModelFailed(f"The utterance is longer than {MAX_SECONDS:.0f} s.", code="utterance_too_long")
        row.durations = frames.astype(np.int64)
        if total < 1:
            row.durations[0] = 1  # as the graph's own Clip does
        middle = np.repeat(mean[0], row.durations, axis=0)
        spread = np.repeat(np.exp(deviation[0]), row.durations, axis=0)
        noise = row.noise.standard_normal(middle.shape, np.float32)
        row.prior = (middle + noise * spread * row.noise_scale).T

    def _run_decoder(self, rows: Sequence[_Row]) -> Samples:
        """Audio float32 [rows, samples of the longest]; the rows come longest first."""
        prior = np.zeros((len(rows), rows[0].prior.shape[0], _frames(rows[0])), np.float32)
        mask = np.zeros((len(rows), 1, prior.shape[2]), np.float32)
        for i, row in enumerate(rows):
            prior[i, :, : _frames(row)] = row.prior
            mask[i, :, : _frames(row)] = 1
        feeds = self._with_speakers({"chorus_prior": prior, "chorus_mask": mask}, rows)
        audio: Samples = self._decoder.run(None, feeds)[0].reshape(len(rows), -1)
        return audio

    def _speech(self, row: _Row, audio: Samples) -> Speech | ChorusError:
        samples = audio[: _frames(row) * self.hop]
        if not np.isfinite(samples).all():
            return ModelFailed("The audio is not finite.")
        rate = self.config.audio.sample_rate
        seconds = [round(n * self.hop / rate, 6) for n in row.durations.tolist()]
        # A copy: the slice would keep the whole batch in memory.
        return Speech(samples=samples.astype(np.float32, copy=True), rate=rate, durations=seconds)

    def _with_speakers(self, feeds: dict[str, NDArray[Any]], rows: Sequence[_Row]) -> dict[str, NDArray[Any]]:
        if self._many:
            feeds["sid"] = np.array([row.speaker for row in rows], np.int64)
        return feeds

    def _warm_up(self) -> None:
        """One short utterance, which also proves that frames and samples are in step."""
        tokens = [min(3 + i, self.config.num_symbols - 1) for i in range(16)]
        row = self._row(0, Item({"tokens": tokens}))
        try:
            self._encode(row)
            spoken = self._speech(row, self._run_decoder([row])[0])
        except Exception as error:
            raise WeightsError(f"{self.spec.name}: the voice does not run: {error}") from error
        if not isinstance(spoken, Speech) or spoken.samples.size != _frames(row) * self.hop:
            raise WeightsError(f"{self.spec.name}: the length of the voice's audio does not match its durations.")


def _frames(row: _Row) -> int:
    return int(row.prior.shape[1])
