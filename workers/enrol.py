"""``enrol``, on the CPU: the embedding that was made for a voice is kept with the voice."""

from __future__ import annotations

from core.work import CPU, ItemRef
from storage.embeddings import pack_embedding
from storage.ledger import Outcome, Work
from workers.listening import read_embedding
from workers.services import Services, patiently


def enrol(services: Services, ref: ItemRef, work: Work) -> Outcome:
    """Writes the embedding under the voice's folder and enters it in its record. A voice that was deleted meanwhile
    stays deleted."""
    voice, folder = work.document["voice"], work.document["folder"]
    embedding = patiently(lambda: read_embedding(services, work))
    name = f"{folder}/{embedding.model}.safetensors"
    data = pack_embedding(embedding)
    patiently(lambda: services.objects.put(name, data, "application/octet-stream"))
    kept = {"object": name, "model": embedding.model}
    if not patiently(lambda: services.submitter.voices.keep_embedding(voice, embedding.model, kept)):
        patiently(lambda: services.objects.delete(*services.objects.names(f"{folder}/")))
    return Outcome(ref=ref, station=CPU, result={"voice": voice})
