"""The steps that process recordings: voice activity, speaker embedding, transcription, matching.

Their outputs are artifacts named after owner and content, so that the same recording is processed only once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from core.errors import ArtifactMissing, InvalidRequest, ModelFailed, NoSpeech
from core.names import Role
from models.base import Embedding, Item, ModelSpec, Output, Segment, Segments, Transcript
from models.families import family_of
from pipelines.connections import Connections
from storage.ledger.documents import JobDocument
from storage.ledger.outputs import StepOutputs
from storage.ledger.records import Work
from storage.objects.embeddings import StoredEmbedding, embedding_name, pack_embedding, unpack_embedding
from workers.recordings.decode import SAMPLES, folder_of, read_samples
from workers.steps.base import ModelStep, Stored

log = logging.getLogger(__name__)

Known = TypeVar("Known")


def options_of(spec: ModelSpec, document: JobDocument) -> dict[str, Any]:
    """The job's options for this model."""
    return {name: document.options[name] for name in spec.options if name in document.options}


def sha256_of(work: Work) -> str:
    """The hash of the job's recording as it was sent."""
    if work.outputs.sha256 is not None:
        return work.outputs.sha256
    raise ArtifactMissing("The job has no recording.")


class ListeningStep(ModelStep):
    """Loads a recording for a model that listens."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._objects = connections.objects

    def _item(self, spec: ModelSpec, work: Work, **more: Any) -> Item:
        rate = family_of(spec.type).hears
        name = getattr(work.outputs, SAMPLES[rate])
        if name is None:
            raise ArtifactMissing("The job has no recording.")
        samples = read_samples(self._objects, name, rate)
        return Item(inputs={"samples": samples, "rate": rate, **more}, options=options_of(spec, work.document))

    def _known(self, name: str, unpack: Callable[[bytes], Known]) -> Known | None:
        """The existing result, or None. A damaged one is deleted and computed again."""
        try:
            return unpack(self._objects.get(name))
        except ArtifactMissing:
            return None
        except (InvalidRequest, ValueError, KeyError, TypeError):
            log.warning("%s is damaged and is created again", name)
            self._objects.delete(name)
            return None


class VadStep(ListeningStep):
    """Voice activity detection: returns ``segments``, or fails the job if speech is needed and there is none."""

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        name = self._name(spec, work)
        found = self._known(name, _unpack_segments)
        return self._item(spec, work) if found is None else self._stored(work, found, name)

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        if isinstance(output, Transcript):
            duration = len(item.inputs["samples"]) / item.inputs["rate"]
            output = Segments(tuple(Segment(s.start, s.end) for s in output.segments), duration)
        if not isinstance(output, Segments):
            raise ModelFailed("The model returned no segments.")
        found = {"segments": [s.to_dict() for s in output.segments], "duration": round(output.duration, 3)}
        name = self._name(spec, work)
        self._objects.put(name, json.dumps(found).encode(), "application/json", if_absent=True)
        return self._stored(work, found, name)

    def _stored(self, work: Work, found: Mapping[str, Any], name: str) -> Stored:
        if not found["segments"] and work.plan.find(Role.EMBED):
            raise NoSpeech("The reference holds no speech." if work.document.reference else None)
        spans = [(s["start"], s["end"]) for s in found["segments"]]
        return Stored(outputs=StepOutputs(segments=spans, segments_object=name), result=dict(found))

    def _name(self, spec: ModelSpec, work: Work) -> str:
        options = json.dumps(options_of(spec, work.document), sort_keys=True)
        version = family_of(spec.type).code_version
        content = f"{sha256_of(work)}|{spec.name}|{spec.fingerprint()}|{version}|{options}"
        return f"{folder_of(work)}/segments/{hashlib.sha256(content.encode()).hexdigest()[:40]}.json"


class EmbedStep(ListeningStep):
    """Speaker embedding: returns ``embedding``, an object name."""

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        name = self._name(spec, work)
        if (found := self._known(name, unpack_embedding)) is not None:
            return self._stored(name, found)
        spans = self._spans(work)
        return self._item(spec, work, **({} if spans is None else {"segments": spans}))

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        if not isinstance(output, Embedding):
            raise ModelFailed("The model returned no embedding.")
        embedding = StoredEmbedding(output.vector, spec.name)
        name = self._name(spec, work)
        self._objects.put(name, pack_embedding(embedding), "application/octet-stream", if_absent=True)
        return self._stored(name, embedding)

    def _stored(self, name: str, embedding: StoredEmbedding) -> Stored:
        shape = {
            "model": embedding.model,
            "dimensions": len(embedding.vector),
            "values": [round(float(v), 7) for v in embedding.vector],
        }
        return Stored(outputs=StepOutputs(embedding=name), result={"embedding": shape})

    def _spans(self, work: Work) -> list[list[float]] | None:
        spans = work.outputs.segments if work.document.segments is None else work.document.segments
        return None if spans is None else [[start, end] for start, end in spans]

    def _name(self, spec: ModelSpec, work: Work) -> str:
        version = str(family_of(spec.type).code_version)
        content = (sha256_of(work), json.dumps(self._spans(work)), spec.name, spec.fingerprint(), version)
        return embedding_name(folder_of(work), *content)


class TranscribeStep(ListeningStep):
    """Transcription: the job's result."""

    def load(self, spec: ModelSpec, work: Work) -> Item | Stored:
        language = work.document.language
        return self._item(spec, work, **({"language": language} if language else {}))

    def store(self, spec: ModelSpec, work: Work, item: Item, output: Output) -> Stored:
        if not isinstance(output, Transcript):
            raise ModelFailed("The model returned no transcript.")
        shape = {
            "text": output.text,
            "language": output.language,
            "segments": [s.to_dict() for s in output.segments],
        }
        return Stored(
            result={"transcript": shape, "duration": round(len(item.inputs["samples"]) / item.inputs["rate"], 3)}
        )


def _unpack_segments(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    return {
        "segments": [{"start": float(s["start"]), "end": float(s["end"])} for s in found["segments"]],
        "duration": float(found["duration"]),
    }


def read_embedding(connections: Connections, work: Work) -> StoredEmbedding:
    """The embedding from the job or an earlier step."""
    name = work.document.embedding.object if work.document.embedding else work.outputs.embedding
    if name is None:
        raise ArtifactMissing("The job has no speaker embedding.")
    return unpack_embedding(connections.objects.get(name))


def cosine(a: StoredEmbedding, b: StoredEmbedding) -> float:
    """Cosine similarity of two embeddings of one model."""
    norms = float(np.linalg.norm(a.vector) * np.linalg.norm(b.vector))
    return float(a.vector @ b.vector) / norms if norms else 0.0
