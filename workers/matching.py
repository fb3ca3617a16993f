"""``match``: the stock voice that is nearest to an embedding. It matches, it does not clone.

The stock voices' own embeddings are made once for a deployment: each voice speaks a few sentences, the encoder
listens, and the embedding is kept in storage under what it follows from.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TypeVar

import numpy as np

from core.errors import ChorusError, ModelFailed, Unroutable
from core.names import Role
from models.base import Embedding, Item, Model, ModelSpec, Output, Speech, Voice
from models.catalog import family_of, model_class, speaks
from storage.embeddings import StoredEmbedding, embedding_name, pack_embedding, unpack_embedding
from storage.ledger import Work
from storage.registry import live_stations
from text.utterances import split
from workers.listening import cosine, read_embedding
from workers.recordings import RATE
from workers.services import Services
from workers.station import Stored

Kind = TypeVar("Kind")

log = logging.getLogger(__name__)

#: What the stock voices say to be known by.
SAMPLE = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "These days a chicken leg is a rare dish. The juice of lemons makes fine punch."
)

#: Whom the stock voices' embeddings belong to; no API key can have this owner.
STOCK = "_stock"


class MatchStation:
    """Compares; no model runs, so `load` answers by itself."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._known: dict[str, StoredEmbedding] = {}

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        """The nearest voice that speaks the job's language and that a live worker serves."""
        embedding = read_embedding(self._services, work)
        language = work.document["language"]
        scored = [
            (cosine(embedding, self._stock(spec, synthesizer, voice)), synthesizer, voice)
            for synthesizer, voice in self._candidates(language)
        ]
        if not scored:
            raise Unroutable(f"No live worker serves a voice that speaks {language!r}.", code="no_voice")
        similarity, synthesizer, voice = max(scored, key=lambda entry: entry[0])
        match = {"voice": voice.name, "model": synthesizer.name, "similarity": round(similarity, 4)}
        plan = work.plan.with_model(Role.SYNTHESIZE, synthesizer.name)
        return Stored(gifts={"voice": voice.name, "match": json.dumps(match)}, result=match, plan=plan)

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        """Never called: `load` has answered."""
        raise ModelFailed("Matching runs no model.")

    def _candidates(self, language: str) -> list[tuple[ModelSpec, Voice]]:
        served = live_stations(self._services.redis)
        return [
            (model, voice)
            for model in self._services.catalog.of(Role.SYNTHESIZE)
            if model.name in served and model.batch and family_of(model.type).frontend
            for voice in model.voices.values()
            if speaks(voice.language, language)
        ]

    def _stock(self, encoder: ModelSpec, synthesizer: ModelSpec, voice: Voice) -> StoredEmbedding:
        content = [SAMPLE, voice.name]
        for spec in (encoder, synthesizer):
            content += [spec.name, spec.fingerprint(), str(family_of(spec.type).code_version)]
        name = embedding_name(STOCK, *content)
        with self._lock:
            if name not in self._known:
                self._known[name] = self._make(name, encoder, synthesizer, voice)
            return self._known[name]

    def _make(self, name: str, encoder: ModelSpec, synthesizer: ModelSpec, voice: Voice) -> StoredEmbedding:
        objects = self._services.objects
        if objects.head(name) is not None:
            return unpack_embedding(objects.get(name))
        log.info("the stock voice %s of %s speaks to be known by, this once", voice.name, synthesizer.name)
        embedding = listen(self._services, encoder, speak(self._services, synthesizer, voice))
        objects.put(name, pack_embedding(embedding), "application/octet-stream", if_absent=True)
        return embedding


def speak(services: Services, synthesizer: ModelSpec, voice: Voice) -> Speech:
    """The sample text in a stock voice, by a model of its own that is let go again."""
    frontend = services.frontend(synthesizer)
    texts = [u.text for u in split(SAMPLE, voice.language, frontend.max_characters)]
    items = [Item(inputs=frontend.inputs(text, voice.name, voice.language)) for text in texts]
    spoken = [_expect(o, Speech) for o in _loaded(services, synthesizer).run(items)]
    return Speech(samples=np.concatenate([s.samples for s in spoken]), rate=spoken[0].rate)


def listen(services: Services, encoder: ModelSpec, speech: Speech) -> StoredEmbedding:
    """The embedding of a stretch of speech."""
    import soxr

    samples = soxr.resample(speech.samples, speech.rate, RATE, "HQ").astype(np.float32)
    [output] = _loaded(services, encoder).run([Item(inputs={"samples": samples, "rate": RATE})])
    return StoredEmbedding(_expect(output, Embedding).vector, encoder.name)


def _loaded(services: Services, spec: ModelSpec) -> Model:
    model = model_class(spec)(spec, services.files(spec))
    model.load("cpu")
    return model


def _expect(output: Output | ChorusError, kind: type[Kind]) -> Kind:
    if isinstance(output, ChorusError):
        raise output
    if not isinstance(output, kind):
        raise ModelFailed(f"A model gave no {kind.__name__.lower()}.")
    return output
