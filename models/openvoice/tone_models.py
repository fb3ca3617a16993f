"""The tone encoder and the tone converter as models."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from audio.samples import Samples
from core.errors import ChorusError, ModelFailed, WeightsError
from models.base import Embedding, Item, Model, Output, Speech
from models.families import family_of
from models.openvoice import EMBEDDING, RATE, TAU
from models.shared import recordings
from models.shared.failures import failure, together
from models.shared.noise import noise_of
from models.shared.options import numbers

WINDOW = 10.0  #: seconds of speech that are embedded at once: upstream cuts a reference so

#: Embeddings of recordings that a converter keeps, for the pieces that follow.
_KEPT = 256

Key = TypeVar("Key", bound=Hashable)


def embed_each(network: Any, voices: Mapping[Key, Samples]) -> dict[Key, Samples | ChorusError]:
    """The embedding of each of ``voices`` (float32 [n] at the network's rate): the mean of windows of one length, of
    about `WINDOW` seconds. Windows of all voices go through the network together."""
    windows = [(key, window) for key, samples in voices.items() for window in _cut(samples, network.rate)]
    vectors = together(windows, lambda group: list(network.embed([window for _, window in group])))
    found: dict[Key, list[Samples]] = {}
    failed: dict[Key, ChorusError] = {}
    for (key, _), vector in zip(windows, vectors, strict=True):
        if isinstance(vector, ChorusError):
            failed[key] = vector
        else:
            found.setdefault(key, []).append(vector)
    return {**{key: _mean(rows) for key, rows in found.items()}, **failed}


def _cut(samples: Samples, rate: int) -> list[Samples]:
    count = max(1, round(len(samples) / (WINDOW * rate)))
    return recordings.windows(samples, count)


def _mean(vectors: Sequence[Samples]) -> Samples | ChorusError:
    vector: Samples = np.asarray(np.mean(np.stack(vectors), axis=0, dtype=np.float64), np.float32)
    return vector if np.isfinite(vector).all() else ModelFailed("The embedding is not finite.")


@dataclass(frozen=True, slots=True, eq=False)
class _Voice:
    """An item of the converter, checked."""

    item: Item
    samples: Samples
    target: Samples
    tau: float
    source: Hashable  #: which embedding is that of the voice as it is
    heard: Samples  #: what that is computed from, if it is not known


class ToneEncoder(Model):
    """Recordings to embeddings of 256 numbers. Items are those of `models.shared.recordings.speech`, at 22,050 Hz."""

    _network: Any = None

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the files are not a tone converter."""
        from models.openvoice.loaded import open_tone_network

        self.bounds = self.spec.bounds(device)
        self._network = open_tone_network(self.spec, self.files, device)
        self.report = self._network.report
        if self._network.rate != RATE:
            raise WeightsError(f"{self.spec.name}: the model hears {self._network.rate} Hz instead of {RATE}.")
        warm = self.run([Item({"samples": recordings.hum(RATE), "rate": RATE})])[0]
        if not isinstance(warm, Embedding):
            raise WeightsError(f"{self.spec.name}: the model does not run: {warm}")

    def example(self) -> Mapping[str, Any]:
        return {"rate": RATE}

    def cost(self, item: Item) -> int:
        """The maximum number of frames of 10 ms that are used."""
        return recordings.frames_heard(item, RATE)

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Embedding` per item, or why there is none."""
        outcomes: dict[int, Output | ChorusError] = {}
        voices: dict[int, Samples] = {}
        for place, item in enumerate(items):
            try:
                voices[place] = recordings.speech(item, RATE)
            except ChorusError as error:
                outcomes[place] = error
        for place, vector in embed_each(self._network, voices).items():
            outcomes[place] = vector if isinstance(vector, ChorusError) else Embedding(vector, self.spec.name)
        return [outcomes[place] for place in range(len(items))]


class ToneConverter(Model):
    """Speech to speech of another voice. An item's ``inputs``:

    - ``samples`` float32 [n] and ``rate`` (Hz) of the speech; it is resampled if need be;
    - ``embedding`` float32 [256], of the voice that it gets;
    - of the voice that it has: ``source``, the name of a source embedding of the entry; or ``recording`` (a
      `models.base.Recording` at ``rate``) and ``recording_name``, whose speaker is embedded once; or neither, and
      ``samples`` are embedded.
    """

    _network: Any = None
    sources: Mapping[str, Samples]  #: float32 [256] by name

    def load(self, device: str) -> None:
        """Raises `core.errors.WeightsError` if the files are not a tone converter and its source embeddings."""
        from models.openvoice.checkpoint import read_source
        from models.openvoice.loaded import open_tone_network

        self.bounds = self.spec.bounds(device)
        self._network = open_tone_network(self.spec, self.files, device)
        self.report = self._network.report
        own = [name for name in self.spec.weights if name.startswith("source_")]
        self.sources = {name.removeprefix("source_"): read_source(self.files(name), self.spec.name) for name in own}
        self._known: OrderedDict[Hashable, Samples] = OrderedDict()
        rate = self._network.rate
        if rate != self.spec.sample_rate:
            raise WeightsError(f"{self.spec.name}: the model gives {rate} Hz, not {self.spec.sample_rate}.")
        warm = self.run([Item({"samples": recordings.hum(rate), "rate": rate, **self.example()})])[0]
        if not isinstance(warm, Speech):
            raise WeightsError(f"{self.spec.name}: the model does not run: {warm}")

    def example(self) -> Mapping[str, Any]:
        return {"embedding": np.full(EMBEDDING, 0.01, np.float32)}

    def cost(self, item: Item) -> int:
        """The number of frames of 10 ms."""
        rate = item.inputs.get("rate")
        seconds = len(item.inputs.get("samples", ())) / rate if isinstance(rate, int) and rate > 0 else 0
        return max(1, math.ceil(100 * seconds))

    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """`models.base.Speech` per item, as long as its ``samples``, or why there is none."""
        outcomes: dict[int, Output | ChorusError] = {}
        voices: dict[int, _Voice] = {}
        for place, item in enumerate(items):
            try:
                voices[place] = self._read(place, item)
            except Exception as error:  # soxr raises classes of its own
                outcomes[place] = failure(error)
        sources = self._sources(list(voices.values()))
        ready: list[tuple[int, _Voice, Samples]] = []
        for place, voice in voices.items():
            source = sources[voice.source]
            if isinstance(source, ChorusError):
                outcomes[place] = source
            else:
                ready.append((place, voice, source))
        for pack in self._network.packs([len(voice.samples) for _, voice, _ in ready]):
            chosen = [ready[i] for i in pack]
            given = together(chosen, self._convert)
            outcomes.update((place, one) for (place, _, _), one in zip(chosen, given, strict=True))
        return [outcomes[place] for place in range(len(items))]

    def _read(self, place: int, item: Item) -> _Voice:
        """The item, checked. Raises `core.errors.ModelFailed`, and what soxr raises."""
        target = np.asarray(item.inputs.get("embedding"))
        if target.dtype != np.float32 or target.shape != (EMBEDDING,) or not np.isfinite(target).all():
            raise ModelFailed(f"An item must have an embedding of {EMBEDDING} finite float32 numbers.")
        rate = item.inputs.get("rate")
        if not isinstance(rate, int) or not 1000 <= rate <= 400_000:
            raise ModelFailed(f"Speech at {rate} Hz cannot be converted.")
        samples = self._heard(item.inputs.get("samples"), rate)
        tau = numbers(family_of(self.spec.type).options, item.options).get("tau", TAU)
        name, recording = item.inputs.get("source"), item.inputs.get("recording")
        key: Hashable = ("samples", place)
        heard = samples
        if name:
            key = ("source", name)
            if name not in self.sources:
                raise ModelFailed(f"{self.spec.name} has no source embedding {name!r}.", code="unknown_source")
        elif recording is not None:
            key = ("recording", item.inputs.get("recording_name"))
            if key not in self._known:
                heard = self._heard(recording[: round(recordings.MAX_SPEECH * rate)], rate)
        return _Voice(item, samples, target, float(tau), key, heard)

    def _heard(self, samples: Any, rate: int) -> Samples:
        """Samples at the network's rate."""
        if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32 or not samples.size:
            raise ModelFailed("Samples must be a one-dimensional float32 array that is not empty.")
        if not np.isfinite(samples).all():
            raise ModelFailed("Samples must be finite numbers.")
        if rate == self._network.rate:
            return samples
        import soxr

        resampled: Samples = soxr.resample(samples, rate, self._network.rate, quality="HQ").astype(np.float32)
        return resampled

    def _sources(self, voices: Sequence[_Voice]) -> dict[Hashable, Samples | ChorusError]:
        """The embedding of each voice as it is, by `_Voice.source`."""
        found: dict[Hashable, Samples | ChorusError] = {("source", n): vector for n, vector in self.sources.items()}
        found.update(self._known)
        wanted = {voice.source: voice.heard for voice in voices if voice.source not in found}
        for key, vector in embed_each(self._network, wanted).items():
            found[key] = vector
            if isinstance(key, tuple) and key[0] == "recording" and not isinstance(vector, ChorusError):
                self._known[key] = vector
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def _convert(self, chosen: Sequence[tuple[int, _Voice, Samples]]) -> list[Speech | ChorusError]:
        """One pass. Raises what torch raises."""
        from models.openvoice.tone import Conversion

        given = self._network.convert(
            [
                # A new generator each time: an item that runs again draws the same noise again.
                Conversion(voice.samples, source, voice.target, voice.tau, noise_of(voice.item))
                for _, voice, source in chosen
            ]
        )
        return [
            Speech(samples=samples, rate=self._network.rate)
            if np.isfinite(samples).all()
            else ModelFailed("The audio is not finite.")
            for samples in given
        ]
