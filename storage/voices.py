"""Stored voices: speakers made from recordings, with an embedding for each model that their pipelines need.

The record is in Redis; recordings and embeddings are stored under ``{owner}/voices/{id}/``, so that they can be
deleted by prefix. A copy of the record is stored there too, for the case that the ledger is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core import ids
from core.errors import ChorusError, InvalidRequest, NotFound, VoicePreparing
from core.names import VoiceState
from core.redis import redis_errors
from storage.ledger.documents import EmbeddingDocument, RecordingDocument
from storage.ledger.keys import key
from storage.ledger.ledger import Ledger
from storage.ledger.records import Job
from storage.objects.objects import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVoice:
    """A stored voice. ``models``: by pipeline, the encoder whose embedding it uses."""

    id: str
    owner: str
    name: str
    created: float  #: Unix seconds
    models: Mapping[str, str]
    recordings: Sequence[RecordingDocument]
    consent: str | None = None
    embeddings: Mapping[str, EmbeddingDocument] = field(default_factory=dict)  #: by model, those that are made

    @property
    def folder(self) -> str:
        """What everything that belongs to the voice lies under."""
        return voice_folder(self.owner, self.id)

    def jobs(self) -> dict[str, str]:
        """By model, the ledger's job that computes its embedding."""
        return {model: enrolment_id(self.id, model) for model in self.models.values()}


def voice_folder(owner: str, voice: str) -> str:
    """Prefix of a voice's objects."""
    return f"{owner}/voices/{voice}"


def enrolment_id(voice: str, model: str) -> str:
    """The id of the job that computes a voice's embedding with ``model``."""
    return f"{voice}.{model}"


class Voices:
    """The stored voices. Methods raise `LedgerUnavailable` and `StorageUnavailable`."""

    def __init__(self, ledger: Ledger, objects: Objects) -> None:
        self._ledger = ledger
        self._redis = ledger.client
        self._objects = objects

    def write(self, voice: StoredVoice) -> None:
        """Writes a voice down, new or changed."""
        document = json.dumps({name: value for name, value in asdict(voice).items() if name != "embeddings"})
        self._objects.put(f"{voice.folder}/voice.json", document.encode(), "application/json")
        pipe = self._redis.pipeline()
        pipe.hset(key("voice", voice.id), mapping={"owner": voice.owner, "document": document})
        pipe.zadd(key("voices", voice.owner), {voice.id: voice.created})
        with redis_errors():
            pipe.execute()

    def get(self, owner: str, voice: str) -> StoredVoice:
        """The owner's voice of that id. Raises `NotFound`."""
        found = self._read(voice) if ids.VOICE.matches(voice) else None
        if found is None or found.owner != owner:
            raise NotFound("The voice does not exist.", code="voice_not_found")
        return found

    def exists(self, voice: str) -> bool:
        """Whether a voice with this id exists, of any owner."""
        with redis_errors():
            return bool(self._redis.exists(key("voice", voice)))

    def of(self, owner: str) -> list[StoredVoice]:
        """All voices of an owner, oldest first."""
        with redis_errors():
            ids = [v.decode() for v in self._redis.zrange(key("voices", owner), 0, -1)]  # type: ignore[union-attr]
        return [voice for voice in map(self._read, ids) if voice]

    def rename(self, owner: str, voice: str, name: str) -> StoredVoice:
        """The voice under another name. Raises `NotFound`."""
        changed = replace(self.get(owner, voice), name=name)
        self.write(changed)
        return changed

    def delete(self, owner: str, voice: str) -> None:
        """Takes a voice away everywhere: record, recordings, embeddings, unfinished work. Raises `NotFound`."""
        found = self.get(owner, voice)
        self._ledger.delete_many_now(found.jobs().values())
        pipe = self._redis.pipeline()
        pipe.delete(key("voice", voice))
        pipe.zrem(key("voices", owner), voice)
        with redis_errors():
            pipe.execute()
        self._objects.delete(*self._objects.names(f"{found.folder}/"))

    def keep_embedding(self, voice: str, model: str, embedding: EmbeddingDocument) -> bool:
        """Add the embedding of a voice; False if the voice no longer exists."""
        if not self.exists(voice):
            return False
        with redis_errors():
            self._redis.hset(key("voice", voice), f"ready:{model}", json.dumps(asdict(embedding)))
        return True

    def embedding(self, owner: str, voice: str, pipeline: str, model: str) -> EmbeddingDocument:
        """The embedding of a voice for a pipeline: ``object``, ``sha256``, ``model``.

        Raises `InvalidRequest`: ``voice_not_found``, ``voice_of_another_pipeline``, ``voice_failed``; and
        `VoicePreparing` while it is being prepared.
        """
        try:
            found = self.get(owner, voice)
        except NotFound as error:
            raise InvalidRequest(error.message, code=error.code) from error
        if pipeline not in found.models:
            there = ", ".join(found.models)
            raise InvalidRequest(
                f"This voice was made for {there}, not for {pipeline!r}.", code="voice_of_another_pipeline"
            )
        if model in found.embeddings:
            return found.embeddings[model]
        state, reason = self.state(found)
        if state is VoiceState.FAILED:
            why = reason["message"] if reason else "it was not made"
            raise InvalidRequest(f"This voice cannot be used: {why}", code="voice_failed")
        raise VoicePreparing(retry_after=2)

    def state(self, voice: StoredVoice) -> tuple[VoiceState, Mapping[str, Any] | None]:
        """The state of a voice, and its error if it failed."""
        missing = [job for model, job in voice.jobs().items() if model not in voice.embeddings]
        if not missing:
            return VoiceState.READY, None
        for job in self._ledger.get_many(missing):
            if job is None or job.state.ended:
                return VoiceState.FAILED, _why(job)
        return VoiceState.PREPARING, None

    def _read(self, voice: str) -> StoredVoice | None:
        with redis_errors():
            record = self._redis.hgetall(key("voice", voice))
        if not record:
            return None
        fields = {name.decode(): value.decode() for name, value in record.items()}  # type: ignore[union-attr]
        ready = {
            name.partition(":")[2]: EmbeddingDocument(**json.loads(value))
            for name, value in fields.items()
            if name.startswith("ready:")
        }
        document = json.loads(fields["document"])
        recordings = tuple(RecordingDocument.from_dict(one) for one in document.pop("recordings"))
        return StoredVoice(**document, recordings=recordings, embeddings=ready)


def _why(job: Job | None) -> Mapping[str, Any]:
    if job is not None and job.error:
        return job.error
    return ChorusError("Its preparation was canceled.", code="voice_failed").to_dict()
