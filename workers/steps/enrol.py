"""``enrol``, on the CPU: store the embedding of a voice with the voice."""

from __future__ import annotations

from core.errors import InternalError
from core.work import CPU, ItemRef
from pipelines.connections import Connections
from storage.ledger.documents import EmbeddingDocument
from storage.ledger.records import Outcome, Work
from storage.objects.embeddings import pack_embedding
from workers.retry import retry_until_available
from workers.steps.listen import read_embedding


def enrol(connections: Connections, ref: ItemRef, work: Work) -> Outcome:
    """Writes the embedding under the voice's folder and enters it in its record. A voice that was deleted meanwhile
    stays deleted."""
    enrolment = work.document.enrolment
    if enrolment is None:
        raise InternalError("The job enrols no voice.")
    voice, folder = enrolment.voice, enrolment.folder
    embedding = retry_until_available(lambda: read_embedding(connections, work))
    name = f"{folder}/{embedding.model}.safetensors"
    data = pack_embedding(embedding)
    retry_until_available(lambda: connections.objects.put(name, data, "application/octet-stream"))
    kept = EmbeddingDocument(object=name, model=embedding.model)
    if not retry_until_available(lambda: connections.voices.keep_embedding(voice, embedding.model, kept)):
        retry_until_available(lambda: connections.objects.delete(*connections.objects.names(f"{folder}/")))
    return Outcome(ref=ref, station=CPU, result={"voice": voice})
