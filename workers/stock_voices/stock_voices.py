"""The embeddings of the stock voices, with which ``match`` compares.

Each voice speaks a few sentences, which the encoder embeds. For the voices of our own ``models.yaml`` this was done
in advance: ``stock_voices.safetensors`` contains their embeddings under names derived from text, voice, weights and
code. Those of other voices are computed at their first use and stored. ``python -m
workers.stock_voices.stock_voices`` updates the file.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors.numpy import load_file, save_file

from audio.samples import Samples
from core.errors import ArtifactMissing, ChorusError, InvalidRequest, ModelFailed
from core.names import Role
from core.settings import Settings
from models.base import Embedding, Frontend, Item, Model, ModelSpec, Output, Speech, Voice
from models.catalog import Catalog, frontend_class, load_catalog, model_class
from models.families import family_of
from models.shared.recordings import RATE
from models.weights import WeightsCache, files_of
from pipelines.connections import Connections
from storage.objects.embeddings import StoredEmbedding, embedding_name, pack_embedding, unpack_embedding
from text.utterances import split

Kind = TypeVar("Kind")

#: Path of one of a model's weight files by name.
Files = Callable[[str], Path]

log = logging.getLogger(__name__)

#: The text that stock voices speak for their embeddings.
SAMPLE = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "These days a chicken leg is a rare dish. The juice of lemons makes fine punch."
)

#: Whom the stock voices' embeddings belong to; no API key can have this owner.
STOCK = "_stock"

#: Embeddings that come with the code, by `stock_name`.
FILE = Path(__file__).with_name("stock_voices.safetensors")

#: A stock voice and the model that speaks it.
StockVoice = tuple[ModelSpec, Voice]


def stock_name(encoder: ModelSpec, synthesizer: ModelSpec, voice: Voice) -> str:
    """The object name of a stock voice's embedding: it follows from text, voice, weights and code."""
    content = [SAMPLE, voice.name]
    for spec in (encoder, synthesizer):
        content += [spec.name, spec.fingerprint(), str(family_of(spec.type).code_version)]
    return embedding_name(STOCK, *content)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Samples]:
    """The embeddings that come with the code, by object name: float32 [n], of unit length."""
    return {f"{STOCK}/embeddings/{digest}.safetensors": vector for digest, vector in load_file(FILE).items()}


class StockVoices:
    """The stock voices' embeddings, each computed at most once per deployment. Safe to share between threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._known: dict[str, StoredEmbedding] = {}

    def embeddings(self, encoder: ModelSpec, voices: Sequence[StockVoice]) -> list[StoredEmbedding]:
        """The embedding of each voice by ``encoder``, in order.

        Raises what the models raise if one must be computed.
        """
        names = [stock_name(encoder, *voice) for voice in voices]
        with self._lock:
            missing = [
                (name, voice) for name, voice in zip(names, voices, strict=True) if not self._find(name, encoder)
            ]
            if missing:
                self._make(encoder, missing)
            return [self._known[name] for name in names]

    def _find(self, name: str, encoder: ModelSpec) -> bool:
        if name in self._known:
            return True
        if name in shipped():
            self._known[name] = StoredEmbedding(shipped()[name], encoder.name)
        else:
            self._read(name)
        return name in self._known

    def _read(self, name: str) -> None:
        objects = self._connections.objects
        try:
            self._known[name] = unpack_embedding(objects.get(name))
        except ArtifactMissing:
            return
        except InvalidRequest:
            log.warning("%s is damaged and is created again", name)
            objects.delete(name)

    def _make(self, encoder: ModelSpec, missing: Sequence[tuple[str, StockVoice]]) -> None:
        log.info("Computing the embeddings of %d stock voices", len(missing))
        loaded = Loaded(self._connections.files)
        for number, (name, (synthesizer, voice)) in enumerate(missing, start=1):
            began = time.monotonic()
            made = embed_voice(loaded, encoder, synthesizer, voice)
            self._connections.objects.put(name, pack_embedding(made), "application/octet-stream", if_absent=True)
            self._known[name] = made
            took = time.monotonic() - began
            log.info("stock voice %d of %d: %s of %s, %.1f s", number, len(missing), voice.name, synthesizer.name, took)


class Loaded:
    """Models on the CPU, each loaded at its first use and released with this object."""

    def __init__(self, files: Callable[[ModelSpec], Files]) -> None:
        self._files = files
        self._models: dict[str, Model] = {}

    def model(self, spec: ModelSpec) -> Model:
        if spec.name not in self._models:
            model = model_class(spec)(spec, self._files(spec))
            model.load("cpu")
            self._models[spec.name] = model
        return self._models[spec.name]

    def frontend(self, spec: ModelSpec) -> Frontend:
        return frontend_class(spec)(spec, self._files(spec))


def embed_voice(loaded: Loaded, encoder: ModelSpec, synthesizer: ModelSpec, voice: Voice) -> StoredEmbedding:
    """The embedding of a stock voice that speaks the sample."""
    import soxr

    speech = _speak(loaded, synthesizer, voice)
    samples = soxr.resample(speech.samples, speech.rate, RATE, "HQ").astype(np.float32)
    [output] = loaded.model(encoder).run([Item(inputs={"samples": samples, "rate": RATE})])
    return StoredEmbedding(_expect(output, Embedding).vector, encoder.name)


def _speak(loaded: Loaded, synthesizer: ModelSpec, voice: Voice) -> Speech:
    frontend = loaded.frontend(synthesizer)
    texts = [u.text for u in split(SAMPLE, voice.language, frontend.max_characters)]
    items = [Item(inputs=frontend.inputs(text, voice.name, voice.language)) for text in texts]
    spoken = [_expect(output, Speech) for output in loaded.model(synthesizer).run(items)]
    return Speech(samples=np.concatenate([s.samples for s in spoken]), rate=spoken[0].rate)


def _expect(output: Output | ChorusError, kind: type[Kind]) -> Kind:
    if isinstance(output, ChorusError):
        raise output
    if not isinstance(output, kind):
        raise ModelFailed(f"A model returned no {kind.__name__.lower()}.")
    return output


def stock_voices(catalog: Catalog) -> list[StockVoice]:
    """Every voice of the catalog that ``match`` may choose."""
    return [
        (model, voice) for model in catalog.of(Role.SYNTHESIZE) if model.voice_match for voice in model.voices.values()
    ]


def write_shipped(say: Callable[[str], None] = log.info) -> None:
    """Compute the embeddings of all stock voices with all encoders, and write `FILE`."""
    catalog, cache = load_catalog(), WeightsCache(Settings().cache.expanduser())
    loaded, found = Loaded(lambda spec: files_of(spec, cache)), {}
    for encoder in catalog.of(Role.EMBED):
        for synthesizer, voice in stock_voices(catalog):
            digest = Path(stock_name(encoder, synthesizer, voice)).stem
            found[digest] = embed_voice(loaded, encoder, synthesizer, voice).vector
            say(f"{encoder.name}: {voice.name} of {synthesizer.name}")
    save_file(found, FILE)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write_shipped()
